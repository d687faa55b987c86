/**
 * Whether the keys in the file are the ones that the database was encrypted with.
 *
 * The database records every key that sealed something, with a canary: a known text, sealed, which
 * opens only with that very key; and when it began to encrypt.
 */
import type Database from 'better-sqlite3'
import type { Seconds } from '../clock.js'
import type { Cell, Keyring } from './encryption.js'
import { StoreError } from './errors.js'
import { cureOfKeyFile } from './key_file.js'
import { rowsByKey } from './sealed_tables.js'

const CANARY = 'relyd'

/** A key as the database knows it. */
export interface RecordedKey {
  key_id: string
  canary: Buffer
  /** When it began to encrypt. */
  recorded_at: Seconds
}

/** The record of keys of one database, whose statements are prepared once. */
export class KeyRecord {
  readonly #db: Database.Database
  readonly #all: Database.Statement<[], RecordedKey>
  readonly #has: Database.Statement<[string]>
  readonly #put: Database.Statement<[RecordedKey]>
  readonly #delete: Database.Statement<[string]>

  /** @param db with the schema of this program */
  constructor(db: Database.Database) {
    this.#db = db
    this.#all = db.prepare(
      'SELECT key_id, canary, recorded_at FROM encryption_keys ORDER BY recorded_at DESC, key_id',
    )
    this.#has = db.prepare('SELECT 1 FROM encryption_keys WHERE key_id = ?')
    this.#put = db.prepare(
      `INSERT INTO encryption_keys (key_id, canary, recorded_at)
       VALUES (@key_id, @canary, @recorded_at)
       ON CONFLICT (key_id) DO UPDATE SET recorded_at = excluded.recorded_at`,
    )
    this.#delete = db.prepare('DELETE FROM encryption_keys WHERE key_id = ?')
  }

  /** @returns the keys that the database needs, none if it is new; the latest first */
  all(): RecordedKey[] {
    return this.#all.all()
  }

  has(key_id: string): boolean {
    return this.#has.get(key_id) !== undefined
  }

  put(key: RecordedKey): void {
    this.#put.run(key)
  }

  delete(key_id: string): void {
    this.#delete.run(key_id)
  }

  /**
   * Checks the keys of a daemon that starts, and records the one that encrypts. A key that is gone
   * from the file is forgotten once another is proven right and no row needs it.
   *
   * @throws StoreError `key_missing` or `wrong_key`
   */
  begin(keys: Keyring, key_file: string, now: Seconds): void {
    // Immediate, so that of two daemons with different new keys only one can put its own first.
    this.locked(() => {
      const recorded = this.all()
      const gone = this.#examine(recorded, keys, key_file)
      const needed = gone.length < recorded.length ? this.#inUse(gone) : gone
      if (needed.length > 0) throw this.missing(needed, key_file)
      for (const key_id of gone) this.delete(key_id)
      this.#record(recorded, keys, now)
    })
  }

  /**
   * Checks the keys that a daemon at work found in a file that changed, and records the one that
   * encrypts. Every recorded key must be there: other daemons may be using it.
   *
   * @throws StoreError `key_missing` or `wrong_key`
   */
  adopt(keys: Keyring, key_file: string, now: Seconds): void {
    this.locked(() => {
      this.requireAll(keys, key_file)
      this.#record(this.all(), keys, now)
    })
  }

  /** @throws StoreError `key_missing` or `wrong_key`, unless every recorded key is there and right */
  requireAll(keys: Keyring, key_file: string, recorded = this.all()): void {
    const gone = this.#examine(recorded, keys, key_file)
    if (gone.length > 0) throw this.missing(gone, key_file)
  }

  /** The refusal to go on without keys that rows are, or may be, sealed with. */
  missing(
    key_ids: string[],
    key_file: string,
    why = `${key_file} does not hold that key`,
  ): StoreError {
    return new StoreError(
      'key_missing',
      `${this.#db.name} is encrypted with ${key_ids.join(', ')}, and ${why}; ` +
        `${cureOfKeyFile(key_file)} (a new key would not open what the lost one sealed)`,
    )
  }

  /** Runs the work while nobody else can write to the database, all of it or nothing. */
  locked<T>(work: () => T): T {
    return this.#db.transaction(work).immediate()
  }

  /** Tells a wrong key of the right name. @returns the ids of keys that are not in the file */
  #examine(recorded: RecordedKey[], keys: Keyring, key_file: string): string[] {
    for (const { key_id, canary } of recorded) {
      if (!keys.has(key_id) || opensCanary(keys, key_id, canary)) continue
      throw new StoreError(
        'wrong_key',
        `The key ${key_id} in ${key_file} is not the key of that name which ${this.#db.name} is ` +
          `encrypted with; ${cureOfKeyFile(key_file)}`,
      )
    }
    return recorded.map(({ key_id }) => key_id).filter((key_id) => !keys.has(key_id))
  }

  #inUse(key_ids: string[]): string[] {
    if (key_ids.length === 0) return []
    const rows = rowsByKey(this.#db)
    return key_ids.filter((key_id) => rows.has(key_id))
  }

  #record([latest]: RecordedKey[], keys: Keyring, now: Seconds): void {
    const key_id = keys.current_id
    if (latest?.key_id === key_id) return
    // A key that encrypts again, after another, begins anew: it is no longer known who uses which.
    this.put({ key_id, canary: keys.seal(CANARY, canaryCell(key_id)), recorded_at: now })
  }
}

/** Whether the key is the one that sealed the canary. */
export function opensCanary(keys: Keyring, key_id: string, canary: Buffer): boolean {
  try {
    // The tag decides, and no secret is compared here: the text is known to everybody.
    return keys.open(canary, canaryCell(key_id)).toString() === CANARY
  } catch (error) {
    if (error instanceof StoreError) return false
    throw error
  }
}

function canaryCell(key_id: string): Cell {
  return { table: 'encryption_keys', column: 'canary', row: key_id }
}
