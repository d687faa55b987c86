/** Digests, and their comparison. */
import { expect, test } from 'vitest'
import { sameDigest, sha256 } from './digest.js'

test('S31 the same digest is the same, whatever else is alike is not', () => {
  const one = sha256('one')
  expect(sameDigest(one, sha256('one'))).toBe(true)
  for (const index of [0, 31]) {
    const other = Buffer.from(one)
    other[index] = (other[index] as number) ^ 1
    expect(sameDigest(one, other)).toBe(false)
  }
  // timingSafeEqual would throw.
  expect(sameDigest(one, one.subarray(0, 31))).toBe(false)
  expect(sameDigest(Buffer.alloc(0), one)).toBe(false)
})
