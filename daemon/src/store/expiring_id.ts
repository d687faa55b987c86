/**
 * Identifiers that carry their expiry in front: states and session ids.
 *
 * Rows keyed by them lie in the order in which they expire, so that inserting touches the end of
 * the table and sweeping the beginning, with no index on an expiry column. Whoever presents an id
 * cannot prolong it: another prefix is another key, and no such row exists.
 */
import type { Seconds } from '../clock.js'
import { sha256 } from '../digest.js'
import { randomBytes } from '../random.js'

const PREFIX_BYTES = 4
const RANDOM_BYTES = 20
const ID_BYTES = PREFIX_BYTES + RANDOM_BYTES

/** @returns 32 characters of base64url: the expiry and 160 random bits */
export function makeExpiringId(expires_at: Seconds): string {
  return Buffer.concat([prefix(expires_at), randomBytes(RANDOM_BYTES)]).toString('base64url')
}

/** @returns the id's bytes, or undefined for what {@link makeExpiringId} cannot have made */
export function parseExpiringId(id: string): Buffer | undefined {
  const bytes = Buffer.from(id, 'base64url')
  return bytes.length === ID_BYTES && bytes.toString('base64url') === id ? bytes : undefined
}

/** @returns when the id, given as its bytes or as a {@link hideExpiringId} key, expires */
export function expiryOf(key: Buffer): Seconds {
  return key.readUInt32BE(0)
}

/** The id's key in a table that must not reveal ids to whoever reads it: same order, hashed rest. */
export function hideExpiringId(id: Buffer): Buffer {
  const hash = sha256(id)
  return Buffer.concat([id.subarray(0, PREFIX_BYTES), hash.subarray(0, RANDOM_BYTES)])
}

/**
 * Names the id of a {@link hideExpiringId} key to those who know it and to those who do not. In hex: on
 * a command line, base64url may look like an option.
 */
export function refOf(key: Buffer): string {
  return key.subarray(PREFIX_BYTES).toString('hex')
}

/** Every key below this one has expired at `now`. */
export function expiredBelow(now: Seconds): Buffer {
  return prefix(now)
}

function prefix(expires_at: Seconds): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES)
  bytes.writeUInt32BE(expires_at, 0)
  return bytes
}
