/** Opens the SQLite file: private to the daemon, and durable at every commit. */
import { chmodSync, closeSync, existsSync, linkSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type Database from 'better-sqlite3'
import { randomToken } from '../random.js'
import { cannot, codeOf, StoreError } from './errors.js'
import { openKept } from './kept_database.js'
import { refuseForeignDatabase } from './migrations/migrate.js'
import { type Leave, occupy } from './occupancy.js'

const FULL = 2

/** Bytes that the write-ahead log keeps on the disk when it begins anew. */
const LOG_BYTES = 64 * 1024 * 1024

/** What SQLite answered when it was asked how it commits, for the log. */
export interface Durability {
  journal_mode: string
  /** 2 is FULL: a commit has reached the disk. */
  synchronous: number
}

/**
 * Opens the database, or makes it: the file 0600, missing folders 0700.
 *
 * @param path absolute
 * @throws StoreError `database`
 */
export function openDatabase(
  path: string,
  busy_timeout_ms: number,
): { db: Database.Database; durability: Durability } {
  let db: Database.Database | undefined
  let leave: Leave | undefined
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    leave = occupy(path, busy_timeout_ms)
    createPrivately(path)
    db = leavingAtClose(openKept(path, { fileMustExist: true, timeout: busy_timeout_ms }), leave)
    refuseForeignDatabase(db)
    makePrivate(path)
    return { db, durability: makeDurable(db) }
  } catch (error) {
    db?.close()
    leave?.()
    if (error instanceof StoreError) throw error
    throw cannot('open', path, error)
  }
}

/** A database whose place is given back when it is closed. */
function leavingAtClose(db: Database.Database, leave: Leave): Database.Database {
  const close = db.close.bind(db)
  return Object.assign(db, {
    close() {
      close()
      leave()
      return db
    },
  })
}

/**
 * Sets WAL and FULL, and reads back what holds: better-sqlite3 is compiled with NORMAL as WAL's
 * default, with which a power cut undoes logins that were already answered.
 *
 * @throws StoreError `database` if SQLite did not take them
 */
export function makeDurable(db: Pick<Database.Database, 'name' | 'pragma'>): Durability {
  const journal_mode = String(db.pragma('journal_mode = WAL', { simple: true }))
  db.pragma('synchronous = FULL')
  // A log that grew while somebody read for long, as a backup does, becomes small again.
  db.pragma(`journal_size_limit = ${LOG_BYTES}`)
  const synchronous = Number(db.pragma('synchronous', { simple: true }))
  if (journal_mode === 'wal' && synchronous === FULL) return { journal_mode, synchronous }
  throw new StoreError(
    'database',
    `SQLite cannot commit durably to ${db.name}: journal_mode is ${journal_mode} and synchronous ` +
      `is ${synchronous}, where wal and ${FULL} are needed; put the database on a local disk`,
  )
}

/**
 * Makes an empty database with WAL switched on aside and links it into place, because daemons that
 * start together and switch it on in one file get `database is locked`, whatever their timeout.
 */
function createPrivately(path: string): void {
  if (existsSync(path)) return
  const draft = `${path}-draft-${randomToken(9)}`
  try {
    // SQLite gives the WAL and the shared memory the mode of the database.
    closeSync(openSync(draft, 'wx', 0o600))
    const db = openKept(draft)
    db.pragma('journal_mode = WAL')
    db.close()
    linkSync(draft, path)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

// By path: closing a descriptor of the file would drop the locks that SQLite holds in this process.
function makePrivate(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    try {
      chmodSync(file, 0o600)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
}
