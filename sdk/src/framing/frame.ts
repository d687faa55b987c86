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

/** Holds the bytes of an unfinished frame: their memory stays near their number, however small the chunks. */
export class PendingBytes {
  #held: Buffer = NOTHING
  length = 0

  add(chunk: Buffer): void {
    const length = this.length + chunk.length
    if (this.length === 0) {
      // A small rest would keep the large buffer alive that it was cut from.
      this.#held = chunk.length * 2 < chunk.buffer.byteLength ? Buffer.from(chunk) : chunk
    } else {
      if (length > this.#held.length) {
        const larger = Buffer.allocUnsafe(Math.max(length, this.#held.length * 2))
        this.#held.copy(larger, 0, 0, this.length)
        this.#held = larger
      }
      chunk.copy(this.#held, this.length)
    }
    this.length = length
  }

  /** Everything held and the last piece behind it, as one buffer; nothing is held afterwards. */
  takeWith(piece: Buffer): Buffer {
    if (this.length === 0) return piece
    this.add(piece)
    const all = this.#held.subarray(0, this.length)
    this.#held = NOTHING
    this.length = 0
    return all
  }
}

const NOTHING = Buffer.alloc(0)

/**
 * The same message with U+FFFD for each half of a surrogate pair, which UTF-8 cannot carry: readers
 * in other languages refuse the whole frame for it.
 */
export function wellFormed(message: unknown): unknown {
  if (typeof message === 'string') return message.toWellFormed()
  if (typeof message !== 'object' || message === null) return message
  if (Array.isArray(message)) return message.map(wellFormed)
  return Object.fromEntries(
    Object.entries(message).map(([name, one]) => [name.toWellFormed(), wellFormed(one)]),
  )
}

/** Whether a value has more levels of objects and arrays than these, itself the first. */
export function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (depth === 0) return true
  return Object.values(value).some((inner) => isDeeperThan(inner, depth - 1))
}
