/** Moves what was sealed with another key to the one that encrypts now, a slice at a time. */
import { setImmediate } from 'node:timers/promises'
import type Database from 'better-sqlite3'
import { keyIdOf } from './encryption.js'
import { StoreError } from './errors.js'
import type { GroupCommit } from './group_commit.js'
import type { HeldKeys } from './held_keys.js'
import {
  noRows,
  type RowCounts,
  type SealedTable,
  sealedTables,
  secretsCell,
  tableNames,
} from './sealed_tables.js'

type RowKey = string | Buffer

interface SealedRow {
  row: RowKey
  secrets: Buffer
}

/** Rows of a commit: their crypto takes about a millisecond. */
const SLICE = 100

/** What a walk came to. */
export interface Resealed {
  moved: RowCounts
  /** How many rows could not be moved, and why the first of them could not. */
  failed: number
  first_failure?: StoreError
}

/** Walks tables in the order of their keys, which needs no index and no list of what is left. */
export class Resealer {
  readonly #keys: HeldKeys
  readonly #group: GroupCommit
  readonly #statements: Record<SealedTable, ReturnType<typeof prepare>>

  constructor(db: Database.Database, keys: HeldKeys, group: GroupCommit) {
    this.#keys = keys
    this.#group = group
    this.#statements = {
      sites: prepare(db, 'sites'),
      logins: prepare(db, 'logins'),
      sessions: prepare(db, 'sessions'),
    }
  }

  /**
   * Walks over every row. Each slice is one commit, so that the walk may end anywhere, and begin
   * again; a row that somebody changes meanwhile stays as they left it.
   *
   * @param ended asked before each slice
   * @returns undefined if it ended early
   * @throws StoreError `commit_failed` or `closed`
   */
  async run(ended: () => boolean): Promise<Resealed | undefined> {
    const result: Resealed = { moved: noRows(), failed: 0 }
    // Commits what was sealed before: a walk that began earlier could pass such a row by.
    await this.#group.run(() => {})
    for (const table of tableNames) {
      let after: RowKey | undefined = table === 'sites' ? '' : Buffer.alloc(0)
      while (after !== undefined) {
        if (ended()) return undefined
        after = await this.#slice(table, after, result)
        await setImmediate()
      }
    }
    return result
  }

  /** @returns where the next slice begins, undefined at the table's end */
  async #slice(table: SealedTable, after: RowKey, result: Resealed): Promise<RowKey | undefined> {
    const { read, update } = this.#statements[table]
    const rows = read.all(after, SLICE)
    const resealed: [Buffer, RowKey, Buffer][] = []
    for (const { row, secrets } of rows) {
      if (keyIdOf(secrets) === this.#keys.current_id) continue
      const cell = secretsCell(table, row)
      try {
        resealed.push([this.#keys.seal(this.#keys.open(secrets, cell), cell), row, secrets])
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        result.failed += 1
        result.first_failure ??= error
      }
    }
    if (resealed.length > 0) {
      result.moved[table] += await this.#group.runSeveral(() =>
        resealed.reduce((moved, given) => moved + update.run(...given).changes, 0),
      )
    }
    return rows.length < SLICE ? undefined : rows.at(-1)?.row
  }
}

function prepare(db: Database.Database, table: SealedTable) {
  const key = sealedTables[table]
  return {
    read: db.prepare<[RowKey, number], SealedRow>(
      `SELECT ${key} AS row, secrets FROM ${table} WHERE ${key} > ? ORDER BY ${key} LIMIT ?`,
    ),
    update: db.prepare<[Buffer, RowKey, Buffer]>(
      `UPDATE ${table} SET secrets = ? WHERE ${key} = ? AND secrets = ?`,
    ),
  }
}
