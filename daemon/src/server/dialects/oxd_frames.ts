/** Frames of oxd: a length in digits and a JSON text; read leniently, written so that every client can read them. */
import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { type Encode, FrameError, isDeeperThan, jsonText, MAX_DEPTH } from '@relyd/sdk/framing'
import type { RequestDecoder, RequestFrame } from './dialect.js'
import { Held } from './held.js'
import { isBlank, ObjectScan } from './object_scan.js'

/** Characters of the longest reply: its length has four digits. */
export const LONGEST = 9999

/** Digits of a request's length: clients write three, four, and five by mistake. */
const MOST_DIGITS = 5

interface Body {
  start: number
  /** Where it ends if its length counts bytes. */
  end: number
}

/** Reads requests whose length counts bytes or characters, white space in front of the body or not. */
export class OxdDecoder implements RequestDecoder {
  readonly #held = new Held()
  /** Of the frame that is arriving, once its length is known. */
  #body: Body | undefined
  /** Looks for the end of a body that is no JSON text by bytes. */
  #scan: ObjectScan | undefined

  get pending(): number {
    return this.#held.length
  }

  push(chunk: Buffer): RequestFrame[] {
    this.#held.add(chunk)
    const frames: RequestFrame[] = []
    for (let frame = this.#next(); frame; frame = this.#next()) {
      frames.push(frame)
      if ('error' in frame && frame.error.fatal) break
    }
    this.#held.settle()
    return frames
  }

  #next(): RequestFrame | undefined {
    const body = this.#body ?? this.#readLength()
    if (!body || 'error' in body) return body
    this.#body = body
    const bytes = this.#held.bytes
    if (bytes.length < body.end) return undefined
    if (!this.#scan) {
      const counted = parse(bytes, body)
      if (!('error' in counted)) return this.#take(body.end, counted)
      this.#scan = new ObjectScan(body.start, body.end - body.start)
      this.#scan.read(bytes.subarray(0, body.end))
      if (!this.#scan.isOpen) return this.#take(body.end, counted)
    }
    this.#scan.read(bytes)
    if (this.#scan.isOpen) return undefined
    return this.#take(this.#scan.at, parse(bytes, { start: body.start, end: this.#scan.at }))
  }

  /** @returns nothing if it has not come whole */
  #readLength(): Body | { error: FrameError } | undefined {
    const held = this.#held.bytes
    const blank = held.findIndex((byte) => !isBlank(byte))
    this.#held.take(blank === -1 ? held.length : blank)
    const bytes = this.#held.bytes
    let start = 0
    let length = 0
    for (; start <= MOST_DIGITS && isDigit(bytes[start]); start += 1) {
      length = length * 10 + (bytes[start] as number) - 0x30
    }
    if (start > MOST_DIGITS) return lost(`a length has more than ${MOST_DIGITS} digits`)
    // Whatever follows the last digit tells that it was the last.
    if (start === bytes.length) return undefined
    return start > 0 ? { start, end: start + length } : lost('a frame begins with its length')
  }

  #take(end: number, frame: RequestFrame): RequestFrame {
    const digest = createHash('sha256').update(this.#held.bytes.subarray(0, end)).digest('base64')
    const mark = { digest, at: this.#held.taken }
    this.#held.take(end)
    this.#body = undefined
    this.#scan = undefined
    return { ...frame, mark }
  }
}

/**
 * Its characters are all ASCII, so that bytes, characters and UTF-16 units are the same number. One
 * that is too long is seen by its length of five digits, and must not be sent.
 */
export const encodeOxd: Encode = (message) => {
  const body = jsonText(message).replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  const length = unlikeAnyIn(body)
  return Buffer.from(`${digits(length)}${body.padEnd(length)}`, 'latin1')
}

/**
 * A length of which the four digits stand nowhere in the body, where there is one: PHP's client takes
 * them out wherever they do. Spaces make up for it, which all clients skip.
 */
function unlikeAnyIn(body: string): number {
  if (!body.includes(digits(body.length))) return body.length
  const found = new Set(Array.from(body.matchAll(/(?=(\d{4}))/g), ([, four]) => four))
  for (let length = body.length; length <= LONGEST; length += 1) {
    if (!found.has(digits(length))) return length
  }
  return body.length
}

function digits(length: number): string {
  return String(length).padStart(4, '0')
}

function parse(bytes: Buffer, { start, end }: Body): RequestFrame {
  const body = bytes.subarray(start, end)
  if (!isUtf8(body)) return invalid('the body is not UTF-8')
  let message: unknown
  try {
    message = JSON.parse(body.toString())
  } catch {
    return invalid('the body is not one JSON text of the length in front of it')
  }
  if (isDeeperThan(message, MAX_DEPTH)) return invalid(`nested deeper than ${MAX_DEPTH} levels`)
  return { message }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

function invalid(what: string): { error: FrameError } {
  return { error: new FrameError('invalid_frame', what, false) }
}

/** Nobody can tell where the next frame begins. */
function lost(what: string): { error: FrameError } {
  return { error: new FrameError('invalid_frame', what, true) }
}
