/** Copies a database as it is at one moment, while others write to it. */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type Database from 'better-sqlite3'
import { asOwner, asOwnerOf, isSameOwner, ownerOf } from '../as_owner.js'
import { randomToken } from '../random.js'
import { messageOf, StoreError } from './errors.js'
import { openKept } from './kept_database.js'
import { APPLICATION_ID } from './migrations/migrate.js'

/** Milliseconds for which a draft that nobody writes to is somebody's nevertheless. */
const ABANDONED = 60 * 60 * 1000

/**
 * `VACUUM INTO` reads within one transaction, so that no writer makes it begin again, and in WAL mode
 * keeps none waiting. What was deleted does not come along, and the copy is a single file that needs no log.
 *
 * As root, SQLite opens each of the two as its folder's owner: it trusts the logs that lie beside a
 * database, which can name any file to be removed.
 *
 * @param to where a private draft is made; the caller renames it when it is good, or removes it
 * @returns the draft's path
 * @throws StoreError `database`; there is no draft then
 */
export function copyToDraft(from: string, to: string, busy_timeout_ms = 10_000): string {
  const draft = `${to}${DRAFT}${randomToken(9)}`
  const [reader, writer] = [ownerOf(from), ownerOf(to)]
  if (reader && !isSameOwner(reader, writer)) {
    throw new StoreError(
      'database',
      `${reader.folder} belongs to ${reader.name}, and ${to} to another user: take a copy of ${from} ` +
        'into a folder that only root may write to, such as /root, and name that',
    )
  }
  try {
    const db = asOwner(reader, () => openToCopy(from, busy_timeout_ms))
    try {
      asOwner(writer, () => {
        closeSync(openSync(draft, 'wx', 0o600))
        db.prepare('VACUUM INTO ?').run(draft)
        sync(draft)
      })
    } finally {
      asOwner(reader, () => {
        shortenLog(db)
        db.close()
      })
    }
    return draft
  } catch (error) {
    asOwner(writer, () => removeDraft(draft))
    throw new StoreError('database', `Cannot copy ${from} to ${to}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/**
 * While it was read, the log could only grow. Otherwise the next of the daemon's commits would put all of
 * that into the database, with everybody waiting.
 */
function shortenLog(db: Database.Database): void {
  try {
    db.pragma('wal_checkpoint(PASSIVE)')
  } catch {
    // The daemon's own will do; the copy is what was asked for.
  }
}

/** With all its files opened, by a reader who may be another user than the writer. */
function openToCopy(from: string, timeout: number): Database.Database {
  // Not read-only: whoever is the last to close a database puts its log into it, and removes it.
  const db = openKept(from, { fileMustExist: true, timeout })
  try {
    db.prepare('SELECT 1 FROM sqlite_master').get()
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Copies the bytes of a file from one user's folder to another's: of a descriptor, not of a path, and with
 * the rights of each.
 *
 * @param from a whole database that nobody has open
 * @param to where a private draft is made, as by {@link copyToDraft}
 */
export function carryToDraft(from: string, to: string): string {
  const draft = `${to}${DRAFT}${randomToken(9)}`
  const source = asOwnerOf(from, () => openFile(from))
  try {
    return asOwnerOf(to, () => {
      try {
        const target = openSync(draft, 'wx', 0o600)
        try {
          copyBytes(source, target)
          fsyncSync(target)
        } finally {
          closeSync(target)
        }
        return draft
      } catch (error) {
        removeDraft(draft)
        throw error
      }
    })
  } catch (error) {
    throw new StoreError('database', `Cannot copy ${from} to ${to}: ${messageOf(error)}`, {
      cause: error,
    })
  } finally {
    closeSync(source)
  }
}

function openFile(path: string): number {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  if (fstatSync(file).isFile()) return file
  closeSync(file)
  throw new StoreError('database', `${path} is no file`)
}

function copyBytes(from: number, to: number): void {
  const buffer = Buffer.allocUnsafe(CHUNK)
  for (let read = readSync(from, buffer); read > 0; read = readSync(from, buffer)) {
    for (let at = 0; at < read; ) at += writeSync(to, buffer, at, read - at)
  }
}

/** Bytes that are copied at once. */
const CHUNK = 1024 * 1024

const DRAFT = '-draft-'

/** With what SQLite may have left beside it. */
export function removeDraft(draft: string): void {
  for (const end of ['', '-journal', '-wal', '-shm']) rmSync(draft + end, { force: true })
}

/** Removes drafts of a file by processes that were killed. */
export function removeAbandonedDrafts(to: string, older_than_ms = ABANDONED): void {
  const begin = `${basename(to)}${DRAFT}`
  removeFiles(dirname(to), older_than_ms, (name) => name.startsWith(begin))
}

/** The same of every backup in a folder: each day's has another name. */
export function removeAbandonedBackups(folder: string): void {
  removeFiles(folder, ABANDONED, (name, size) => {
    return DRAFT_NAME.test(name) && (size === 0 || isOurs(join(folder, name)))
  })
}

function removeFiles(
  folder: string,
  older_than_ms: number,
  wanted: (name: string, size: number) => boolean,
): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (!found?.isFile() || Date.now() - found.mtimeMs < older_than_ms) continue
    if (wanted(name, found.size)) rmSync(path, { force: true })
  }
}

const DRAFT_NAME = new RegExp(`${DRAFT}[\\w-]{12}$`)

/** Where SQLite's header has the program's id: a folder may hold others' drafts too. */
const APPLICATION_ID_AT = 68

function isOurs(path: string): boolean {
  const file = openFile(path)
  try {
    const header = Buffer.alloc(APPLICATION_ID_AT + 4)
    readSync(file, header, 0, header.length, 0)
    return header.readUInt32BE(APPLICATION_ID_AT) === APPLICATION_ID
  } finally {
    closeSync(file)
  }
}

/** Bytes that a copy takes at the most. */
export function sizeOf(database: string): number {
  return [database, `${database}-wal`]
    .filter((path) => existsSync(path))
    .reduce((sum, path) => sum + statSync(path).size, 0)
}

/** @returns the bytes that the disk of this folder has for this user */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

/** Brings what was written to the disk. */
export function sync(path: string): void {
  const file = openSync(path, 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** @returns such as `12 MB` */
export function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MB`
}
