/** Sessions' tokens in SQLite: found by them, refreshed under a lease, taken out. */
import type { Seconds } from '../clock.js'
import { sha256 } from '../digest.js'
import type { Cell } from './encryption.js'
import { expiredBelow, expiryOf } from './expiring_id.js'
import type { GroupCommit } from './group_commit.js'
import { secretsCell } from './sealed_tables.js'
import type { SessionRow, Statements } from './statements.js'
import type {
  EarlierTokens,
  Lease,
  SessionOfToken,
  SessionSecrets,
  StoredSession,
  TokenKind,
} from './store.js'

/** What of the store it works with. */
export interface SessionTokensOptions {
  statements(): Statements
  group: GroupCommit
  seal(secrets: SessionSecrets, cell: Cell): Buffer
  open(secrets: Buffer, cell: Cell): SessionSecrets
  session(row: SessionRow): StoredSession
}

/** The part of the store that refreshes are made with; its methods are the interface's. */
export class SessionTokens {
  readonly #of: SessionTokensOptions

  constructor(options: SessionTokensOptions) {
    this.#of = options
  }

  async findSession(
    oxd_id: string,
    kind: TokenKind,
    token_hash: Buffer,
    now: Seconds,
  ): Promise<SessionOfToken | undefined> {
    const { sessionByAccessToken, sessionByRefreshToken, sessionByEarlierToken } =
      this.#of.statements()
    const below = expiredBelow(now)
    // Asked first: a refresh token that the OP goes on with is both.
    const earlier = sessionByEarlierToken.get(oxd_id, kind, token_hash, now, below)
    if (earlier) return { session: this.#of.session(earlier), current: false }
    const by = kind === 'access' ? sessionByAccessToken : sessionByRefreshToken
    const row = by.get(oxd_id, token_hash, below)
    return row && { session: this.#of.session(row), current: true }
  }

  async leaseSession(
    session_key: Buffer,
    lease: Lease,
    now: Seconds,
  ): Promise<{ session: StoredSession; leased: boolean } | undefined> {
    const { leasedSession, leaseSession } = this.#of.statements()
    if (expiryOf(session_key) < now) return undefined
    const known = leasedSession.get(session_key)
    if (!known) return undefined
    const { lease_token, lease_until, ...row } = known
    // Who waits for a holder asks often, and need not write each time.
    const isHeld = lease_token !== null && (lease_until ?? 0) >= now
    const leased = isHeld
      ? undefined
      : await this.#of.group.run(() => leaseSession.get({ ...lease, session_key, now }))
    return { session: this.#of.session(leased ?? row), leased: leased !== undefined }
  }

  async finishRefresh(
    session_key: Buffer,
    lease: Lease,
    change: (secrets: SessionSecrets) => SessionSecrets,
    earlier?: EarlierTokens,
  ): Promise<StoredSession | 'lost' | 'ended'> {
    return this.#changeSession(session_key, change, { lease: lease.token, release: 1 }, earlier)
  }

  async releaseSession(session_key: Buffer, { token }: Lease): Promise<void> {
    const { releaseSession } = this.#of.statements()
    await this.#of.group.run(() => releaseSession.run(session_key, token))
  }

  async dropTokens(session_key: Buffer, kinds: readonly TokenKind[]): Promise<void> {
    const change = ({ access_token, refresh_token, ...kept }: SessionSecrets) => ({
      ...kept,
      ...(access_token !== undefined && !kinds.includes('access') && { access_token }),
      ...(refresh_token !== undefined && !kinds.includes('refresh') && { refresh_token }),
    })
    const release = kinds.includes('refresh') ? 1 : 0
    await this.#changeSession(session_key, change, { lease: null, release })
  }

  /** Sealed before its commit, like everything, and so tried again where another was faster. */
  async #changeSession(
    session_key: Buffer,
    change: (secrets: SessionSecrets) => SessionSecrets,
    leased: { lease: Buffer | null; release: 0 | 1 },
    earlier?: EarlierTokens,
  ): Promise<StoredSession | 'lost' | 'ended'> {
    const { leasedSession, changeSession, putEarlierToken } = this.#of.statements()
    const cell = secretsCell('sessions', session_key)
    for (;;) {
      const known = leasedSession.get(session_key)
      if (!known) return 'ended'
      const { lease_token, lease_until: _, ...row } = known
      if (leased.lease && !lease_token?.equals(leased.lease)) {
        return row.refresh_token_hash === null ? 'ended' : 'lost'
      }
      const secrets = change(this.#of.open(row.secrets, cell))
      const changed = {
        ...row,
        access_token_hash: hashOf(secrets.access_token) ?? row.access_token_hash,
        refresh_token_hash:
          hashOf(secrets.refresh_token) ??
          (secrets.refresh_rejected ? row.refresh_token_hash : null),
        secrets: this.#of.seal(secrets, cell),
      }
      const { oxd_id } = row
      const isChanged = await this.#of.group.runSeveral(() => {
        const given = { ...changed, ...leased, was: row.secrets }
        if (changeSession.run(given).changes === 0) return false
        for (const kind of ['access', 'refresh'] as const) {
          for (const token_hash of earlier?.[kind] ?? []) {
            const forget_at = earlier?.forget_at ?? 0
            putEarlierToken.run({ oxd_id, kind, token_hash, session_key, forget_at })
          }
        }
        return true
      })
      if (isChanged) return this.#of.session(changed)
    }
  }
}

/** @returns the token's hash, by which its session is found */
export function hashOf(token: string | undefined): Buffer | undefined {
  return token === undefined ? undefined : sha256(token)
}
