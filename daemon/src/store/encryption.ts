/**
 * Secrets at rest: each is sealed with AES-256-GCM for one place in the database, and names the key
 * that opens it, so that keys can be changed while old rows live on.
 *
 * A sealed value is a version byte, the key's id with its length in front, a nonce, the ciphertext
 * and the tag.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import { live } from '../live_secrets.js'
import { randomBytes } from '../random.js'
import { StoreError } from './errors.js'

const CIPHER = 'aes-256-gcm'
const VERSION = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Length of a key, in bytes. */
export const KEY_BYTES = 32

/** What a key may be called. */
export const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/

/** A key by its name. */
export interface EncryptionKey {
  id: string
  key: Buffer
}

/** The place that a sealed value belongs to; it opens nowhere else. */
export interface Cell {
  table: string
  column: string
  /** The row's primary key. */
  row: string | Buffer
}

interface HeldKey {
  /** What a value sealed with this key begins with. */
  header: Buffer
  key: KeyObject
}

/** Several keys, of which the first seals and all open. */
export class Keyring {
  /** The key that seals. */
  readonly current_id: string
  readonly #keys = new Map<string, HeldKey>()
  readonly #current: HeldKey

  /** @param keys ids are unique and match {@link KEY_ID}, keys have {@link KEY_BYTES} bytes */
  constructor(keys: readonly [EncryptionKey, ...EncryptionKey[]]) {
    for (const { id, key } of keys) {
      if (!KEY_ID.test(id) || key.length !== KEY_BYTES || this.#keys.has(id)) {
        throw new RangeError('encryption keys need unique ids and 32 bytes each')
      }
      live.pin(key)
      // A KeyObject, unlike a Buffer, shows nothing when it is printed.
      this.#keys.set(id, { header: headerOf(id), key: createSecretKey(key) })
    }
    this.current_id = keys[0].id
    this.#current = this.#held(this.current_id)
  }

  /** Of every key, the one that seals first. */
  get ids(): string[] {
    return [...this.#keys.keys()]
  }

  /** @returns whether values sealed with this key can be opened */
  has(key_id: string): boolean {
    return this.#keys.has(key_id)
  }

  /** @returns the sealed value, for this place only */
  seal(plaintext: string | Buffer, cell: Cell): Buffer {
    const { header, key } = this.#current
    // NIST SP 800-38D 8.2.2: random nonces of 96 bits, good for 2^32 values and far more rows than
    // a host's sites and logins make between two keys.
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(aadOf(cell))
    const ciphertext =
      typeof plaintext === 'string' ? cipher.update(plaintext, 'utf8') : cipher.update(plaintext)
    cipher.final()
    return Buffer.concat([header, nonce, ciphertext, cipher.getAuthTag()])
  }

  /**
   * @returns what was sealed
   * @throws StoreError `key_missing` with the key's id, or `tampered` with the place
   */
  open(blob: Buffer, cell: Cell): Buffer {
    const id = keyIdOf(blob)
    if (id === undefined) throw tampered(cell)
    const { header, key } = this.#held(id)
    const ciphertext_start = header.length + NONCE_BYTES
    const ciphertext_end = blob.length - TAG_BYTES
    if (ciphertext_end < ciphertext_start) throw tampered(cell)
    const nonce = blob.subarray(header.length, ciphertext_start)
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(aadOf(cell))
    decipher.setAuthTag(blob.subarray(ciphertext_end))
    const plaintext = decipher.update(blob.subarray(ciphertext_start, ciphertext_end))
    try {
      decipher.final()
    } catch {
      throw tampered(cell)
    }
    return plaintext
  }

  #held(key_id: string): HeldKey {
    const held = this.#keys.get(key_id)
    if (held) return held
    throw new StoreError('key_missing', `The encryption key ${key_id} is not in the key file`)
  }
}

function headerOf(key_id: string): Buffer {
  return Buffer.concat([Buffer.of(VERSION, key_id.length), Buffer.from(key_id, 'latin1')])
}

/** @returns the id of the key that a value was sealed with, undefined for what was never sealed */
export function keyIdOf(blob: Buffer): string | undefined {
  if (blob[0] !== VERSION) return undefined
  const id = blob.toString('latin1', 2, 2 + (blob[1] ?? 0))
  // Checked because it goes into an error message, and a changed row may hold anything.
  return id.length === blob[1] && KEY_ID.test(id) ? id : undefined
}

// Table and column are this program's words without NUL, and the row comes last: no two places
// give the same bytes.
function aadOf({ table, column, row }: Cell): Buffer {
  const place = `${table}\0${column}\0`
  return typeof row === 'string'
    ? Buffer.from(place + row)
    : Buffer.concat([Buffer.from(place), row])
}

function tampered({ table, column, row }: Cell): StoreError {
  // A login's key is its state, a site's may be a secret of it: what is shown finds the row and is of
  // no use to anybody else.
  const shown = typeof row === 'string' ? row.slice(0, 8) : `x'${row.toString('hex', 0, 8)}…'`
  return new StoreError(
    'tampered',
    `The sealed value in table ${table}, row ${shown}, column ${column} does not open: ` +
      'it was changed, or belongs to another row',
  )
}
