/** Numbers that look random and are the same for the same seed. */

export class Random {
  #state: number

  constructor(...seed: number[]) {
    this.#state = 0x9e3779b9
    for (const number of seed) {
      this.#state ^= number
      this.below(1)
    }
  }

  /** A whole number from 0, smaller than the bound. */
  below(bound: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }
}
