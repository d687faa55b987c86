/**
 * Whether the keys in the file are the ones that the database was encrypted with.
 *
 * The database records the id of every key that sealed something, with a canary: a known text,
 * sealed, which opens only with that very key.
 */
import type Database from 'better-sqlite3'
import { type Cell, headerOf, type Keyring } from './encryption.js'
import { StoreError } from './errors.js'

const CANARY = 'relyd'

/** @returns the ids of the keys that the database needs, none if it is new */
export function recordedKeyIds(db: Database.Database): string[] {
  return db.prepare<[], string>('SELECT key_id FROM encryption_keys').pluck().all()
}

/** The refusal to go on without a key that rows are sealed with. */
export function keyMissing(db: Database.Database, key_ids: string[], why: string): StoreError {
  return new StoreError(
    'key_missing',
    `${db.name} is encrypted with ${key_ids.join(', ')}, and ${why}; restore the key file from its ` +
      'backup (a new key would not open what the lost one sealed)',
  )
}

/**
 * Tries every recorded key, then moves the sites to the key that encrypts and records it. A key
 * that is gone from the file is forgotten once another is proven right and no row needs it.
 *
 * @throws StoreError `key_missing` or `wrong_key`
 */
export function checkKeys(db: Database.Database, keys: Keyring, key_file: string): void {
  const record = db.prepare<[string, Buffer]>(
    'INSERT INTO encryption_keys (key_id, canary) VALUES (?, ?)',
  )
  const forget = db.prepare<[string]>('DELETE FROM encryption_keys WHERE key_id = ?')
  // Immediate, so that of two daemons with different new keys only one can put its own first.
  db.transaction(() => {
    const recorded = recordedKeyIds(db)
    const gone = recorded.filter((id) => !keys.has(id))
    for (const id of recorded) if (keys.has(id)) tryCanary(db, keys, id, key_file)
    const needed = gone.length < recorded.length ? gone.filter((id) => isInUse(db, id)) : gone
    if (needed.length > 0) throw keyMissing(db, needed, `${key_file} does not hold that key`)
    for (const id of gone) forget.run(id)
    if (!recorded.includes(keys.current_id)) {
      record.run(keys.current_id, keys.seal(CANARY, canaryCell(keys.current_id)))
    }
    // Logins and sessions move by expiring; sites stay, and would need the old key for ever.
    if (recorded.some((id) => id !== keys.current_id)) resealSites(db, keys)
  }).immediate()
}

/** Tells a wrong key of the right name. */
function tryCanary(db: Database.Database, keys: Keyring, key_id: string, key_file: string): void {
  const canary = db
    .prepare<[string], Buffer>('SELECT canary FROM encryption_keys WHERE key_id = ?')
    .pluck()
    .get(key_id)
  try {
    if (canary && keys.open(canary, canaryCell(key_id)).toString() === CANARY) return
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
  }
  throw new StoreError(
    'wrong_key',
    `The key ${key_id} in ${key_file} is not the key of that name which ${db.name} is encrypted ` +
      'with; restore the key file from its backup',
  )
}

function isInUse(db: Database.Database, key_id: string): boolean {
  const header = headerOf(key_id)
  return ['sites', 'logins', 'sessions'].some((table) =>
    db
      .prepare(`SELECT 1 FROM ${table} WHERE substr(secrets, 1, ?) = ? LIMIT 1`)
      .get(header.length, header),
  )
}

function resealSites(db: Database.Database, keys: Keyring): void {
  const update = db.prepare<[Buffer, string]>('UPDATE sites SET secrets = ? WHERE oxd_id = ?')
  const sites = db.prepare<[number, Buffer], { oxd_id: string; secrets: Buffer }>(
    'SELECT oxd_id, secrets FROM sites WHERE substr(secrets, 1, ?) <> ?',
  )
  const header = headerOf(keys.current_id)
  for (const { oxd_id, secrets } of sites.all(header.length, header)) {
    const cell = { table: 'sites', column: 'secrets', row: oxd_id }
    update.run(keys.seal(keys.open(secrets, cell), cell), oxd_id)
  }
}

function canaryCell(key_id: string): Cell {
  return { table: 'encryption_keys', column: 'canary', row: key_id }
}
