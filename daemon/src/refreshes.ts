/**
 * Refreshes sessions' tokens: once, however many ask at the same time, in this process by sharing a
 * promise and among daemons by a lease in the store (ADR 12).
 */
import { setMaxListeners } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { Clock, Seconds } from './clock.js'
import { CommandError } from './errors.js'
import type { EventHub } from './events.js'
import { providerOf } from './op/client.js'
import type { OpSide } from './op/op_side.js'
import { type Redeemed, redeemRefreshToken, refreshErrors } from './op/refresh.js'
import { revokeAtOp } from './op/revocation.js'
import type { TokenAnswer } from './op/token_answer.js'
import { randomBytes } from './random.js'
import {
  accessSecrets,
  GRACE,
  hashToken,
  ifRefused,
  refreshTokenOf,
  sessionGone,
} from './sessions.js'
import { expiryOf } from './store/expiring_id.js'
import type {
  EarlierToken,
  FinishedRefresh,
  Lease,
  SessionSecrets,
  Site,
  Store,
  StoredSession,
} from './store/store.js'

/** Codes that a refresh can end with. */
export const sessionRefreshErrors = [
  'invalid_session_id',
  'no_refresh_token',
  'refresh_in_progress',
  ...refreshErrors,
] as const

const LEASE_BYTES = 16

/** Seconds beyond what the OP may take: a commit, and an event loop that was late. */
const MARGIN: Seconds = 5

/** Milliseconds between looks at a lease that another daemon has. */
const FIRST_PAUSE = 25
const LONGEST_PAUSE = 500

/** Seconds after a failure during which an access token that is still good is answered at once. */
const BREATHER: Seconds = 5

/** Sessions whose failures are remembered. */
const FAILURES = 10_000

export interface RefreshesOptions {
  store: Store
  events: Pick<EventHub, 'sessionEnded'>
  clock: Clock
  /** Seconds that an OP has to answer one request. */
  op_timeout: Seconds
  /** Seconds since some time, which nobody sets forth or back. */
  monotonic?: () => Seconds
  /** Told what became of each: `ok`, `known` or the code of the error. */
  onDone?: (outcome: string) => void
  /** Waits for so many milliseconds, or until the signal. */
  pause?: (ms: number, signal: AbortSignal) => Promise<unknown>
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
  #lease: Seconds
  readonly #running = new Map<string, Promise<Refreshed>>()
  /** When sessions' refreshes last failed. */
  readonly #failures = new LRUCache<string, Seconds>({ max: FAILURES })
  readonly #stopping = new AbortController()

  constructor(options: RefreshesOptions) {
    this.#options = {
      pause,
      monotonic: () => performance.now() / 1000,
      onDone: () => {},
      ...options,
    }
    this.#lease = leaseFor(options.op_timeout)
    // All who wait listen.
    setMaxListeners(0, this.#stopping.signal)
  }

