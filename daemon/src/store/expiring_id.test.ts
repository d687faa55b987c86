/** Ids that carry their expiry: what of them nobody can guess. */
import { expect, test } from 'vitest'
import { makeExpiringId } from './expiring_id.js'

test('S40 states and session_ids: 160 random bits behind the expiry, never the same', () => {
  const ids = Array.from({ length: 5000 }, () => makeExpiringId(1_800_000_000))
  for (const id of ids) expect(id).toMatch(/^[\w-]{32}$/)
  const random = ids.map((id) => Buffer.from(id, 'base64url').subarray(4).toString('hex'))
  expect(new Set(random).size).toBe(ids.length)
  // Each of its bytes takes every value: none is fixed, and none counts up.
  for (let index = 0; index < 40; index += 2) {
    expect(new Set(random.map((one) => one.slice(index, index + 2))).size).toBe(256)
  }
})
