/** A token bucket, so that what others send cannot make the daemon do something without end. */
import type { Clock, Seconds } from './clock.js'

export class Throttle {
  readonly #clock: Clock
  #burst: number
  #interval: Seconds
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
    this.#fill()
    if (this.#tokens === 0) return false
    this.#tokens -= 1
    return true
  }

  /** Takes other limits, against which counts what was let through already. */
  change(burst: number, interval: Seconds): void {
    this.#fill()
    this.#tokens = Math.max(0, this.#tokens + burst - this.#burst)
    this.#burst = burst
    this.#interval = interval
  }

  #fill(): void {
    const earned = Math.floor((this.#clock() - this.#filled_at) / this.#interval)
    if (earned <= 0) return
    this.#tokens = Math.min(this.#burst, this.#tokens + earned)
    this.#filled_at += earned * this.#interval
  }
}
