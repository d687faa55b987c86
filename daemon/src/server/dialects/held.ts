/** Bytes that arrived and are not used yet, in one piece: added at the end, taken from the start. */

const NOTHING = Buffer.alloc(0)

/** Their memory stays near their number, however small the pieces are in which they come. */
export class Held {
  #memory: Buffer = NOTHING
  /** Whether the memory is not the chunk's that came. */
  #isOwn = false
  #start = 0
  #end = 0
  #taken = 0

  /** Bytes that were taken so far. */
  get taken(): number {
    return this.#taken
  }

  get length(): number {
    return this.#end - this.#start
  }

  get bytes(): Buffer {
    return this.#memory.subarray(this.#start, this.#end)
  }

  add(chunk: Buffer): void {
    if (this.length === 0) {
      this.#set(chunk, chunk.length, false)
      return
    }
    const length = this.length + chunk.length
    if (!this.#isOwn || this.#end + chunk.length > this.#memory.length) {
      this.#move(Math.max(length, 2 * this.length))
    }
    chunk.copy(this.#memory, this.#end)
    this.#end += chunk.length
  }

  take(bytes: number): void {
    this.#start += bytes
    this.#taken += bytes
  }

  /** Lets go of memory that what is left does not need, such as that of a chunk. */
  settle(): void {
    if (this.length === 0) this.#set(NOTHING, 0, true)
    else if (!this.#isOwn || this.#memory.length > 2 * this.length + 64) this.#move(this.length)
  }

  #move(size: number): void {
    const memory = Buffer.allocUnsafeSlow(size)
    this.#set(memory, this.bytes.copy(memory), true)
  }

  #set(memory: Buffer, length: number, isOwn: boolean): void {
    this.#memory = memory
    this.#start = 0
    this.#end = length
    this.#isOwn = isOwn
  }
}
