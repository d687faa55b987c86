/** The json dialect: one JSON text a line, UTF-8, each ended by a line feed. */
import { isUtf8 } from 'node:buffer'
import type { Decoder, Encode, Frame } from './frame.js'
import {
  FrameError,
  isDeeperThan,
  MAX_DEPTH,
  MAX_FRAME_BYTES,
  PendingBytes,
  wellFormed,
} from './frame.js'

const LINE_FEED = 0x0a

/** Reads lines; blank ones are skipped, so that a person typing into `nc` may press Enter. */
export class JsonDecoder implements Decoder {
  readonly #pending = new PendingBytes()

  get pending(): number {
    return this.#pending.length
  }

  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = []
    let start = 0
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start)
      const piece = chunk.subarray(start, end === -1 ? chunk.length : end)
      if (this.#pending.length + piece.length > MAX_FRAME_BYTES) {
        frames.push({ error: tooLarge })
        return frames
      }
      if (end === -1) {
        this.#pending.add(piece)
        return frames
      }
      start = end + 1
      const frame = parseLine(this.#pending.takeWith(piece))
      if (frame) frames.push(frame)
    }
  }
}

/** One line of JSON. */
export const encodeJson: Encode = (message) => Buffer.from(`${jsonText(message)}\n`)

/** A message as JSON that readers in every language take. */
export function jsonText(message: unknown): string {
  const text = JSON.stringify(message)
  // Half a surrogate pair is written as an escape, such as \ud800; a backslash in a text looks alike.
  return text.includes('\\ud') ? JSON.stringify(wellFormed(message)) : text
}

const tooLarge = new FrameError(
  'frame_too_large',
  `a line is longer than ${MAX_FRAME_BYTES} bytes`,
  true,
)

function parseLine(line: Buffer): Frame | undefined {
  if (!isUtf8(line)) return invalid('the line is not UTF-8')
  const text = line.toString('utf8').trim()
  if (text === '') return undefined
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    return invalid('the line is not one JSON text; send one JSON object a line')
  }
  if (isDeeperThan(message, MAX_DEPTH)) return invalid(`nested deeper than ${MAX_DEPTH} levels`)
  return { message }
}

function invalid(what: string): Frame {
  return { error: new FrameError('invalid_frame', what, false) }
}
