/**
 * Refreshes sessions' tokens: once, however many ask at the same time, in this process by sharing a
 * promise and among daemons by a lease in the store (ADR 12).
 */
import { setTimeout } from 'node:timers/promises'
import type { Clock, Seconds } from './clock.js'
import { CommandError } from './errors.js'
import { providerOf } from './op/client.js'
import type { OpSide } from './op/op_side.js'
import { redeemRefreshToken, refreshErrors } from './op/refresh.js'
import { revokeAtOp } from './op/revocation.js'
import type { TokenAnswer } from './op/token_answer.js'
import { PassedOn } from './passed_on.js'
import { randomBytes } from './random.js'
import { accessSecrets, hashToken, sessionGone } from './sessions.js'
import type { Lease, SessionSecrets, Site, Store, StoredSession } from './store/store.js'

/** Codes that a refresh can end with. */
export const sessionRefreshErrors = [
  'invalid_session_id',
  'no_refresh_token',
  'refresh_in_progress',
  ...refreshErrors,
] as const

/** Seconds for which a token that a refresh used or replaced still finds its session. */
const GRACE: Seconds = 60

const LEASE_BYTES = 16

/** Seconds beyond what the OP may take: a commit, and an event loop that was late. */
const MARGIN: Seconds = 5

/** Milliseconds between looks at a lease that another daemon has. */
const FIRST_PAUSE = 25
const LONGEST_PAUSE = 500

export interface RefreshesOptions {
  store: Store
  clock: Clock
  /** Seconds that an OP has to answer one request. */
  op_timeout: Seconds
  /** Waits for so many milliseconds. */
  pause?: (ms: number) => Promise<unknown>
}

export interface RefreshWish {
  /** Whether what the store has will do, so that the OP need not be asked. */
  isDone(session: StoredSession): boolean
  /** Fewer scopes than were granted, for one access token beside the session's. */
  scope?: readonly string[] | undefined
}

export interface Refreshed {
  session: StoredSession
  /** What the OP answered; absent where the store's tokens did. */
  answer?: TokenAnswer
}

export class Refreshes {
  readonly #options: Required<RefreshesOptions>
  /** Tokens and keys, each a request. */
  readonly #lease: Seconds
  readonly #running = new Map<string, Promise<Refreshed>>()
  #finishing = false
  /** For refresh tokens that no session has. */
  readonly passed_on: PassedOn

  constructor(options: RefreshesOptions) {
    this.#options = { pause: setTimeout, ...options }
    this.passed_on = new PassedOn(options.clock, GRACE)
    this.#lease = 2 * options.op_timeout + MARGIN
  }

