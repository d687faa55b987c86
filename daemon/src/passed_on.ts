/**
 * Refresh tokens that no session has, redeemed for sites that keep them longer than sessions last: once
 * for all who come with the same one within a minute, as far as this process remembers.
 */
import { LRUCache } from 'lru-cache'
import type { Clock, Seconds } from './clock.js'
import { CommandError } from './errors.js'
import type { OpSide } from './op/op_side.js'
import { redeemRefreshToken } from './op/refresh.js'
import type { TokenAnswer } from './op/token_answer.js'
import { hashToken } from './sessions.js'
import type { Site } from './store/store.js'

const REMEMBERED = 1000

export interface PassedOnAnswer {
  answer: TokenAnswer
  /** When the OP was asked. */
  asked_at: Seconds
}

export class PassedOn {
  readonly #clock: Clock
  readonly #answers: LRUCache<string, Promise<PassedOnAnswer>>
  readonly #running = new Set<Promise<PassedOnAnswer>>()

  /** @param grace seconds for which an answer is remembered */
  constructor(clock: Clock, grace: Seconds) {
    this.#clock = clock
    this.#answers = new LRUCache({ max: REMEMBERED, ttl: grace * 1000 })
  }

  /** @throws CommandError with one of `refreshErrors` */
  redeem(
    op: OpSide,
    site: Site,
    refresh_token: string,
    scope: readonly string[] | undefined,
  ): Promise<PassedOnAnswer> {
    const hash = hashToken(refresh_token).toString('hex')
    const key = [site.oxd_id, hash, ...(scope ?? [])].join(' ')
    const known = this.#answers.get(key)
    if (known) return known
    const asked_at = this.#clock()
    const asking = redeemRefreshToken(op, site, { refresh_token, scope }).then((answer) => ({
      answer,
      asked_at,
    }))
    this.#answers.set(key, asking)
    this.#running.add(asking)
    asking
      .catch((error: unknown) => {
        // What the OP rejects it would reject again.
        const isFinal = error instanceof CommandError && error.code === 'refresh_token_rejected'
        if (!isFinal) this.#answers.delete(key)
      })
      .finally(() => this.#running.delete(asking))
    return asking
  }

  /** Waits for those under way. */
  async finish(): Promise<void> {
    await Promise.allSettled(this.#running)
  }
}
