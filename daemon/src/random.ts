/** Unguessable values, drawn from a pool so that each does not cost a system call. */
import { randomFillSync } from 'node:crypto'

const pool = Buffer.allocUnsafeSlow(4096)
let used = pool.length

/** @returns `length` bytes from the system's CSPRNG, used nowhere else */
export function randomBytes(length: number): Buffer {
  if (length > pool.length) throw new RangeError(`at most ${pool.length} random bytes at once`)
  if (used + length > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const bytes = Buffer.from(pool.subarray(used, used + length))
  pool.fill(0, used, used + length)
  used += length
  return bytes
}

/** @returns `length` random bytes in base64url, four characters for three bytes */
export function randomToken(length: number): string {
  return randomBytes(length).toString('base64url')
}
