/** What a file must be to be taken for a database of relyd, whole and of a known schema. */
import type Database from 'better-sqlite3'
import type { Keyring } from './encryption.js'
import { messageOf, StoreError } from './errors.js'
import { openKept } from './kept_database.js'
import { cureOfKeyFile } from './key_file.js'
import { opensCanary } from './key_record.js'
import {
  refuseForeignDatabase,
  schemaOf,
  schemaOfVersion,
  schemaVersion,
} from './migrations/migrate.js'
import { noRows, type RowCounts, rowsByKey, tableNames } from './sealed_tables.js'

/** What a good file holds. */
export interface Contents {
  /** Version of its schema. */
  schema: number
  /** Every key that it was encrypted with, in any order. */
  key_ids: string[]
  rows: RowCounts
}

/**
 * Reads the whole file.
 *
 * @param path absolute, and nobody writes to it
 * @param keys with which it must open; not looked at unless given
 * @throws StoreError with what is wrong
 */
export function inspect(
  path: string,
  keys?: { file: string; ring: Keyring | undefined },
): Contents {
  let db: Database.Database | undefined
  try {
    db = openKept(path, { readonly: true, fileMustExist: true })
    requireRelyds(db)
    const schema = schemaVersion(db)
    requireWhole(db, schema)
    const canaries = db
      .prepare<[], Canary>('SELECT key_id, canary FROM encryption_keys ORDER BY key_id')
      .all()
    const rows = rowsByKey(db)
    if (keys) requireKeys(path, canaries, rows, keys)
    return { schema, key_ids: canaries.map(({ key_id }) => key_id), rows: sumOf(rows.values()) }
  } catch (error) {
    if (error instanceof StoreError) throw error
    throw broken(path, messageOf(error), error)
  } finally {
    db?.close()
  }
}

interface Canary {
  key_id: string
  canary: Buffer
}

function requireRelyds(db: Database.Database): void {
  refuseForeignDatabase(db)
  if (schemaVersion(db) === 0) throw broken(db.name, 'it is empty')
}

function requireWhole(db: Database.Database, schema: number): void {
  const faults = db.prepare<[], string>('PRAGMA integrity_check(1)').pluck().all()
  if (faults.join() !== 'ok') throw broken(db.name, faults.join('; '))
  // A table or trigger more or less would do its work in the daemon.
  if (schemaOf(db) !== schemaOfVersion(schema)) {
    throw broken(db.name, `its tables are not those of schema version ${schema}`)
  }
}

/** As a daemon does at its start, on any schema: at least one key is proven right, and no row lacks its own. */
function requireKeys(
  path: string,
  canaries: Canary[],
  rows: Map<string, RowCounts>,
  { file, ring }: { file: string; ring: Keyring | undefined },
): void {
  const held = canaries.filter(({ key_id }) => ring?.has(key_id))
  for (const { key_id, canary } of held) {
    if (ring && opensCanary(ring, key_id, canary)) continue
    throw new StoreError(
      'wrong_key',
      `The key ${key_id} in ${file} is not the key of that name which ${path} is encrypted with; ` +
        cureOfKeyFile(file),
    )
  }
  const needed = canaries
    .map(({ key_id }) => key_id)
    .filter((key_id) => !ring?.has(key_id) && (held.length === 0 || rows.has(key_id)))
  if (needed.length === 0) return
  const why = ring ? `${file} does not hold that key` : `there is no key file ${file}`
  throw new StoreError(
    'key_missing',
    `${path} is encrypted with ${needed.join(', ')}, and ${why}; ${cureOfKeyFile(file)}: the backup ` +
      'of the keys that was made at the time of this one, or later',
  )
}

function sumOf(all: Iterable<RowCounts>): RowCounts {
  const sum = noRows()
  for (const counts of all) {
    for (const table of tableNames) sum[table] += counts[table]
  }
  return sum
}

function broken(path: string, why: string, cause?: unknown): StoreError {
  return new StoreError('database', `${path} is no whole database of relyd: ${why}`, { cause })
}
