/**
 * Who uses a database: any number of daemons and commands, or the one that puts another in its place.
 *
 * SQLite's own locks belong to a file, and who waits for one when the file is replaced would go on with
 * the old file and the new one's name, and so with a write-ahead log that belongs to neither. This lock
 * belongs to the name. It is SQLite's too, on an empty file beside the database, because Node has none;
 * the kernel gives it back when its process dies.
 */
import { existsSync, linkSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type Database from 'better-sqlite3'
import { randomToken } from '../random.js'
import { codeOf, StoreError } from './errors.js'
import { openKept } from './kept_database.js'
import { writeDurably } from './write_durably.js'

/** Gives the place back. */
export type Leave = () => void

/**
 * Takes a place among those who use the database.
 *
 * @throws StoreError `replaced` while another process puts another database in its place
 */
export function occupy(database: string, busy_timeout_ms: number): Leave {
  return hold(database, busy_timeout_ms, 'BEGIN', () =>
    refusal(`${database} is being replaced by \`relyd restore\`; try again when that is done`),
  )
}

/**
 * Keeps everybody else out.
 *
 * @throws StoreError `in_use` if somebody uses it
 */
export function occupyAlone(database: string, busy_timeout_ms: number): Leave {
  return hold(database, busy_timeout_ms, 'BEGIN EXCLUSIVE', () => inUse(database))
}

/** The refusal to replace what somebody uses. */
export function inUse(database: string): StoreError {
  return refusal(
    `${database} is in use: stop the daemon first (systemctl stop relyd.service relyd.socket ` +
      "'relyd-*.socket'), and end any other program that has it open",
  )
}

function refusal(message: string): StoreError {
  return new StoreError('in_use', message)
}

function hold(
  database: string,
  timeout: number,
  begin: 'BEGIN' | 'BEGIN EXCLUSIVE',
  refused: () => StoreError,
): Leave {
  const path = `${database}-lock`
  makeLockFile(path, database)
  const db = openKept(path, { fileMustExist: true, timeout })
  try {
    // Nothing is ever written, and no journal may lie about if the process dies.
    db.pragma('journal_mode = MEMORY')
    db.exec(begin)
    // A transaction has its lock from the first look on.
    db.prepare('SELECT 1 FROM sqlite_master').get()
  } catch (error) {
    db.close()
    throw String(codeOf(error)).startsWith('SQLITE_BUSY') ? refused() : error
  }
  return () => close(db)
}

function close(db: Database.Database): void {
  if (db.open) db.close()
}

/** Never opened again but by SQLite: to close a descriptor would drop the locks of this process. */
function makeLockFile(path: string, database: string): void {
  if (existsSync(path)) return
  const { uid, gid } = statSync(existsSync(database) ? database : dirname(database))
  // Linked into place when it is complete: root's own would shut the daemon out.
  const draft = `${path}-draft-${randomToken(9)}`
  try {
    writeDurably(draft, '', process.geteuid?.() === 0 ? { uid, gid } : undefined)
    linkSync(draft, path)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
}
