/** Key pairs are made one at a time, whoever asks: a thread of the pool each would hold up all that needs one. */
import { promisify } from 'node:util'
import { expect, test, vi } from 'vitest'
import type { OwnKey } from '../store/store.js'
import { keptKeys, makeOwnKeys } from './own_keys.js'

const pool = vi.hoisted(() => ({ running: 0, most: 0, made: 0 }))

vi.mock('node:crypto', async (load) => {
  const crypto = await load<typeof import('node:crypto')>()
  const make = promisify(crypto.generateKeyPair) as (...given: unknown[]) => Promise<unknown>
  const generateKeyPair = () => {}
  Object.defineProperty(generateKeyPair, promisify.custom, {
    value: async (...given: unknown[]) => {
      pool.running += 1
      pool.most = Math.max(pool.most, pool.running)
      try {
        return await make(...given)
      } finally {
        pool.running -= 1
        pool.made += 1
      }
    },
  })
  return { ...crypto, generateKeyPair }
})

const NOW = 1_800_000_000

test('for as many sites as there are', async () => {
  await Promise.all(['a', 'b', 'c', 'd'].map(() => makeOwnKeys(['ES256', 'ECDH-ES'], NOW)))
  expect(pool).toEqual({ running: 0, most: 1, made: 8 })
})

test('of those that were replaced few are kept, the last, and all that are in use or wait', () => {
  const key = (alg: string, at: number, more: Partial<OwnKey> = {}): OwnKey => ({
    kid: `${alg} ${at}`,
    use: 'enc',
    alg,
    private_key: '',
    made_at: NOW,
    retired_at: NOW - 100 + at,
    ...more,
  })
  const algs = ['a', 'b', 'c', 'd', 'e', 'f']
  const retired = algs.flatMap((alg, at) => [0, 1, 2, 3].map((one) => key(alg, 10 * at + one)))
  const { retired_at: _, ...used } = key('a', 99)
  const later = key('a', 98, { retired_at: NOW + 60 })
  const kept = keptKeys([used, later, ...retired], NOW)
  expect(kept.slice(0, 2)).toEqual([used, later])
  expect(kept.slice(2).map(({ kid }) => kid)).toEqual(
    ['c', 'd', 'e', 'f'].flatMap((alg) => {
      const at = 10 * algs.indexOf(alg)
      return [`${alg} ${at + 2}`, `${alg} ${at + 3}`]
    }),
  )
})
