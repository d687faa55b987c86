/** Makes a backup of a database, beside a daemon that may be running or not. */
import { lstatSync, realpathSync, renameSync, statSync } from 'node:fs'
import { dirname, relative, resolve, sep } from 'node:path'
import { asOwnerOf, isSameOwner, ownerOf } from '../as_owner.js'
import {
  carryToDraft,
  copyToDraft,
  freeBytes,
  megabytes,
  removeAbandonedBackups,
  removeAbandonedDrafts,
  removeDraft,
  sizeOf,
} from './copy.js'
import { StoreError } from './errors.js'
import { type Contents, inspect } from './inspect.js'
import { openKept } from './kept_database.js'
import { refuseForeignDatabase } from './migrations/migrate.js'
import { syncFolder } from './write_durably.js'

export interface BackupOptions {
  database: string
  key_file: string
  /** Where the backup shall be. */
  file: string
  /** Whether a backup that is there already is replaced. */
  force: boolean
}

/** A backup that was made. */
export interface Backup extends Contents {
  /** Absolute. */
  file: string
  bytes: number
}

/**
 * Copies, checks, and only then gives the copy its name: killed at any moment, it leaves a whole backup
 * or none.
 *
 * @throws StoreError
 */
export function makeBackup({ database, key_file, file, force }: BackupOptions): Backup {
  const target = resolve(file)
  refuseForeignFolder(target, database)
  asOwnerOf(target, () => {
    requireFolder(dirname(target))
    refuseTarget(target, database, force)
    removeAbandonedBackups(dirname(target))
  })
  refuseBesideKeys(target, key_file)
  if (!statSync(database, { throwIfNoEntry: false })) {
    throw new StoreError('database', `There is no database ${database} yet, and nothing to back up`)
  }
  const { contents, draft } = draftFor(target, database)
  return asOwnerOf(target, () => {
    try {
      const { size } = statSync(draft)
      refuseTarget(target, database, force)
      renameSync(draft, target)
      syncFolder(dirname(target))
      return { file: target, bytes: size, ...contents }
    } finally {
      removeDraft(draft)
    }
  })
}

/** @returns a checked copy beside the target */
function draftFor(target: string, database: string): { contents: Contents; draft: string } {
  if (isSameOwner(ownerOf(target), ownerOf(database))) return checkedCopy(database, target)
  // SQLite works for the database's owner alone; root then takes the bytes to its own folder.
  const aside = `${database}-backup`
  requireSpace(database, dirname(target))
  asOwnerOf(database, () => removeAbandonedDrafts(aside))
  const { contents, draft } = checkedCopy(database, aside)
  try {
    return { contents, draft: carryToDraft(draft, target) }
  } finally {
    asOwnerOf(database, () => removeDraft(draft))
  }
}

function checkedCopy(database: string, to: string): { contents: Contents; draft: string } {
  requireSpace(database, dirname(to))
  const draft = copyToDraft(database, to)
  return asOwnerOf(to, () => {
    try {
      return { contents: inspectCopy(draft, database), draft }
    } catch (error) {
      removeDraft(draft)
      throw error
    }
  })
}

function requireSpace(database: string, folder: string): void {
  const [needed, free] = [sizeOf(database), freeBytes(folder)]
  if (free >= needed) return
  throw new StoreError(
    'no_space',
    `The backup may take ${megabytes(needed)}, and ${folder} has ${megabytes(free)} left`,
  )
}

/** What is wrong with the copy is wrong with what was copied. */
function inspectCopy(draft: string, database: string): Contents {
  try {
    return inspect(draft)
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    throw new StoreError(error.code, error.message.replace(draft, database), { cause: error })
  }
}

/** Only for root, whom others could lead elsewhere, or who would leave them a backup that they cannot read. */
function refuseForeignFolder(target: string, database: string): void {
  const owner = ownerOf(target)
  if (!owner || isSameOwner(owner, ownerOf(database))) return
  throw new StoreError(
    'database',
    `${owner.folder} belongs to ${owner.name}; choose a folder that only root may write to, such as ` +
      '/var/backups/relyd',
  )
}

function requireFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return
  throw new StoreError('database', `There is no folder ${folder}; make it, for root or relyd alone`)
}

function refuseTarget(target: string, database: string, force: boolean): void {
  const there = lstatSync(target, { throwIfNoEntry: false })
  if (!there) return
  if (!force) {
    throw new StoreError(
      'database',
      `${target} exists; choose another name, or replace it with --force`,
    )
  }
  const present = statSync(database, { throwIfNoEntry: false })
  if (!there.isFile() || (present?.ino === there.ino && present.dev === there.dev)) {
    throw new StoreError(
      'database',
      `${target} is no backup, and is not replaced; choose another name`,
    )
  }
  requireBackup(target)
}

/** A mistyped name must not cost the file of that name. */
function requireBackup(target: string): void {
  const db = openKept(target, { readonly: true, fileMustExist: true })
  try {
    refuseForeignDatabase(db)
  } catch (cause) {
    const message = `${target} is no backup of relyd, and is not replaced; choose another name`
    throw new StoreError('database', message, { cause })
  } finally {
    db.close()
  }
}

/** Whoever takes the backup's folder away must not get the keys with it. */
function refuseBesideKeys(target: string, key_file: string): void {
  const keys = statSync(key_file, { throwIfNoEntry: false })
  if (!keys) return
  const from_there = relative(realpathSync(dirname(target)), dirname(realpathSync(key_file)))
  if (from_there === '..' || from_there.startsWith(`..${sep}`)) return
  throw new StoreError(
    'key_file',
    `The key file ${key_file} lies in the folder of ${target}, and a copy of one would be a copy of ` +
      'both; choose another folder for backups',
  )
}
