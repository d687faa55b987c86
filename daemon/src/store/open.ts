/** Opens the store with its keys, or says in an operator's words why the daemon must not start. */
import { resolve } from 'node:path'
import { type Clock, systemClock } from '../clock.js'
import { type Durability, openDatabase } from './database.js'
import type { Keyring } from './encryption.js'
import { cannot, StoreError } from './errors.js'
import type { OnCommit } from './group_commit.js'
import { HeldKeys, signatureOf } from './held_keys.js'
import { makeKeyFile, readKeyFile, refuseSharedFolder } from './key_file.js'
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
  onCommit?: OnCommit
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
  const { busy_timeout_ms = 2000, clock = systemClock, onCommit } = options
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
      store: new SqliteStore(
        db,
        new HeldKeys({ keys, signature, key_file, record, clock }),
        onCommit,
      ),
      durability,
      schema: { found, version: SCHEMA_VERSION, ...(copy !== undefined && { copy }) },
      encryption: { key_id: keys.current_id, made: held === undefined },
    }
  } catch (error) {
    db.close()
    if (error instanceof StoreError) throw error
    throw cannot('use', database, error)
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