  /**
   * Takes another time limit. Leases never become shorter: those that others took before would count
   * as nobody's.
   */
  change(op_timeout: Seconds): void {
    this.#lease = Math.max(this.#lease, leaseFor(op_timeout))
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
    const key = [nameOf(session), ...(wish.scope ?? [])].join(' ')
    for (;;) {
      const running = this.#running.get(key)
      if (!running) break
      const refreshed = await running
      if (refreshed.answer || wish.isDone(refreshed.session)) return refreshed
    }
    this.#requireGoingOn()
    const { onDone } = this.#options
    const refreshing = this.#inTurn(op, site, session, wish)
      .then((refreshed) => {
        onDone(refreshed.answer ? 'ok' : 'known')
        return refreshed
      })
      .catch((error: unknown) => {
        onDone(error instanceof CommandError ? error.code : 'internal_error')
        this.#failures.set(nameOf(session), this.#options.monotonic())
        throw error
      })
      .finally(() => this.#running.delete(key))
    this.#running.set(key, refreshing)
    return refreshing
  }

  /** Whether the session's tokens could not be refreshed just now. */
  hasJustFailed(session: StoredSession): boolean {
    const failed_at = this.#failures.get(nameOf(session))
    return failed_at !== undefined && this.#options.monotonic() - failed_at < BREATHER
  }

  /** Sends those who wait for another daemon to the next one. */
  stopWaiting(): void {
    this.#stopping.abort()
  }

  /**
   * Lets those who ask an OP finish, as an answer that is cut off may be the only copy of a refresh
   * token.
   */
  async finish(): Promise<void> {
    this.stopWaiting()
    await Promise.allSettled(this.#running.values())
  }

  /** @throws CommandError */
  #requireGoingOn(): void {
    if (!this.#stopping.signal.aborted) return
    throw new CommandError('shutting_down', 'the daemon is stopping; connect again and resend')
  }

  async #inTurn(
    op: OpSide,
    site: Site,
    asked: StoredSession,
    wish: RefreshWish,
  ): Promise<Refreshed> {
    const { store, clock, monotonic, pause } = this.#options
    // The lease is a commit.
    if (!wish.isDone(asked)) requireRefreshToken(asked)
    // May take a request to the OP, which the lease is not made for.
    await providerOf(op, site)
    const give_up_at = monotonic() + 2 * this.#lease
    for (let ms = FIRST_PAUSE; monotonic() <= give_up_at; ms = Math.min(2 * ms, LONGEST_PAUSE)) {
      const now = clock()
      const lease = { token: randomBytes(LEASE_BYTES), until: now + this.#lease }
      const found = await store.leaseSession(asked.session_key, lease, now)
      if (!found) throw sessionGone()
      const { session, leased } = found
      if (leased) {
        const refreshed = await this.#asHolder(op, site, session, lease, wish)
        if (refreshed) return refreshed
      } else if (wish.isDone(session)) return { session }
      await pause(ms, this.#stopping.signal)
      this.#requireGoingOn()
    }
    throw new CommandError(
      'refresh_in_progress',
      "another daemon has been refreshing this session's tokens for too long; try again",
    )
  }

  /** @returns undefined if another's tokens were stored instead */
  async #asHolder(
    op: OpSide,
    site: Site,
    session: StoredSession,
    lease: Lease,
    wish: RefreshWish,
  ): Promise<Refreshed | undefined> {
    const { store } = this.#options
    try {
      if (wish.isDone(session)) {
        await store.releaseSession(session.session_key, lease)
        return { session }
      }
      return await this.#askOp(op, site, session, lease, wish)
    } catch (error) {
      const isRejected = error instanceof CommandError && error.code === 'refresh_token_rejected'
      // With fewer scopes it may be these that the OP rejects.
      if (isRejected && wish.scope === undefined) {
        const finished = await store.finishRefresh(session, lease, asRejected)
        if (!finished?.stored) return undefined
      } else await store.releaseSession(session.session_key, lease)
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
    const redeemed = await redeemRefreshToken(op, site, { refresh_token, scope, login })
    if (redeemed.verdict !== 'good') {
      await this.#clearUp(op, site, session, lease, redeemed)
      throw redeemed.error
    }
    const { answer } = redeemed
    const isNarrowed = scope !== undefined
    const finished = await store.finishRefresh(
      session,
      lease,
      (present) => withAnswer(present, answer, { refresh_token, asked_at, isNarrowed }),
      isNarrowed
        ? [earlierTokens(session, clock())[0], narrowedToken(session, answer, asked_at)]
        : earlierTokens(session, clock()),
    )
    if (finished?.stored) return { session: finished.session, answer }
    await revokeLeft(op, site, answer, finished)
    return undefined
  }

  /** Uses nothing of an answer but its refresh token, and that only where nothing speaks against it. */
  async #clearUp(
    op: OpSide,
    site: Site,
    session: StoredSession,
    lease: Lease,
    { verdict, refresh_token }: Exclude<Redeemed, { verdict: 'good' }>,
  ): Promise<void> {
    const { store, clock, events } = this.#options
    if (verdict === 'other_login') {
      const ended = await store.removeSession(session)
      if (ended) events.sessionEnded(ended)
      const left = refresh_token ?? requireRefreshToken(session)
      await revokeAtOp(op, site, left, 'refresh_token').catch(ifRefused)
      return
    }
    if (refresh_token === undefined) return
    if (verdict === 'unverified') {
      const [used] = earlierTokens(session, clock())
      const kept = await store.finishRefresh(session, lease, withToken(refresh_token), [used])
      if (kept?.stored) return
    }
    await revokeAtOp(op, site, refresh_token, 'refresh_token').catch(ifRefused)
  }
}

/** Tokens and keys, each a request. */
function leaseFor(op_timeout: Seconds): Seconds {
  return 2 * op_timeout + MARGIN
}

function pause(ms: number, signal: AbortSignal): Promise<unknown> {
  return setTimeout(ms, undefined, { signal }).catch(() => {})
}

function nameOf({ session_key }: StoredSession): string {
  return session_key.toString('hex')
}

/** New tokens must not live on where nobody has them, or somebody has just done away with the old ones. */
async function revokeLeft(
  op: OpSide,
  site: Site,
  { refresh_token, access_token }: TokenAnswer,
  finished: FinishedRefresh | undefined,
): Promise<void> {
  const present = finished?.session.secrets.refresh_token
  const left = present === undefined ? (refresh_token ?? access_token) : refresh_token
  if (left !== undefined && left !== present) await revokeAtOp(op, site, left).catch(ifRefused)
}

/** Those that a refresh uses and replaces: its refresh token, and its access token. */
function earlierTokens(
  session: StoredSession,
  now: Seconds,
): [refresh: EarlierToken, access: EarlierToken] {
  const forget_at = now + GRACE
  return [
    { kind: 'refresh', token_hash: hashToken(requireRefreshToken(session)), forget_at },
    { kind: 'access', token_hash: session.access_token_hash, forget_at },
  ]
}

/** An access token beside the session's own, which is known nowhere else for as long as it lasts. */
function narrowedToken(
  { session_key }: StoredSession,
  { access_token, expires_in = Number.POSITIVE_INFINITY }: TokenAnswer,
  asked_at: Seconds,
): EarlierToken {
  const forget_at = Math.min(asked_at + expires_in, expiryOf(session_key))
  return { kind: 'access', token_hash: hashToken(access_token), forget_at }
}

/** @throws CommandError `no_refresh_token`, `refresh_token_rejected` */
function requireRefreshToken({ secrets }: StoredSession): string {
  const refresh_token = refreshTokenOf(secrets)
  if (refresh_token !== undefined) return refresh_token
  if (secrets.refresh_rejected) {
    throw new CommandError(
      'refresh_token_rejected',
      'the OP has rejected the refresh token before; log in again',
    )
  }
  if (secrets.without_access_token) {
    throw new CommandError(
      'no_refresh_token',
      'the login asked for an ID Token alone (response_type id_token), so that the session has no access token; start one with code',
    )
  }
  throw new CommandError(
    'no_refresh_token',
    'the session has no good access token and no refresh token; log in again',
  )
}

function withToken(refresh_token: string) {
  return (secrets: SessionSecrets): SessionSecrets => ({ ...secrets, refresh_token })
}

function asRejected(secrets: SessionSecrets): SessionSecrets {
  return { ...secrets, refresh_rejected: true }
}

/** RFC 6749 6: what the answer leaves out stays as it was. */
function withAnswer(
  present: SessionSecrets,
  answer: TokenAnswer,
  used: { refresh_token: string; asked_at: Seconds; isNarrowed: boolean },
): SessionSecrets {
  const { refresh_rejected: _, ...before } = present
  const { scope, id_token, id_token_claims } = before
  const access = used.isNarrowed
    ? before
    : { ...(scope !== undefined && { scope }), ...accessSecrets(answer, used.asked_at) }
  return {
    ...access,
    refresh_token: answer.refresh_token ?? used.refresh_token,
    // The hint of a logout; what the login said of the End-User stays as it was.
    id_token: answer.id_token ?? id_token,
    id_token_claims,
  }
}
