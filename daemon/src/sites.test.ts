/** Sites are read anew every few seconds, by realm, and known meanwhile. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { SiteCache } from './sites.js'
import type { Site, Store } from './store/store.js'

const site = { oxd_id: 'a', realm: 'shop' } as Site
let there: boolean
let reads: number

/** As a store with one site at most. */
const store = {
  async getSite(oxd_id: string, realm: string) {
    reads += 1
    return there && oxd_id === 'a' && realm === 'shop' ? site : undefined
  },
} as Store

let now: number

beforeEach(() => {
  now = 1000
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  there = true
  reads = 0
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** Later than a site is cached; the cache itself looks at the clock once a millisecond. */
async function aMinuteLater(): Promise<void> {
  now += 60_000
  const start = Date.now()
  await vi.waitUntil(() => Date.now() - start > 5, { interval: 1 })
}

test('a site that is read anew stays known while it is', async () => {
  const sites = new SiteCache(store)
  expect(sites.wasKnown('a', 'shop')).toBe(false)
  await sites.get('a', 'shop')
  expect(sites.wasKnown('a', 'shop')).toBe(true)
  await aMinuteLater()
  const again = sites.get('a', 'shop')
  expect(sites.wasKnown('a', 'shop')).toBe(true)
  expect(await again).toBe(site)
  expect(reads).toBe(2)
})

test('a site that is gone is known no more once it was looked for', async () => {
  const sites = new SiteCache(store)
  await sites.get('a', 'shop')
  there = false
  await aMinuteLater()
  expect(await sites.get('a', 'shop')).toBeUndefined()
  expect(sites.wasKnown('a', 'shop')).toBe(false)
})

test('another realm finds and knows nothing of it', async () => {
  const sites = new SiteCache(store)
  await sites.get('a', 'shop')
  expect(await sites.get('a', 'other')).toBeUndefined()
  expect(sites.wasKnown('a', 'other')).toBe(false)
})

test('a copy that was read before a change is not kept after it', async () => {
  const sites = new SiteCache(store)
  const reading = sites.get('a', 'shop')
  // The change is committed while the answer is on its way.
  sites.forget({ oxd_id: 'a', realm: 'shop' })
  await reading
  await sites.get('a', 'shop')
  expect(reads).toBe(2)
  await sites.get('a', 'shop')
  expect(reads).toBe(2)
})
