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
import { GRACE, hashToken } from './sessions.js'
import type { Site } from './store/store.js'

const REMEMBERED = 1000

/** All answers together, as JSON. */
const REMEMBERED_CHARACTERS = 4 * 1024 * 1024

export interface PassedOnAnswer {
  answer: TokenAnswer
  /** When the OP was asked. */
  asked_at: Seconds
}

/** A realm's. */
export class PassedOn {
  readonly #clock: Clock
  /** What came of them lately: an answer, or that the OP rejects them. */
  readonly #answers = new LRUCache<string, PassedOnAnswer | CommandError>({
    max: REMEMBERED,
    maxSize: REMEMBERED_CHARACTERS,
    sizeCalculation: (one) => (one instanceof CommandError ? 1 : JSON.stringify(one).length),
    ttl: GRACE * 1000,
    // Tokens are not left in memory until somebody asks.
    ttlAutopurge: true,
  })
  readonly #running = new Map<string, Promise<PassedOnAnswer>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many are remembered. */
  get remembered(): number {
    return this.#answers.size
  }

  /** @throws CommandError with one of `refreshErrors` */
  async redeem(
    op: OpSide,
    site: Site,
    refresh_token: string,
    scope: readonly string[] | undefined,
  ): Promise<PassedOnAnswer> {
    const key = [keyOf(site, refresh_token), ...(scope ?? [])].join(' ')
    const known = this.#answers.get(key)
    if (known instanceof CommandError) throw known
    if (known) return known
    const running = this.#running.get(key)
    if (running) return running
    const asking = this.#ask(op, site, key, refresh_token, scope)
    this.#running.set(key, asking)
    return asking
  }

  /** Forgets what a token of the site has brought, or was brought by. */
  forget(site: Site, token: string): void {
    const used = keyOf(site, token)
    for (const [key, known] of this.#answers.entries()) {
      if (!key.startsWith(`${site.oxd_id} `)) continue
      const { access_token, refresh_token } =
        known instanceof CommandError ? ({} as Partial<TokenAnswer>) : known.answer
      const isThis = key.startsWith(used) || access_token === token || refresh_token === token
      if (isThis) this.#answers.delete(key)
    }
  }

  /** Waits for those under way. */
  async finish(): Promise<void> {
    await Promise.allSettled(this.#running.values())
  }

  async #ask(
    op: OpSide,
    site: Site,
    key: string,
    refresh_token: string,
    scope: readonly string[] | undefined,
  ): Promise<PassedOnAnswer> {
    try {
      const asked_at = this.#clock()
      const redeemed = await redeemRefreshToken(op, site, { refresh_token, scope })
      if (redeemed.verdict !== 'good') throw redeemed.error
      const { answer } = redeemed
      this.#answers.set(key, { answer, asked_at })
      return { answer, asked_at }
    } catch (error) {
      // What the OP rejects it would reject again.
      const isFinal = error instanceof CommandError && error.code === 'refresh_token_rejected'
      if (isFinal) this.#answers.set(key, error)
      throw error
    } finally {
      this.#running.delete(key)
    }
  }
}

function keyOf({ oxd_id }: Site, token: string): string {
  return `${oxd_id} ${hashToken(token).toString('hex')}`
}
