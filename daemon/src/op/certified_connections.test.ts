/** Connections with a certificate: whose they are, how many, and for how long. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { AddressPolicy } from './address_policy.js'
import { CertifiedConnections } from './certified_connections.js'
import type { ConnectionOptions } from './connections.js'

const policy = new AddressPolicy({
  realm: 'shop',
  allowed_hosts: [],
  insecure_hosts: [],
  proxied: false,
})
const options: ConnectionOptions = { timeout: 1, policy }

let open: CertifiedConnections

beforeEach(() => {
  vi.useFakeTimers()
  open = new CertifiedConnections(options, { now: () => Date.now() })
})

afterEach(async () => {
  vi.useRealTimers()
  await open.destroy()
})

test('each certificate and key has its own', () => {
  const mine = open.of({ cert: 'a', key: 'b' })
  expect(open.of({ cert: 'a', key: 'b' })).toBe(mine)
  // Neither who has the certificate alone, nor what is cut elsewhere.
  expect(open.of({ cert: 'a', key: 'c' })).not.toBe(mine)
  expect(open.of({ cert: 'ab', key: '' })).not.toBe(mine)
  expect(open.size).toBe(3)
})

test('who is not used for a minute is closed, and a site that was removed with it', async () => {
  const used = open.of({ cert: 'used', key: 'k' })
  const unused = open.of({ cert: 'unused', key: 'k' })
  for (let second = 0; second < 70; second += 10) {
    vi.advanceTimersByTime(10_000)
    expect(open.of({ cert: 'used', key: 'k' })).toBe(used)
  }
  expect(open.size).toBe(1)
  expect(unused).toMatchObject({ closed: true })
  expect(used).toMatchObject({ closed: false })
})

test('there are never more than so many', () => {
  const first = open.of({ cert: 'first', key: 'k' })
  for (let one = 0; one < 1000; one += 1) open.of({ cert: String(one), key: 'k' })
  expect(open.size).toBe(500)
  expect(first).toMatchObject({ closed: true })
})
