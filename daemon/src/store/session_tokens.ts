/** Sessions' tokens in SQLite: found by them, refreshed under a lease, taken out. */
import type { Seconds } from '../clock.js'
import { sha256 } from '../digest.js'
import type { Cell } from './encryption.js'
import { expiredBelow, expiryOf } from './expiring_id.js'
import type { GroupCommit } from './group_commit.js'
import { secretsCell } from './sealed_tables.js'
import type { LeaseRow, SessionRow, Statements } from './statements.js'
import type {
  EarlierToken,
  FinishedRefresh,
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
    const latest = now + 2 * (lease.until - now)
    const until = lease_token === null ? 0 : (lease_until ?? 0)
    // Who waits for a holder asks often, and need not write each time.
    const isHeld = until >= now && until <= latest
    const leased = isHeld
      ? undefined
      : await this.#of.group.run(() => leaseSession.get({ ...lease, session_key, now, latest }))
    return { session: this.#of.session(leased ?? row), leased: leased !== undefined }
  }

  async finishRefresh(
    asked: StoredSession,
    lease: Lease,
    change: (secrets: SessionSecrets) => SessionSecrets,
    earlier: readonly EarlierToken[] = [],
  ): Promise<FinishedRefresh | undefined> {
    let stored = false
    const session = await this.#changeSession(asked.session_key, true, earlier, (present, row) => {
      stored = row.lease_token?.equals(lease.token) || isSame(present, row, asked)
      return stored ? change(present) : undefined
    })
    return session && { session, stored }
  }

  async releaseSession(session_key: Buffer, { token }: Lease): Promise<void> {
    const { releaseSession } = this.#of.statements()
    await this.#of.group.run(() => releaseSession.run(session_key, token))
  }

  async dropTokens(
    session_key: Buffer,
    kinds: readonly TokenKind[],
  ): Promise<SessionSecrets | undefined> {
    let had: SessionSecrets | undefined
    const endsLease = kinds.includes('refresh')
    await this.#changeSession(session_key, endsLease, [], (present) => {
      had = present
      const { access_token, refresh_token, ...kept } = present
      return {
        ...kept,
        ...(access_token !== undefined && !kinds.includes('access') && { access_token }),
        ...(refresh_token !== undefined && !kinds.includes('refresh') && { refresh_token }),
      }
    })
    return had
  }

  /**
   * Sealed before its commit, like everything, and so tried again where another was faster.
   *
   * @param change nothing is written where it answers undefined
   * @returns the session as it is then, if it is there
   */
  async #changeSession(
    session_key: Buffer,
    endsLease: boolean,
    earlier: readonly EarlierToken[],
    change: (secrets: SessionSecrets, row: LeasedRow) => SessionSecrets | undefined,
  ): Promise<StoredSession | undefined> {
    const { leasedSession, changeSession, putEarlierToken } = this.#of.statements()
    const cell = secretsCell('sessions', session_key)
    for (;;) {
      const known = leasedSession.get(session_key)
      if (!known) return undefined
      const secrets = change(this.#of.open(known.secrets, cell), known)
      const { lease_token: _, lease_until: __, ...row } = known
      if (!secrets) return this.#of.session(row)
      const changed = {
        ...row,
        access_token_hash: hashOf(secrets.access_token) ?? row.access_token_hash,
        refresh_token_hash: hashOf(secrets.refresh_token) ?? null,
        secrets: this.#of.seal(secrets, cell),
      }
      const { oxd_id } = row
      const isChanged = await this.#of.group.runSeveral(() => {
        const given = { ...changed, release: endsLease ? 1 : 0, was: row.secrets } as const
        if (changeSession.run(given).changes === 0) return false
        for (const token of earlier) putEarlierToken.run({ oxd_id, session_key, ...token })
        return true
      })
      if (isChanged) return this.#of.session(changed)
    }
  }
}

type LeasedRow = SessionRow & LeaseRow

/** Whether nobody has stored or taken out tokens since; the row of an old schema has no hash of its refresh token. */
function isSame(present: SessionSecrets, row: SessionRow, asked: StoredSession): boolean {
  const { refresh_token } = asked.secrets
  return (
    refresh_token !== undefined &&
    present.refresh_token === refresh_token &&
    row.access_token_hash.equals(asked.access_token_hash)
  )
}

/** @returns the token's hash, by which its session is found */
export function hashOf(token: string | undefined): Buffer | undefined {
  return token === undefined ? undefined : sha256(token)
}
