/** Grants that were found good moments ago, and questions under way, so that a busy token is asked about once. */
import { createHash } from 'node:crypto'
import { TransportError } from '../errors.js'

/** Tokens that are remembered at once. */
const LARGEST = 10_000

/** Questions under way at once, as many as one site's calls to its OP: made-up tokens must not hold up more. */
const MOST_ASKED = 64

/** What bounds how long something may be kept. */
interface Expiring {
  /** Seconds since the epoch. */
  exp?: number
}

interface Kept<T> {
  grant: T
  /** Milliseconds since the epoch. */
  until: number
}

/** Of one guard, and so of one site: no site ever sees what was granted to another. */
export class GrantCache<T extends Expiring> {
  readonly #kept = new Map<string, Kept<T>>()
  readonly #asked = new Map<string, Promise<T | undefined>>()
  readonly #keep_ms: number
  readonly #now: () => number

  /**
   * @param seconds how long a grant is kept at most; never beyond its `exp`
   * @param now milliseconds since the epoch
   */
  constructor(seconds: number, now: () => number = Date.now) {
    this.#keep_ms = seconds * 1000
    this.#now = now
  }

  /**
   * What was found for a token, or finds it now. Only what is good is kept: a refusal may be a
   * matter of moments, and a failure is none of an answer.
   *
   * @throws {TransportError} `ERR_BUSY`
   */
  get(token: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    // Hashed: no token outlives its request in this process's memory.
    const key = createHash('sha256').update(token).digest('base64')
    const kept = this.#kept.get(key)
    if (kept && this.#now() < kept.until) {
      // A Map keeps the order of insertion: what is used moves to its end.
      this.#kept.delete(key)
      this.#kept.set(key, kept)
      return Promise.resolve(kept.grant)
    }
    this.#kept.delete(key)
    const asked = this.#asked.get(key)
    if (asked) return asked
    if (this.#asked.size >= MOST_ASKED) return Promise.reject(tooMany())
    const asking = this.#ask(key, find).finally(() => this.#asked.delete(key))
    this.#asked.set(key, asking)
    return asking
  }

  async #ask(key: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    // From before the question: what it answers may be as old as that.
    const asked_at = this.#now()
    const grant = await find()
    if (!grant) return undefined
    const expires = (grant.exp ?? Number.POSITIVE_INFINITY) * 1000
    if (expires <= this.#now()) return undefined
    const until = Math.min(asked_at + this.#keep_ms, expires)
    if (until > this.#now()) {
      this.#kept.set(key, { grant, until })
      const [oldest] = this.#kept.keys()
      if (this.#kept.size > LARGEST && oldest !== undefined) this.#kept.delete(oldest)
    }
    return grant
  }
}

function tooMany(): TransportError {
  const message = `${MOST_ASKED} tokens are being asked about, as many as are at once`
  return new TransportError('ERR_BUSY', message, 'not_executed')
}
