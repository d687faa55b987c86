/** What only the operator does with sessions in SQLite: walks over them, and deletes some. */
import type { Seconds } from '../clock.js'
import { StoreError } from './errors.js'
import { expiredBelow } from './expiring_id.js'
import type { GroupCommit } from './group_commit.js'
import { type Slice, type SliceLimits, sliceOf } from './slice.js'
import type { SessionRow, Statements } from './statements.js'
import type { ListedSession, RemovedSession, StoredSession } from './store.js'

/** What of the store it works with. */
export interface SessionAdminOptions {
  statements(): Statements
  group: GroupCommit
  session(row: SessionRow): StoredSession
}

/** Above every session's key, which begins with four bytes of seconds. */
const ABOVE = Buffer.alloc(5, 0xff)

/** The part of the store that looks after sessions; its methods are the interface's. */
export class SessionAdmin {
  readonly #of: SessionAdminOptions

  constructor(options: SessionAdminOptions) {
    this.#of = options
  }

  async listSessions(
    below: Buffer | undefined,
    now: Seconds,
    limits: SliceLimits,
  ): Promise<Slice<ListedSession>> {
    const { listSessions } = this.#of.statements()
    const { rows, more } = sliceOf(
      listSessions.iterate(below ?? ABOVE, expiredBelow(now), limits.rows),
      limits,
    )
    const parsed = rows.map((row) => ({
      ...row,
      amr: row.amr === null ? null : JSON.parse(row.amr),
    }))
    return { rows: parsed, more }
  }

  async removeSessions(session_keys: readonly Buffer[]): Promise<RemovedSession[]> {
    const { removeSession } = this.#of.statements()
    const rows = await this.#of.group.runSeveral(() =>
      session_keys.flatMap((key) => removeSession.get(key) ?? []),
    )
    return rows.map((row) => this.#removed(row))
  }

  /** A session that does not open has ended all the same. */
  #removed(row: SessionRow): RemovedSession {
    try {
      return this.#of.session(row)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return { ...row, secrets: undefined }
    }
  }
}
