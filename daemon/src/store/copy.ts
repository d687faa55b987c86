/** Copies a database as it is at one moment, while others write to it. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { randomToken } from '../random.js'
import { messageOf, StoreError } from './errors.js'
import { openKept } from './kept_database.js'

/** Milliseconds for which a draft that nobody writes to is somebody's nevertheless. */
const ABANDONED = 60 * 60 * 1000

/**
 * `VACUUM INTO` reads within one transaction, so that no writer makes it begin again, and in WAL mode
 * keeps none waiting. What was deleted does not come along, and the copy is a single file that needs no log.
 *
 * @param to where a private draft is made; the caller renames it when it is good, or removes it
 * @returns the draft's path
 * @throws StoreError `database`; there is no draft then
 */
export function copyToDraft(from: string, to: string, busy_timeout_ms = 10_000): string {
  const draft = `${to}${DRAFT}${randomToken(9)}`
  try {
    // Not read-only: whoever is the last to close a database puts its log into it, and removes it.
    const db = openKept(from, { fileMustExist: true, timeout: busy_timeout_ms })
    try {
      closeSync(openSync(draft, 'wx', 0o600))
      db.prepare('VACUUM INTO ?').run(draft)
    } finally {
      db.close()
    }
    sync(draft)
    return draft
  } catch (error) {
    removeDraft(draft)
    throw new StoreError('database', `Cannot copy ${from} to ${to}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

const DRAFT = '-draft-'

/** With what SQLite may have left beside it. */
export function removeDraft(draft: string): void {
  for (const end of ['', '-journal', '-wal', '-shm']) rmSync(draft + end, { force: true })
}

/** Removes drafts of processes that were killed. */
export function removeAbandonedDrafts(to: string, older_than_ms = ABANDONED): void {
  const folder = dirname(to)
  const begin = `${basename(to)}${DRAFT}`
  for (const name of readdirSync(folder).filter((one) => one.startsWith(begin))) {
    const path = join(folder, name)
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (age >= older_than_ms) rmSync(path, { force: true })
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
