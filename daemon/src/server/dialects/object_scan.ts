/** Finds where a JSON object ends in bytes that arrive bit by bit, without reading what is in it. */

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING = new Set([0x7b, 0x5b])
const CLOSING = new Set([0x7d, 0x5d])
const BLANK = new Set([0x20, 0x09, 0x0a, 0x0d])

export function isBlank(byte: number | undefined): boolean {
  return byte !== undefined && BLANK.has(byte)
}

export class ObjectScan {
  #at: number
  #most: number
  #characters = 0
  /** Bytes that the character lacks, if it has several. */
  #lacking = 0
  #depth = 0
  #inText = false
  #isEscaped = false
  #state: 'before' | 'inside' | 'after' = 'before'

  /**
   * @param start where it begins, perhaps with white space
   * @param most characters that it has, white space before it aside
   */
  constructor(start: number, most: number) {
    this.#at = start
    this.#most = most
  }

  /** Behind the last byte that was read: the end, once it is open no more. */
  get at(): number {
    return this.#at
  }

  /** It began, and more of it may come. */
  get isOpen(): boolean {
    return this.#state === 'inside' && !this.#isFull
  }

  /** Reads on. @param bytes all that have come, from the first */
  read(bytes: Buffer): void {
    while (this.#at < bytes.length && this.#state !== 'after' && !this.#isFull) {
      this.#step(bytes[this.#at] as number)
      this.#at += 1
    }
  }

  get #isFull(): boolean {
    return this.#characters >= this.#most && this.#lacking === 0
  }

  #step(byte: number): void {
    const isContinued = this.#lacking > 0 && (byte & 0xc0) === 0x80
    if (isContinued) {
      this.#lacking -= 1
      return
    }
    this.#characters += 1
    this.#lacking = continuationsOf(byte)
    if (this.#inText) this.#stepInText(byte)
    else if (this.#state === 'before') this.#begin(byte)
    else if (byte === QUOTE) this.#inText = true
    else if (OPENING.has(byte)) this.#depth += 1
    else if (CLOSING.has(byte)) this.#close()
  }

  #begin(byte: number): void {
    if (isBlank(byte)) this.#most += 1
    else if (byte === 0x7b) {
      this.#depth = 1
      this.#state = 'inside'
    } else this.#state = 'after'
  }

  #stepInText(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (byte === BACKSLASH) this.#isEscaped = true
    else if (byte === QUOTE) this.#inText = false
  }

  #close(): void {
    this.#depth -= 1
    if (this.#depth === 0) this.#state = 'after'
  }
}

/** Bytes that follow the first of a character in UTF-8. */
function continuationsOf(first: number): number {
  if (first >= 0xf0) return 3
  if (first >= 0xe0) return 2
  return first >= 0xc0 ? 1 : 0
}
