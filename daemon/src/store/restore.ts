/** Puts a backup in the place of a database that nobody uses. */
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type Database from 'better-sqlite3'
import { asOwnerOf } from '../as_owner.js'
import { randomToken } from '../random.js'
import { StartError } from '../start_error.js'
import { copyToDraft, removeAbandonedDrafts, removeDraft, sync } from './copy.js'
import { codeOf, messageOf, StoreError } from './errors.js'
import { type Contents, inspect, type Keys } from './inspect.js'
import { openKept } from './kept_database.js'
import { readKeyFile, refuseSharedFolder } from './key_file.js'
import { inUse, occupyAlone } from './occupancy.js'
import { syncFolder } from './write_durably.js'

export interface RestoreOptions {
  /** The backup. */
  file: string
  database: string
  key_file: string
  /** For the name under which the database of before is kept. */
  now: Date
}

/** What was restored. */
export interface Restored extends Contents {
  /** Where the database of before is kept, undefined if there was none. */
  kept: string | undefined
}

/** Milliseconds for whoever uses the database to end. */
const PATIENCE = 2000

/**
 * Whether the backup could be restored here, with these keys.
 *
 * @throws StoreError with what is wrong
 */
export function checkBackup({
  file,
  key_file,
}: Pick<RestoreOptions, 'file' | 'key_file'>): Contents {
  const path = resolve(file)
  const keys = keysOf(key_file)
  return asOwnerOf(path, () => {
    if (!existsSync(path)) throw new StoreError('database', `There is no file ${path}`)
    return inspect(path, keys)
  })
}

/**
 * Checks the backup, keeps the present database under another name, and puts the backup in its place.
 * Killed at any moment it leaves the one or the other, each whole.
 *
 * @throws StoreError; the present database is as it was then
 */
export function restore({ file, database, key_file, now }: RestoreOptions): Restored {
  refuseSharedFolder(database, key_file)
  if (resolve(file) === database) {
    throw new StoreError('database', `${database} is the database itself; name a backup`)
  }
  checkBackup({ file, key_file })
  const keys = keysOf(key_file)
  try {
    return asOwnerOf(database, () => occupyAndReplace(database, { file: resolve(file), keys, now }))
  } catch (error) {
    if (error instanceof StoreError || error instanceof StartError) throw error
    throw new StoreError('database', `Cannot restore ${database}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function keysOf(file: string): Keys {
  return { file, ring: asOwnerOf(file, () => readKeyFile(file)) }
}

interface Replacement extends Pick<RestoreOptions, 'file' | 'now'> {
  keys: Keys
}

/** As the owner of the folder, so that all he finds in it is his. */
function occupyAndReplace(database: string, by: Replacement): Restored {
  // Root's own where the folders above are root's: systemd gives a StateDirectory= to its user.
  mkdirSync(dirname(database), { recursive: true, mode: 0o700 })
  const leave = occupyAlone(database, PATIENCE)
  try {
    return replace(database, by)
  } finally {
    leave()
  }
}

/** Nobody else uses the database, nor can begin to. */
function replace(database: string, { file, keys, now }: Replacement): Restored {
  const folder = dirname(database)
  removeAbandonedDrafts(database, 0)
  const draft = copyToDraft(file, database)
  try {
    // What counts is what was copied.
    const contents = inspect(draft, keys)
    prepare(draft)
    const kept = existsSync(database) ? keep(database, now) : undefined
    renameSync(draft, database)
    syncFolder(folder)
    return { kept, ...contents }
  } finally {
    removeDraft(draft)
  }
}

/** As a daemon makes its database: in WAL mode. */
function prepare(draft: string): void {
  const db = openKept(draft, { fileMustExist: true })
  try {
    db.pragma('journal_mode = WAL')
  } finally {
    db.close()
  }
  sync(draft)
}

/** Gives the present database a second name. Its first is never without a database. */
function keep(database: string, now: Date): string {
  forgetSecondNames(database)
  const kept = freeName(`${database}${KEPT}${now.toISOString().replace(/\.\d+|[:-]/g, '')}`)
  putLogAway(database, kept)
  giveSecondName(database, kept)
  syncFolder(dirname(database))
  return kept
}

/** Of a second restore in one second. */
function freeName(wanted: string): string {
  let name = wanted
  for (let n = 2; existsSync(name); n += 1) name = `${wanted}-${n}`
  return name
}

function giveSecondName(path: string, name: string): void {
  try {
    linkSync(path, name)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw error
    // A file system without second names.
    const draft = `${name}-draft-${randomToken(9)}`
    copyFileSync(path, draft)
    sync(draft)
    renameSync(draft, name)
  }
}

const KEPT = '.before-restore-'

/** Of a restore that was killed before it came to its end: the present database is no earlier one. */
function forgetSecondNames(database: string): void {
  const { ino, dev } = statSync(database)
  const begin = `${basename(database)}${KEPT}`
  for (const name of readdirSync(dirname(database)).filter((one) => one.startsWith(begin))) {
    const path = join(dirname(database), name)
    const other = statSync(path)
    if (other.ino === ino && other.dev === dev) rmSync(path)
  }
}

/**
 * Brings the write-ahead log into the database, or next to what is kept of one that cannot be opened: to
 * the new database it would be poison.
 */
function putLogAway(database: string, kept: string): void {
  const logs = ['-wal', '-journal'].filter((end) => existsSync(database + end))
  // Before SQLite sees it, which throws the log of a broken database away.
  for (const end of logs) giveSecondName(database + end, kept + end)
  let broken = false
  try {
    broken = !isTidied(database)
  } finally {
    for (const end of logs) rmSync(broken ? database + end : kept + end, { force: true })
  }
  rmSync(`${database}-shm`, { force: true })
}

/**
 * @returns whether all that was committed is in the one file now, and there is no log
 * @throws StoreError `in_use`
 */
function isTidied(database: string): boolean {
  let db: Database.Database | undefined
  try {
    db = openKept(database, { fileMustExist: true, timeout: PATIENCE })
    // SQLite does it only if nobody else has the database open, whoever that is.
    db.pragma('journal_mode = DELETE')
    return true
  } catch (error) {
    const code = String(codeOf(error))
    if (code.startsWith('SQLITE_BUSY')) throw inUse(database)
    // Only what is broken is kept as it is.
    if (!/^SQLITE_(CORRUPT|NOTADB)/.test(code)) throw error
    return false
  } finally {
    db?.close()
  }
}
