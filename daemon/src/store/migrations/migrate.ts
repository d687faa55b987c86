/** Brings a database to the schema that this program knows, one numbered step after another. */
import type Database from 'better-sqlite3'
import { StoreError } from '../errors.js'
import { sql as initial } from './0001_initial.js'
import { sql as quotas } from './0002_quotas.js'
import { sql as key_recorded_at } from './0003_key_recorded_at.js'
import { sql as refresh } from './0004_refresh.js'
import { sql as named_sites } from './0005_named_sites.js'

/** In order and never changed once released; the place in the list is the schema's version. */
const MIGRATIONS = [initial, quotas, key_recorded_at, refresh, named_sites]

/** The schema's version after all migrations. */
export const SCHEMA_VERSION = MIGRATIONS.length

/** What migration 1 sets: 'rely' in ASCII. */
const APPLICATION_ID = 0x72656c79

/** @throws StoreError `database` if the file is in use by another program */
export function refuseForeignDatabase(db: Database.Database): void {
  // In this order: another daemon may be making the tables, and sets the id with the first of them.
  if (db.prepare('SELECT 1 FROM sqlite_master').get() === undefined) return
  if (db.pragma('application_id', { simple: true }) === APPLICATION_ID) return
  throw new StoreError(
    'database',
    `${db.name} is a database of another program; set the option "database" to another file`,
  )
}

/**
 * @returns the version of the schema, 0 for a new database
 * @throws StoreError `newer_schema`
 */
export function schemaVersion(db: Database.Database): number {
  const has = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").get()
  if (has === undefined) return 0
  const last = db.prepare<[], number | null>('SELECT max(version) FROM migrations').pluck()
  const found = last.get() ?? 0
  if (found <= SCHEMA_VERSION) return found
  throw new StoreError(
    'newer_schema',
    `${db.name} has schema version ${found}, and this relyd knows versions up to ` +
      `${SCHEMA_VERSION}: start the newer relyd that wrote it, or restore an older backup`,
  )
}

/**
 * Runs the migrations that the database has not seen, all or none of them.
 *
 * @returns the version that was found, 0 for a new database
 * @throws StoreError `newer_schema`
 */
export function migrate(db: Database.Database): number {
  // Immediate, so that of two daemons starting the second finds the work done.
  return db
    .transaction(() => {
      db.exec('CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY NOT NULL) STRICT')
      const found = schemaVersion(db)
      const record = db.prepare('INSERT INTO migrations (version) VALUES (?)')
      for (const [index, sql] of MIGRATIONS.entries()) {
        if (index < found) continue
        db.exec(sql)
        record.run(index + 1)
      }
      return found
    })
    .immediate()
}
