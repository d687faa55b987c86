/** What both dialects' decoders share: limits, results and the error of a malformed frame. */

/** Largest frame in bytes, without its delimiter or length prefix. */
export const MAX_FRAME_BYTES = 1024 * 1024

/** Deepest nesting of objects and arrays in one message. */
export const MAX_DEPTH = 32

/**
 * A frame that could not be read. After a `fatal` one the stream has lost its frame boundaries:
 * the connection must be closed.
 */
export class FrameError extends Error {
  override readonly name = 'FrameError'
  readonly code: 'invalid_frame' | 'frame_too_large'
  readonly fatal: boolean

  constructor(code: FrameError['code'], message: string, fatal: boolean) {
    super(message)
    this.code = code
    this.fatal = fatal
  }
}

/** One decoded message, or what was wrong with the frame in its place. */
export type Frame = { message: unknown } | { error: FrameError }

/** Turns a stream's chunks, cut anywhere, into frames. One decoder serves one direction of one connection. */
export interface Decoder {
  push(chunk: Buffer): Frame[]
  /** Bytes of an unfinished frame that are held. */
  readonly pending: number
}

/** Turns one message into the bytes of one frame. */
export type Encode = (message: unknown) => Buffer

/** Holds the bytes of an unfinished frame without copying them again for each chunk. */
export class PendingBytes {
  #chunks: Buffer[] = []
  length = 0

  add(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.length += chunk.length
  }

  /** Everything held, as one buffer; nothing is held afterwards. */
  take(): Buffer {
    const [only] = this.#chunks
    const all = this.#chunks.length === 1 && only ? only : Buffer.concat(this.#chunks, this.length)
    this.#chunks = []
    this.length = 0
    return all
  }
}
