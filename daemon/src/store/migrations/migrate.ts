/** Brings a database to the schema that this program knows, one numbered step after another. */
import type Database from 'better-sqlite3'
import { StoreError } from '../errors.js'
import { openKept } from '../kept_database.js'
import { copyBeforeUpgrade, removeOtherUpgradeCopies, upgradeCopies } from '../upgrade_copy.js'
import { sql as initial } from './0001_initial.js'
import { sql as quotas } from './0002_quotas.js'
import { sql as key_recorded_at } from './0003_key_recorded_at.js'
import { sql as refresh } from './0004_refresh.js'
import { sql as named_sites } from './0005_named_sites.js'
import { sql as renewals } from './0006_renewals.js'
import { sql as unbound_logins } from './0007_unbound_logins.js'
import { sql as setup_clients } from './0008_setup_clients.js'

/** In order and never changed once released; the place in the list is the schema's version. */
const MIGRATIONS = [
  initial,
  quotas,
  key_recorded_at,
  refresh,
  named_sites,
  renewals,
  unbound_logins,
  setup_clients,
]

/** The schema's version after all migrations. */
export const SCHEMA_VERSION = MIGRATIONS.length

/** What migration 1 sets: 'rely' in ASCII. */
export const APPLICATION_ID = 0x72656c79

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
  const copy = upgradeCopies(db.name).find(({ schema }) => schema <= SCHEMA_VERSION)
  const older = copy
    ? `go back to the copy from before the upgrade: relyd restore ${copy.path}`
    : 'restore an older backup'
  throw new StoreError(
    'newer_schema',
    `${db.name} has schema version ${found}, and this relyd knows versions up to ` +
      `${SCHEMA_VERSION}: start the newer relyd that wrote it, or ${older}`,
  )
}

/** @returns every statement that makes the schema of this version */
export function schemaOfVersion(version: number): string[] {
  const db = openKept(':memory:')
  try {
    runMigrations(db, 0, version)
    return schemaOf(db)
  } finally {
    db.close()
  }
}

/** @returns every statement that made the schema of a database */
export function schemaOf(db: Database.Database): string[] {
  const statements = 'SELECT sql FROM sqlite_master WHERE sql NOT NULL'
  return db.prepare<[], string>(statements).pluck().all()
}

/** What was done to bring a database up to date. */
export interface Migrated {
  /** The version that was found, 0 for a new database. */
  found: number
  /** Path of the copy that was made before, if there was anything to lose. */
  copy?: string
}

/**
 * Runs the migrations that the database has not seen, all or none of them, after a copy was made of
 * what was there.
 *
 * @throws StoreError `newer_schema`, `no_space`
 */
export function migrate(db: Database.Database): Migrated {
  // Immediate, so that of two daemons starting the second finds the work done, and so that nobody
  // writes what the copy would lack.
  const migrated = db
    .transaction((): Migrated => {
      const found = schemaVersion(db)
      const copy =
        found > 0 && found < SCHEMA_VERSION ? copyBeforeUpgrade(db.name, found) : undefined
      runMigrations(db, found, SCHEMA_VERSION)
      return { found, ...(copy !== undefined && { copy }) }
    })
    .immediate()
  if (migrated.copy !== undefined) removeOtherUpgradeCopies(db.name, migrated.copy)
  return migrated
}

/** Brings a database from one version of the schema to another, within the caller's transaction. */
export function runMigrations(db: Database.Database, found: number, wanted: number): void {
  db.exec('CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY NOT NULL) STRICT')
  const record = db.prepare('INSERT INTO migrations (version) VALUES (?)')
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index < found || index >= wanted) continue
    db.exec(sql)
    record.run(index + 1)
  }
}
