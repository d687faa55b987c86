/** What an operator does with the keys, beside a daemon that may be running or not. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type Database from 'better-sqlite3'
import { asOwnerOf } from '../as_owner.js'
import type { Seconds } from '../clock.js'
import { StartError } from '../start_error.js'
import { openDatabase } from './database.js'
import type { Keyring } from './encryption.js'
import { cannot, StoreError } from './errors.js'
import {
  makeKeyFile,
  newKeyId,
  readKeyFile,
  refuseCredential,
  refuseSharedFolder,
} from './key_file.js'
import { addKeyTo, removeKeyFrom } from './key_file_change.js'
import { KeyRecord, type RecordedKey } from './key_record.js'
import { SCHEMA_VERSION, schemaVersion } from './migrations/migrate.js'
import { describeRows, noRows, type RowCounts, rowsByKey } from './sealed_tables.js'

/** Where the store and its keys are. */
export interface KeyPlace {
  database: string
  key_file: string
}

/** A key as `relyd key list` shows it. */
export interface ListedKey {
  key_id: string
  /** `new`: will encrypt when a daemon has adopted it; `missing`: needed, and not in the file. */
  state: 'encrypts' | 'new' | 'decrypts' | 'missing'
  /** When it began to encrypt, as far as the database knows. */
  since: Seconds | null
  /** How many rows are sealed with it. */
  rows: RowCounts
}

/** How long every daemon certainly takes to adopt a key that another one has adopted. */
const SETTLED: Seconds = 60

/** Longer than a daemon, which answers nobody while it waits. */
const BUSY_TIMEOUT_MS = 10_000

/**
 * @returns every key of the file and of the database, the one that encrypts first
 * @throws StoreError
 */
export function listKeys(place: KeyPlace): ListedKey[] {
  const keys = keysOf(place.key_file)
  return withDatabase(place.database, (opened) => {
    const recorded = new Map(opened?.record.all().map((key) => [key.key_id, key.recorded_at]))
    const rows: Map<string, RowCounts> = opened ? rowsByKey(opened.db) : new Map()
    const key_ids = new Set([...(keys?.ids ?? []), ...recorded.keys(), ...rows.keys()])
    return [...key_ids].map((key_id) => ({
      key_id,
      state: stateOf(key_id, keys, recorded),
      since: recorded.get(key_id) ?? null,
      rows: rows.get(key_id) ?? noRows(),
    }))
  })
}

/**
 * Adds a key that encrypts from then on, and makes the file if there is none.
 *
 * @throws StoreError for what a daemon would refuse, and then changes nothing
 */
export function addKey(place: KeyPlace): { key_id: string; made: boolean } {
  const { database, key_file } = place
  refuseSharedFolder(resolve(database), resolve(key_file))
  refuseCredential(key_file, 'is a copy')
  return withDatabase(database, (opened) => {
    const add = () => {
      const keys = keysOf(key_file)
      const recorded = opened?.record.all().map((key) => key.key_id) ?? []
      if (!keys) {
        if (recorded.length > 0) {
          throw opened?.record.missing(recorded, key_file, `there is no key file ${key_file}`)
        }
        return { key_id: asOwnerOf(key_file, () => makeKeyFile(key_file)).current_id, made: true }
      }
      opened?.record.requireAll(keys, key_file)
      let key_id = newKeyId()
      while (keys.has(key_id) || recorded.includes(key_id)) key_id = newKeyId()
      asOwnerOf(key_file, () => addKeyTo(key_file, key_id))
      return { key_id, made: false }
    }
    // The database's lock keeps two commands from losing each other's keys. Before there is a
    // database, nothing can have been encrypted with a key that is lost so.
    return opened ? opened.record.locked(add) : add()
  })
}

/**
 * Removes a key from the database, then from the file. Cut short in between, it can be run again.
 *
 * @throws StoreError `key_stays` with the reason
 */
