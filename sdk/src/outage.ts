/** While no daemon answers: when to try again, and how long calls wait for it. */
import { backOffMs } from './limits.js'

/**
 * Milliseconds that calls wait, from the first attempt that failed: for a daemon that never
 * answered, which a developer wants to be told of; for one that was lost, which its supervisor
 * starts again; and for one that said it would stop, which finishes what runs (`drain_timeout`).
 * Afterwards a call fails with the next attempt that does, a second later at the most.
 */
export const PATIENCE = { unmet: 1000, lost: 5000, stopping: 15_000 }

export type Patience = typeof PATIENCE

/** One connection's attempts, however many calls wait for them. */
export class Outage {
  readonly #patience: Patience
  #kind: keyof Patience = 'unmet'
  /** Attempts since a daemon answered last, when the first one failed, and when the next may be. */
  #failed = 0
  #since = 0
  #nextAt = 0

  constructor(patience: Patience) {
    this.#patience = patience
  }

  /** A daemon answered. */
  end(): void {
    this.#failed = 0
    this.#kind = 'lost'
  }

  /** An attempt failed, or a connection ended before anything was answered over it. */
  attemptFailed(): void {
    const now = performance.now()
    if (this.#failed === 0) this.#since = now
    this.#nextAt = now + backOffMs(this.#failed)
    this.#failed += 1
  }

  /** The daemon said that it stops. */
  announced(): void {
    this.attemptFailed()
    this.#kind = 'stopping'
  }

  /** Milliseconds until the next attempt. */
  get delay_ms(): number {
    return this.#failed === 0 ? 0 : Math.max(0, this.#nextAt - performance.now())
  }

  /** Whether it has lasted so long that calls need not wait for its end. */
  get isLong(): boolean {
    return this.#failed > 0 && performance.now() - this.#since >= this.#patience[this.#kind]
  }
}
