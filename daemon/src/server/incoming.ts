/** What came on a connection and waits to be handled: bytes, and frames of the dialect that the first of them chose. */
import type { FrameError } from '@relyd/sdk/framing'
import {
  type Choice,
  chooseDialect,
  type Dialect,
  LONGEST_MAGIC,
  type RequestDecoder,
  type RequestFrame,
} from './dialects/dialect.js'

/** Bytes that are decoded ahead of their turn, so that a chunk full of tiny frames takes no long while. */
const SLICE_BYTES = 2048

const NOTHING: Buffer = Buffer.alloc(0)

export class Incoming {
  #dialect: Dialect | undefined
  #decoder: RequestDecoder | undefined
  /** Not decoded yet. */
  #bytes = NOTHING
  #decoded = 0
  #frames: RequestFrame[] = []
  #partialSince: number | undefined

  /** Undefined as long as nobody can tell. */
  get dialect(): Dialect | undefined {
    return this.#dialect
  }

  /** The frame whose turn is next. */
  get next(): RequestFrame | undefined {
    return this.#frames[0]
  }

  /** Bytes of a frame that did not arrive whole. */
  get pending(): number {
    return this.#decoder?.pending ?? 0
  }

  /** When it began, as `performance.now()` counts. */
  get partialSince(): number | undefined {
    return this.#partialSince
  }

  /** Bytes that have come so far, as the marks of frames count them. */
  get arrived(): number {
    return this.#decoded + this.#bytes.length
  }

  /** Whether there is nothing to be handled, unless more comes. */
  get isEmpty(): boolean {
    return this.#frames.length === 0 && (!this.#decoder || this.#bytes.length === 0)
  }

  add(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
  }

  /** By what has come so far, if the dialect is not known yet. */
  choose(): Choice {
    const choice = chooseDialect(this.#bytes)
    if (choice === 'undecided') {
      this.#partialSince ??= performance.now()
      // Blank so far, if longer than any magic: nothing that would have to be kept.
      if (this.#bytes.length > LONGEST_MAGIC) this.#bytes = NOTHING
      return choice
    }
    this.#partialSince = undefined
    if ('dialect' in choice) {
      this.#dialect = choice.dialect
      this.#decoder = choice.dialect.decoder()
      this.#bytes = this.#bytes.subarray(choice.dialect.magic.length)
    }
    return choice
  }

  /** Decodes until there is a frame, or nothing is left to decode. */
  decode(): void {
    const decoder = this.#decoder
    if (!decoder) return
    while (this.#frames.length === 0 && this.#bytes.length > 0) {
      const slice = this.#bytes.subarray(0, SLICE_BYTES)
      // Nothing, rather than an empty part that keeps the chunk's memory.
      this.#bytes = slice.length < this.#bytes.length ? this.#bytes.subarray(SLICE_BYTES) : NOTHING
      this.#decoded += slice.length
      this.#frames = decoder.push(slice)
      if (this.#frames.length > 0) this.#partialSince = undefined
    }
    if (decoder.pending === 0) this.#partialSince = undefined
    else if (this.#frames.length === 0) this.#partialSince ??= performance.now()
  }

  /** @returns the next frame, which waits no longer */
  shift(): RequestFrame | undefined {
    return this.#frames.shift()
  }

  /** The time that a frame takes counts from now: until now it could not arrive. */
  waitAnew(now: number): void {
    if (this.#partialSince !== undefined) this.#partialSince = now
  }

  /** What came is given up, and this told in its place. */
  fail(error: FrameError): void {
    this.clear()
    this.#frames = [{ error }]
  }

  clear(): void {
    this.#frames = []
    this.#bytes = NOTHING
    this.#decoder = undefined
    this.#partialSince = undefined
  }
}
