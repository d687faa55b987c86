/** What a listener holds for its connections: bytes that arrived in part, and replies that nobody reads. */
import { levelReached } from '../quota.js'

interface Holder {
  /** Bytes that are held for it. */
  readonly held: number
}

const MEGABYTE = 1024 * 1024

export class Buffers {
  #limit: number
  readonly #holders = new Set<Holder>()
  #held = 0

  constructor(megabytes: number) {
    this.#limit = megabytes * MEGABYTE
  }

  /** What is held beyond it then may stay. */
  set megabytes(megabytes: number) {
    this.#limit = megabytes * MEGABYTE
  }

  add(holder: Holder): void {
    this.#holders.add(holder)
  }

  remove(holder: Holder): void {
    if (this.#holders.delete(holder)) this.#held -= holder.held
  }

  /**
   * Counts what a holder holds more, or less, than before.
   *
   * @returns whether it may: beyond the limit, nobody may hold more than an equal share
   */
  grow(holder: Holder, bytes: number): boolean {
    if (!this.#holders.has(holder)) return true
    this.#held += bytes
    if (bytes <= 0) return true
    const used = { site: holder.held, realm: this.#held, sites: this.#holders.size }
    return !levelReached({ site: Number.POSITIVE_INFINITY, realm: this.#limit }, used)
  }
}
