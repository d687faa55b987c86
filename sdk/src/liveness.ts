/** Finds a peer that vanished without a word: a cable pulled, a NAT that forgot, a process that hangs. */

/** Milliseconds of silence while replies are due: after as many a peer is asked, and after as many again it is silent. */
export const SILENCE_MS = 5000

/** What is watched. */
export interface Watched {
  /** Whether the peer owes anything. */
  readonly owed: boolean
  /** Sends what any peer that lives answers. */
  ask(): void
  /** There was no sign of life. */
  silent(): void
}

/**
 * TCP tells of a vanished peer after a quarter of an hour only, if there was something to send. Here
 * a peer that owes replies and sends nothing is asked for a sign of life.
 */
export class Liveness {
  readonly #silence_ms: number
  readonly #watched: Watched
  #timer: NodeJS.Timeout | undefined
  #heard = false
  #asked = false

  constructor(silence_ms: number, watched: Watched) {
    this.#silence_ms = silence_ms
    this.#watched = watched
  }

  /** Something is owed from now on. */
  watch(): void {
    if (this.#timer) return
    this.#heard = false
    // After a busy turn timers fire before sockets are read; the immediate comes after reading.
    const timer = setTimeout(() => setImmediate(() => this.#look(timer)), this.#silence_ms)
    this.#timer = timer.unref()
  }

  /** Something came. */
  heard(): void {
    this.#heard = true
    this.#asked = false
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #look(timer: NodeJS.Timeout): void {
    if (this.#timer !== timer) return
    this.#timer = undefined
    if (!this.#watched.owed) {
      this.#asked = false
      return
    }
    if (this.#asked && !this.#heard) {
      this.#watched.silent()
      return
    }
    if (!this.#heard) {
      this.#asked = true
      this.#watched.ask()
    }
    this.watch()
  }
}
