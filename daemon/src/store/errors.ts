/** The one way in which the store refuses, in words fit for an operator's terminal. */

/**
 * - `database`: the file cannot serve, or not durably
 * - `in_use`: another process has the database open, or is replacing it
 * - `no_space`: the disk has no room for a copy
 * - `newer_schema`: a later relyd has been at the database
 * - `key_file`: the file of keys cannot be used as it is
 * - `key_missing`, `wrong_key`: the database needs a key that the file does not have
 * - `key_stays`: the key cannot be retired, or not yet
 * - `tampered`: a sealed value was changed, or moved to another row
 * - `commit_failed`: nothing of what was asked has been written
 * - `lease_lost`: the registration belongs to another caller by now
 * - `closed`: the store was closed
 */
export type StoreErrorCode =
  | 'database'
  | 'in_use'
  | 'no_space'
  | 'newer_schema'
  | 'key_file'
  | 'key_missing'
  | 'wrong_key'
  | 'key_stays'
  | 'tampered'
  | 'commit_failed'
  | 'lease_lost'
  | 'closed'

/** A refusal of the store; its message holds neither keys nor what they protect. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The refusal of a database that SQLite or the system would not open, or go on with. */
export function cannot(verb: 'open' | 'use', database: string, cause: unknown): StoreError {
  const is_damaged = /^SQLITE_(CORRUPT|NOTADB)/.test(String(codeOf(cause)))
  const cure = is_damaged
    ? '; it is damaged: `relyd doctor` says more, and `relyd restore FILE` puts a backup in its place'
    : ''
  const why = `Cannot ${verb} the database ${database}: ${messageOf(cause)}${cure}`
  return new StoreError('database', why, { cause })
}

/** @returns the message of whatever was thrown */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** @returns the code by which the system or SQLite names the failure, such as `ENOENT` */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
