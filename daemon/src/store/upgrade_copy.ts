/** The copy of a database that is made before its schema is changed: the way back to the relyd of before. */
import { readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import {
  copyToDraft,
  freeBytes,
  megabytes,
  removeAbandonedDrafts,
  removeDraft,
  sizeOf,
} from './copy.js'
import { StoreError } from './errors.js'
import { syncFolder } from './write_durably.js'

/** Such as `relyd.db.schema-4`. */
const ENDING = /^\.schema-([1-9]\d{0,8})$/

/** A copy, and the version of its schema. */
export interface UpgradeCopy {
  schema: number
  path: string
}

/**
 * Copies what is there while the caller's transaction keeps everybody from writing.
 *
 * @returns the copy's path
 * @throws StoreError `no_space`, `database`
 */
export function copyBeforeUpgrade(database: string, schema: number): string {
  const folder = dirname(database)
  const path = `${database}.schema-${schema}`
  // Nobody else can be making one now.
  removeAbandonedDrafts(path, 0)
  // The copy, and as much again for what the upgrade writes before it is done.
  const needed = 2 * sizeOf(database)
  const free = freeBytes(folder)
  if (free < needed) {
    throw new StoreError(
      'no_space',
      `To bring ${database} up to date, ${folder} needs ${megabytes(needed)} for a copy of it and for ` +
        `the work, and has ${megabytes(free)} left: make room, then start relyd again; ` +
        'nothing was changed',
    )
  }
  const draft = copyToDraft(database, path)
  try {
    renameSync(draft, path)
    syncFolder(folder)
  } finally {
    removeDraft(draft)
  }
  return path
}

/** Leaves the newest alone; only once it is no longer needed, for the upgrade is done. */
export function removeOtherUpgradeCopies(database: string, newest: string): void {
  for (const { path } of upgradeCopies(database)) {
    if (path !== newest) rmSync(path, { force: true })
  }
}

/** @returns those that are there, of the highest version first */
export function upgradeCopies(database: string): UpgradeCopy[] {
  const folder = dirname(database)
  const name = basename(database)
  return readdirSync(folder)
    .flatMap((file): UpgradeCopy[] => {
      const [, schema] = (file.startsWith(name) && ENDING.exec(file.slice(name.length))) || []
      return schema === undefined ? [] : [{ schema: Number(schema), path: join(folder, file) }]
    })
    .sort((a, b) => b.schema - a.schema)
}