export function retireKey(place: KeyPlace, key_id: string, now: Seconds): void {
  const { database, key_file } = place
  refuseSharedFolder(resolve(database), resolve(key_file))
  refuseCredential(key_file, 'is a copy')
  withDatabase(database, (opened) => {
    const keys = keysOf(key_file)
    if (!keys) throw new StoreError('key_file', `There is no key file ${key_file}`)
    const recorded = opened?.record.all() ?? []
    const retired = recorded.find((key) => key.key_id === key_id)
    if (!keys.has(key_id) && !retired) {
      throw stays(`There is no key ${JSON.stringify(key_id)}; \`relyd key list\` shows them`)
    }
    if (keys.current_id === key_id) {
      throw stays(`The key ${key_id} encrypts; put another in its place first: relyd key add`)
    }
    if (!opened) throw notAdopted(keys, key_file)
    const others = recorded.filter((key) => key !== retired)
    opened.record.requireAll(keys, key_file, others)
    requireSettled(others, keys, key_file, now)
    requireUnused(opened.db, key_id)
    opened.record.delete(key_id)
    try {
      // Seen only now: what a daemon wrote that was slow to adopt. From here on it can no more.
      requireUnused(opened.db, key_id)
    } catch (error) {
      if (retired) opened.record.put(retired)
      throw error
    }
    if (keys.has(key_id)) {
      opened.record.locked(() => asOwnerOf(key_file, () => removeKeyFrom(key_file, key_id)))
    }
  })
}

interface Opened {
  db: Database.Database
  record: KeyRecord
}

/** @returns undefined if there is no such file */
function keysOf(key_file: string): Keyring | undefined {
  return asOwnerOf(key_file, () => readKeyFile(key_file))
}

/** @param work gets nothing if there is no database yet, or one that no daemon has finished */
function withDatabase<T>(path: string, work: (opened: Opened | undefined) => T): T {
  const database = resolve(path)
  return asOwnerOf(database, () => (existsSync(database) ? open(database, work) : work(undefined)))
}

function open<T>(database: string, work: (opened: Opened | undefined) => T): T {
  const { db } = openDatabase(database, BUSY_TIMEOUT_MS)
  try {
    const version = schemaVersion(db)
    if (version === 0) return work(undefined)
    if (version < SCHEMA_VERSION) {
      throw new StoreError(
        'database',
        `${database} has schema version ${version}, and this relyd works with ` +
          `${SCHEMA_VERSION}: start its daemon once, which brings the database up to date`,
      )
    }
    return work({ db, record: new KeyRecord(db) })
  } catch (error) {
    if (error instanceof StoreError || error instanceof StartError) throw error
    throw cannot('use', database, error)
  } finally {
    db.close()
  }
}

function stateOf(
  key_id: string,
  keys: Keyring | undefined,
  recorded: Map<string, Seconds>,
): ListedKey['state'] {
  if (!keys?.has(key_id)) return 'missing'
  const latest = Math.max(...recorded.values())
  const adopted = recorded.get(keys.current_id) === latest
  if (key_id === keys.current_id) return adopted ? 'encrypts' : 'new'
  return !adopted && recorded.get(key_id) === latest ? 'encrypts' : 'decrypts'
}

function requireSettled(
  recorded: RecordedKey[],
  keys: Keyring,
  key_file: string,
  now: Seconds,
): void {
  const current = recorded.find((key) => key.key_id === keys.current_id)
  if (!current) throw notAdopted(keys, key_file)
  const left = current.recorded_at + SETTLED - now
  if (left <= 0) return
  throw stays(
    `The key ${keys.current_id} began to encrypt less than ${SETTLED} seconds ago, and another ` +
      `daemon may not use it yet; try again in ${left} seconds`,
  )
}

function notAdopted({ current_id }: Keyring, key_file: string): StoreError {
  return stays(
    `No daemon has adopted the key ${current_id}, the first in ${key_file}, yet; start or ` +
      'restart the daemon, whose log tells if it refuses the file',
  )
}

function requireUnused(db: Database.Database, key_id: string): void {
  const rows = rowsByKey(db).get(key_id)
  if (!rows) return
  throw stays(
    `The key ${key_id} still encrypts ${describeRows(rows)}; a running daemon re-encrypts them in ` +
      'the background: try again in a while, `relyd key list` shows how many are left',
  )
}

function stays(message: string): StoreError {
  return new StoreError('key_stays', message)
}
