/** The tables whose rows hold sealed secrets, and which key sealed how many of them. */
import type Database from 'better-sqlite3'
import { type Cell, KEY_ID } from './encryption.js'

/** Each with its primary key; the sealed column is `secrets` in all of them. */
export const sealedTables = { sites: 'oxd_id', logins: 'state', sessions: 'session_key' } as const

export type SealedTable = keyof typeof sealedTables

export type RowCounts = Record<SealedTable, number>

export const tableNames = Object.keys(sealedTables) as SealedTable[]

/** The place of a row's secrets. */
export function secretsCell(table: SealedTable, row: string | Buffer): Cell {
  return { table, column: 'secrets', row }
}

export function noRows(): RowCounts {
  return { sites: 0, logins: 0, sessions: 0 }
}

/**
 * Reads every row, so not for a daemon at work.
 *
 * @returns how many rows are sealed with each key, by its id
 */
export function rowsByKey(db: Database.Database): Map<string, RowCounts> {
  const found = new Map<string, RowCounts>()
  for (const table of tableNames) {
    // A sealed value's second byte is the length of the id that follows it.
    const counts = db.prepare<[], { key_id: string | null; rows: number }>(
      `SELECT
         CAST(substr(secrets, 3, unicode(CAST(substr(secrets, 2, 1) AS TEXT))) AS TEXT) AS key_id,
         count(*) AS rows
       FROM ${table} GROUP BY 1`,
    )
    for (const { key_id, rows } of counts.all()) {
      if (key_id === null || !KEY_ID.test(key_id)) continue
      const counted = found.get(key_id) ?? noRows()
      counted[table] = rows
      found.set(key_id, counted)
    }
  }
  return found
}

/** @returns such as `2 sites and 1 session` */
export function describeRows(counts: RowCounts): string {
  return tableNames
    .filter((table) => counts[table] > 0)
    .map((table) => `${counts[table]} ${counts[table] === 1 ? table.slice(0, -1) : table}`)
    .join(' and ')
}
