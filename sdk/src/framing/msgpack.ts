/** The msgpack dialect: constant magic once from the client, then u32 length and plain msgpack, both ways. */
import { type Options, Packr } from 'msgpackr'
import type { Decoder, Encode, Frame } from './frame.js'
import { FrameError, MAX_FRAME_BYTES, PendingBytes, wellFormed } from './frame.js'
import { findMsgpackFault } from './msgpack_scan.js'

/** Opens a connection: 0xC1, which msgpack never uses, the letters `rly`, and the version. */
export const MSGPACK_MAGIC = Buffer.from([0xc1, 0x72, 0x6c, 0x79, 0x01])

const LENGTH_BYTES = 4

/** First byte of a surrogate's three, and of some whole characters. */
const SURROGATE_LEAD = 0xed

// Plain msgpack, readable by every msgpack library: no records, no extension types. 64-bit integers
// become numbers and absent stays absent, as in JSON (msgpackr's typings lack `skipValues` and `useToJSON`).
const options: Options & { skipValues: unknown[]; useToJSON: boolean } = {
  useRecords: false,
  skipValues: [undefined],
  encodeUndefinedAsNil: true,
  int64AsType: 'number',
  // A member that somebody named toJSON is data, and would be called.
  useToJSON: false,
}
const packr = new Packr(options)

/** Reads length-prefixed frames; the magic is not part of them. */
export class MsgpackDecoder implements Decoder {
  readonly #pending = new PendingBytes()
  #needed = LENGTH_BYTES

  get pending(): number {
    return this.#pending.length
  }

  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = []
    if (this.#pending.length + chunk.length < this.#needed) {
      this.#pending.add(chunk)
      return frames
    }
    let bytes = this.#pending.takeWith(chunk)
    while (bytes.length >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(0)
      if (length > MAX_FRAME_BYTES) {
        frames.push({
          error: new FrameError(
            'frame_too_large',
            `a frame announces ${length} bytes; the limit is ${MAX_FRAME_BYTES}`,
            true,
          ),
        })
        return frames
      }
      const end = LENGTH_BYTES + length
      if (bytes.length < end) break
      frames.push(decode(bytes.subarray(LENGTH_BYTES, end)))
      bytes = bytes.subarray(end)
    }
    this.#needed = bytes.length < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + bytes.readUInt32BE(0)
    this.#pending.add(bytes)
    return frames
  }
}

/** A length and that many bytes of plain msgpack. */
export const encodeMsgpack: Encode = (message) => {
  let body = packr.pack(message)
  // What UTF-8 cannot carry, msgpackr writes all the same, as 0xED and two more bytes.
  if (body.includes(SURROGATE_LEAD)) body = packr.pack(wellFormed(message))
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.length)
  frame.writeUInt32BE(body.length, 0)
  body.copy(frame, LENGTH_BYTES)
  return frame
}

function decode(body: Buffer): Frame {
  const fault = findMsgpackFault(body)
  if (fault) return { error: new FrameError('invalid_frame', fault, false) }
  try {
    return { message: packr.unpack(body) }
  } catch {
    return { error: new FrameError('invalid_frame', 'the frame is not msgpack', false) }
  }
}
