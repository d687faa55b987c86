/** Grants are remembered for a moment, and no longer than they are good. */
import { expect, test } from 'vitest'
import { GrantCache } from './grant_cache.js'

interface Answer {
  sub: string
  exp?: number
}

/** A cache whose clock stands still, and one that counts how often it is asked. */
function cacheFor(seconds: number) {
  const clock = { now: 1_000_000 }
  const cache = new GrantCache<Answer>(seconds, () => clock.now)
  let asked = 0
  return {
    clock,
    get: (token: string, answer: () => Promise<Answer | undefined>) =>
      cache.get(token, () => {
        asked += 1
        return answer()
      }),
    asked: () => asked,
  }
}

test('a good token is asked about once, until the time is over', async () => {
  const { clock, get, asked } = cacheFor(10)
  const alice = async () => ({ sub: 'alice' })
  expect(await get('a', alice)).toEqual({ sub: 'alice' })
  clock.now += 9_999
  await get('a', alice)
  expect(asked()).toBe(1)
  clock.now += 1
  await get('a', alice)
  expect(asked()).toBe(2)
})

test('no token stands for another', async () => {
  const { get } = cacheFor(10)
  await get('a', async () => ({ sub: 'alice' }))
  expect(await get('b', async () => undefined)).toBeUndefined()
  expect(await get('c', async () => ({ sub: 'bob' }))).toEqual({ sub: 'bob' })
})

test('nothing is good beyond its expiry, whether asked or remembered', async () => {
  const { clock, get, asked } = cacheFor(10)
  const short = async () => ({ sub: 'alice', exp: 1003 })
  await get('a', short)
  clock.now = 1_002_999
  expect(await get('a', short)).toBeDefined()
  expect(asked()).toBe(1)
  clock.now = 1_003_000
  expect(await get('a', short)).toBeUndefined()
  expect(asked()).toBe(2)
})

test('the time of the question counts', async () => {
  const { clock, get, asked } = cacheFor(10)
  await get('a', async () => {
    clock.now += 10_000
    return { sub: 'alice' }
  })
  await get('a', async () => undefined)
  expect(asked()).toBe(2)
})

test('neither a refusal nor a failure is remembered', async () => {
  const { get } = cacheFor(10)
  expect(await get('a', async () => undefined)).toBeUndefined()
  await expect(get('a', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
  expect(await get('a', async () => ({ sub: 'alice' }))).toEqual({ sub: 'alice' })
})

test('who asks at the same time shares the answer', async () => {
  const { get, asked } = cacheFor(0)
  let resolve = (_: Answer) => {}
  const promise = new Promise<Answer>((done) => {
    resolve = done
  })
  const both = [get('a', () => promise), get('a', () => promise)]
  resolve({ sub: 'alice' })
  expect(await Promise.all(both)).toEqual([{ sub: 'alice' }, { sub: 'alice' }])
  expect(asked()).toBe(1)
  // With nothing to be remembered, the next is asked again.
  await get('a', () => promise)
  expect(asked()).toBe(2)
})

test('what was used longest ago gives way', async () => {
  const { get, asked } = cacheFor(10)
  const answer = async () => ({ sub: 'alice' })
  await get('first', answer)
  await get('second', answer)
  for (let at = 2; at < 10_000; at += 1) await get(String(at), answer)
  await get('first', answer)
  await get('one more', answer)
  expect(asked()).toBe(10_001)
  await get('first', answer)
  expect(asked()).toBe(10_001)
  await get('second', answer)
  expect(asked()).toBe(10_002)
})

test('made-up tokens do not pile up: more than 64 questions at once are refused', async () => {
  const { get, asked } = cacheFor(10)
  const waiting: (() => void)[] = []
  const slow = () => new Promise<undefined>((resolve) => waiting.push(() => resolve(undefined)))
  const all = Array.from({ length: 64 }, (_, at) => get(`made up ${at}`, slow))
  await expect(get('one more', slow)).rejects.toMatchObject({ code: 'ERR_BUSY' })
  expect(asked()).toBe(64)
  for (const answer of waiting) answer()
  await Promise.all(all)
  expect(await get('later', async () => ({ sub: 'alice' }))).toEqual({ sub: 'alice' })
})