  /**
   * Refreshes the session's tokens, unless what the store has will do by the time it is this
   * caller's turn.
   *
   * @param session as it was found
   * @throws CommandError with one of {@link sessionRefreshErrors}
   */
  async refresh(
    op: OpSide,
    site: Site,
    session: StoredSession,
    wish: RefreshWish,
  ): Promise<Refreshed> {
    const key = [session.session_key.toString('hex'), ...(wish.scope ?? [])].join(' ')
    for (;;) {
      const running = this.#running.get(key)
      if (!running) break
      const refreshed = await running
      if (refreshed.answer || wish.isDone(refreshed.session)) return refreshed
    }
    const refreshing = this.#inTurn(op, site, session.session_key, wish).finally(() =>
      this.#running.delete(key),
    )
    this.#running.set(key, refreshing)
    return refreshing
  }

  /**
   * Lets those who ask an OP finish, as an answer that is cut off may be the only copy of a refresh
   * token, and those who wait for another daemon no longer.
   */
  async finish(): Promise<void> {
    this.#finishing = true
    await Promise.allSettled([...this.#running.values(), this.passed_on.finish()])
  }

  async #inTurn(
    op: OpSide,
    site: Site,
    session_key: Buffer,
    wish: RefreshWish,
  ): Promise<Refreshed> {
    const { store, clock, pause } = this.#options
    // May take a request to the OP, which the lease is not made for.
    await providerOf(op, site)
    const give_up_at = clock() + 2 * this.#lease
    for (let ms = FIRST_PAUSE; clock() <= give_up_at; ms = Math.min(2 * ms, LONGEST_PAUSE)) {
      const now = clock()
      const lease = { token: randomBytes(LEASE_BYTES), until: now + this.#lease }
      const found = await store.leaseSession(session_key, lease, now)
      if (!found) throw sessionGone()
      const { session, leased } = found
      if (leased) {
        const refreshed = await this.#asHolder(op, site, session, lease, wish)
        if (refreshed) return refreshed
      } else if (wish.isDone(session)) return { session }
      if (this.#finishing) {
        throw new CommandError('shutting_down', 'the daemon is stopping; connect again and resend')
      }
      await pause(ms)
    }
    throw new CommandError(
      'refresh_in_progress',
      "another daemon has been refreshing this session's tokens for too long; try again",
    )
  }

  /** @returns undefined if the lease was lost */
  async #asHolder(
    op: OpSide,
    site: Site,
    session: StoredSession,
    lease: Lease,
    wish: RefreshWish,
  ): Promise<Refreshed | undefined> {
    const { store } = this.#options
    const { session_key } = session
    try {
      if (wish.isDone(session)) {
        await store.releaseSession(session_key, lease)
        return { session }
      }
      return await this.#askOp(op, site, session, lease, wish)
    } catch (error) {
      await this.#giveUp(session, lease, error)
      throw error
    }
  }

  async #askOp(
    op: OpSide,
    site: Site,
    session: StoredSession,
    lease: Lease,
    { scope }: RefreshWish,
  ): Promise<Refreshed | undefined> {
    const { store, clock } = this.#options
    const refresh_token = requireRefreshToken(session)
    const asked_at = clock()
    const login = session.secrets.id_token_claims
    const answer = await redeemRefreshToken(op, site, { refresh_token, scope, login })
    const isNarrowed = scope !== undefined
    const stored = await store.finishRefresh(
      session.session_key,
      lease,
      (present) => withAnswer(present, answer, { refresh_token, asked_at, isNarrowed }),
      {
        refresh: [hashToken(refresh_token)],
        access: [isNarrowed ? hashToken(answer.access_token) : session.access_token_hash],
        forget_at: clock() + GRACE,
      },
    )
    if (typeof stored === 'object') return { session: stored, answer }
    if (stored === 'ended') {
      // New tokens must not live on where somebody has just done away with the old ones.
      await revokeAtOp(op, site, answer.refresh_token ?? answer.access_token).catch(() => {})
    }
    return undefined
  }

  /** Leaves the session as it was, or without the refresh token that the OP does not take. */
  async #giveUp(session: StoredSession, lease: Lease, error: unknown): Promise<void> {
    const { store } = this.#options
    const isRejected = error instanceof CommandError && error.code === 'refresh_token_rejected'
    if (isRejected) {
      await store.finishRefresh(session.session_key, lease, withoutRefreshToken)
    } else await store.releaseSession(session.session_key, lease)
  }
}

/** @throws CommandError `no_refresh_token`, `refresh_token_rejected` */
function requireRefreshToken({ secrets }: StoredSession): string {
  if (secrets.refresh_token !== undefined) return secrets.refresh_token
  if (secrets.refresh_rejected) {
    throw new CommandError(
      'refresh_token_rejected',
      'the OP has rejected the refresh token before; log in again',
    )
  }
  throw new CommandError(
    'no_refresh_token',
    'the session has no good access token and no refresh token; log in again',
  )
}

function withoutRefreshToken({ refresh_token: _, ...kept }: SessionSecrets): SessionSecrets {
  return { ...kept, refresh_rejected: true }
}

/** RFC 6749 6: what the answer leaves out stays as it was. */
function withAnswer(
  present: SessionSecrets,
  answer: TokenAnswer,
  used: { refresh_token: string; asked_at: Seconds; isNarrowed: boolean },
): SessionSecrets {
  const { scope, id_token, id_token_claims } = present
  const access = used.isNarrowed
    ? present
    : { ...(scope !== undefined && { scope }), ...accessSecrets(answer, used.asked_at) }
  return {
    ...access,
    refresh_token: answer.refresh_token ?? used.refresh_token,
    // The hint of a logout; what the login said of the End-User stays as it was.
    id_token: answer.id_token ?? id_token,
    id_token_claims,
  }
}
