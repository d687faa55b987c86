/** Opens the store with its keys, or says in an operator's words why the daemon must not start. */
import { realpathSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { type Clock, systemClock } from '../clock.js'
import { type Durability, openDatabase } from './database.js'
import type { Keyring } from './encryption.js'
import { messageOf, StoreError } from './errors.js'
import { HeldKeys, signatureOf } from './held_keys.js'
import { makeKeyFile, readKeyFile } from './key_file.js'
import { KeyRecord } from './key_record.js'
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
  /** Tells when a key began to encrypt. */
  clock?: Clock
}

/** An open store, and what was found while opening it, for the log. */
export interface OpenedStore {
  store: SqliteStore
  durability: Durability
  /** `copy`: of the database as it was, made before its schema was brought up to date. */
  schema: { found: number; version: number; copy?: string }
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
  const { busy_timeout_ms = 2000, clock = systemClock } = options
  const database = resolve(options.database)
  const key_file = resolve(options.key_file)
  refuseSharedFolder(database, key_file)
  // Before the database is touched: a refused key file leaves nothing behind.
  const signature = signatureOf(key_file)
  const held = readKeyFile(key_file)
  const { db, durability } = openDatabase(database, busy_timeout_ms)
  try {
    const { found, copy } = migrate(db)
    const record = new KeyRecord(db)
    const keys = held ?? makeFirstKey(record, key_file)
    record.begin(keys, key_file, clock())
    return {
      store: new SqliteStore(db, new HeldKeys({ keys, signature, key_file, record, clock })),
      durability,
      schema: { found, version: SCHEMA_VERSION, ...(copy !== undefined && { copy }) },
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

function makeFirstKey(record: KeyRecord, key_file: string): Keyring {
  const recorded = record.all()
  if (recorded.length === 0) return makeKeyFile(key_file)
  // A daemon that started at the same time may have made the file since this one looked.
  const keys = readKeyFile(key_file)
  if (keys) return keys
  const key_ids = recorded.map(({ key_id }) => key_id)
  throw record.missing(key_ids, key_file, `there is no key file ${key_file}`)
}

/**
 * Whoever copies the database's folder must not get the key with it.
 *
 * @throws StoreError `key_file`
 */
export function refuseSharedFolder(database: string, key_file: string): void {
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
