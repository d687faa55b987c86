/** Opens the store with its keys, or says in an operator's words why the daemon must not start. */
import { realpathSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import type Database from 'better-sqlite3'
import { type Durability, openDatabase } from './database.js'
import type { Keyring } from './encryption.js'
import { messageOf, StoreError } from './errors.js'
import { checkKeys, keyMissing, recordedKeyIds } from './key_check.js'
import { makeKeyFile, readKeyFile } from './key_file.js'
import { migrate, SCHEMA_VERSION } from './migrations/migrate.js'
import { SqliteStore } from './sqlite.js'

/** Where the store lies. */
export interface StoreOptions {
  /** Path of the SQLite file. */
  database: string
  /** Path of the encryption keys, outside the database's folder. */
  key_file: string
  /**
   * How long a commit waits for another process that is writing. The daemon answers nobody
   * meanwhile, so rather short.
   */
  busy_timeout_ms?: number
}

/** An open store, and what was found while opening it, for the log. */
export interface OpenedStore {
  store: SqliteStore
  durability: Durability
  schema: { found: number; version: number }
  /** `made`: the file is new, and the operator must back it up. */
  encryption: { key_id: string; made: boolean }
}

/**
 * Opens the store. A new database gets a new key if there is no key file; a database that was
 * encrypted gets no other key than its own.
 *
 * @throws StoreError with what the operator can do
 */
export async function openStore(options: StoreOptions): Promise<OpenedStore> {
  const { busy_timeout_ms = 2000 } = options
  const database = resolve(options.database)
  const key_file = resolve(options.key_file)
  refuseSharedFolder(database, key_file)
  // Before the database is touched: a refused key file leaves nothing behind.
  const held = readKeyFile(key_file)
  const { db, durability } = openDatabase(database, busy_timeout_ms)
  try {
    const found = migrate(db)
    const keys = held ?? makeFirstKey(db, key_file)
    checkKeys(db, keys, key_file)
    return {
      store: new SqliteStore(db, keys),
      durability,
      schema: { found, version: SCHEMA_VERSION },
      encryption: { key_id: keys.current_id, made: held === undefined },
    }
  } catch (error) {
    db.close()
    if (error instanceof StoreError) throw error
    throw new StoreError('database', `Cannot use the database ${database}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function makeFirstKey(db: Database.Database, key_file: string): Keyring {
  const recorded = recordedKeyIds(db)
  if (recorded.length === 0) return makeKeyFile(key_file)
  // A daemon that started at the same time may have made the file since this one looked.
  const keys = readKeyFile(key_file)
  if (keys) return keys
  throw keyMissing(db, recorded, `there is no key file ${key_file}`)
}

/** Whoever copies the database's folder must not get the key with it. */
function refuseSharedFolder(database: string, key_file: string): void {
  const folder = dirname(realPath(database))
  const from_there = relative(folder, dirname(realPath(key_file)))
  if (from_there === '..' || from_there.startsWith(`..${sep}`)) return
  throw new StoreError(
    'key_file',
    `The key file ${key_file} lies in the database's folder ${folder}, and a copy of one would be ` +
      'a copy of both; set the option "key_file" to a path outside of it',
  )
}

/** Resolves symbolic links as far as the path exists already. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    // What else is wrong with the path shows when it is opened.
    if (dirname(path) === path) return path
    return join(realPath(dirname(path)), basename(path))
  }
}
