/** A token bucket, so that what others send cannot make the daemon do something without end. */
import type { Clock, Seconds } from './clock.js'

export class Throttle {
  readonly #clock: Clock
  readonly #burst: number
  readonly #interval: Seconds
  #tokens: number
  #filled_at: Seconds

  /** Lets `burst` through at once, and one more every `interval` seconds. */
  constructor(clock: Clock, burst: number, interval: Seconds) {
    this.#clock = clock
    this.#burst = burst
    this.#interval = interval
    this.#tokens = burst
    this.#filled_at = clock()
  }

  /** @returns whether the caller may go ahead now */
  take(): boolean {
    const earned = Math.floor((this.#clock() - this.#filled_at) / this.#interval)
    if (earned > 0) {
      this.#tokens = Math.min(this.#burst, this.#tokens + earned)
      this.#filled_at += earned * this.#interval
    }
    if (this.#tokens === 0) return false
    this.#tokens -= 1
    return true
  }
}
