/** Frames of oxd: four digits of length and a JSON text; read leniently, written so that every client can read them. */
import { type Decoder, type Encode, type Frame, FrameError } from '@relyd/sdk/framing'

/** Characters of the longest reply: its length has four digits. */
const LONGEST = 9999

export class OxdDecoder implements Decoder {
  #held = Buffer.alloc(0)

  get pending(): number {
    return this.#held.length
  }

  push(chunk: Buffer): Frame[] {
    this.#held = Buffer.concat([this.#held, chunk])
    const frames: Frame[] = []
    for (;;) {
      const digits = /^\s*(\d{3,5})(?!\d)/.exec(this.#held.toString('latin1'))
      if (!digits) return frames
      const start = digits[0].length
      const end = start + Number(digits[1])
      if (this.#held.length < end) return frames
      const body = this.#held.subarray(start, end).toString('utf8')
      this.#held = this.#held.subarray(end)
      try {
        frames.push({ message: JSON.parse(body) })
      } catch {
        frames.push({ error: new FrameError('invalid_frame', 'the body is not JSON', false) })
      }
    }
  }
}

/** Its characters are all ASCII, so that bytes, characters and UTF-16 units are the same number. */
export const encodeOxd: Encode = (message) => {
  const body = JSON.stringify(message).replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  if (body.length > LONGEST) return Buffer.alloc(LONGEST + 5)
  return Buffer.from(`${String(body.length).padStart(4, '0')}${body}`, 'latin1')
}
