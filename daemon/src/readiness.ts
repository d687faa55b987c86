/** Whether the daemon can do what it is for: its listeners are open, and its store takes writes. */
import { describeFault } from './faults.js'
import type { Log } from './log.js'

/** Milliseconds for which an answer of the store's counts: who asks all the time costs no commit each. */
const KEPT = 1000

export class Readiness {
  readonly #log: Log
  readonly #prove: () => Promise<void>
  #phase: 'starting' | 'serving' | 'stopping' = 'starting'
  #proof: Promise<string | undefined> | undefined
  #proved_at = 0
  #told = false

  /** @param prove commits a write to the store */
  constructor(prove: () => Promise<void>, log: Log) {
    this.#prove = prove
    this.#log = log
  }

  /** The listeners are open. */
  serving(): void {
    this.#phase = 'serving'
  }

  /** No new work is taken. */
  stopping(): void {
    this.#phase = 'stopping'
  }

  /** @returns what is in the way; undefined if nothing is */
  async obstacle(): Promise<string | undefined> {
    switch (this.#phase) {
      case 'starting':
        return 'starting: the listeners are not open yet'
      case 'stopping':
        return 'stopping: no new work is taken'
      case 'serving':
        return this.#unwritable()
    }
  }

  #unwritable(): Promise<string | undefined> {
    const now = performance.now()
    if (!this.#proof || now - this.#proved_at > KEPT) {
      this.#proved_at = now
      this.#proof = this.#ask()
    }
    return this.#proof
  }

  async #ask(): Promise<string | undefined> {
    try {
      await this.#prove()
      if (this.#told) this.#log.info('the store takes writes again')
      this.#told = false
      return undefined
    } catch (error) {
      // Once: whoever asks does so again and again.
      if (!this.#told) this.#log.error(describeFault(error), 'the store takes no writes')
      this.#told = true
      return 'the store takes no writes; the log says why (disk full, read-only, or locked?)'
    }
  }
}
