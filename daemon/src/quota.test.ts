/** One more, or one too many; and what is taken is given back. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ample } from '../../test/support/quotas.js'
import { InFlight, levelReached, quotaExceeded } from './quota.js'

test.each([
  ['room for all', { site: 1, realm: 5, sites: 2 }, undefined],
  ['the site at its limit', { site: 4, realm: 5, sites: 2 }, 'site'],
  ['the realm full, the site at its share', { site: 3, realm: 6, sites: 2 }, 'realm'],
  ['the realm full, the site below its share', { site: 2, realm: 6, sites: 2 }, undefined],
  [
    'the realm more than full, the site below its share',
    { site: 2, realm: 9, sites: 2 },
    undefined,
  ],
  ['more sites than the limit', { site: 0, realm: 6, sites: 100 }, undefined],
  ['nobody there', { site: 0, realm: 0, sites: 0 }, undefined],
] as const)('%s', (_, used, level) => {
  expect(levelReached({ site: 4, realm: 6 }, used)).toBe(level)
})

test('a realm never holds more than its limit and a share for each site', () => {
  const site = fc.integer({ min: 0, max: 4 })
  fc.assert(
    fc.property(fc.array(fc.tuple(site, fc.boolean()), { maxLength: 200 }), (moves) => {
      const in_flight = new InFlight({ site: 6, realm: 10 })
      const held = [0, 0, 0, 0, 0]
      for (const [who, enters] of moves) {
        if (enters) {
          if (!in_flight.enter(`${who}`)) held[who] = (held[who] ?? 0) + 1
        } else if (held[who]) {
          in_flight.leave(`${who}`)
          held[who] -= 1
        }
        expect(Math.max(...held)).toBeLessThanOrEqual(6)
        expect(held.reduce((sum, one) => sum + one)).toBeLessThanOrEqual(2 * 10)
      }
      // Whoever holds nothing always gets in.
      const idle = held.indexOf(0)
      if (idle >= 0) expect(in_flight.enter(`${idle}`)).toBeUndefined()
    }),
  )
})

test('the refusal names quota, option, section and limit', () => {
  const realm = { name: 'shop', quotas: { ...ample, sessions: { site: 7, realm: 9 } } }
  expect(quotaExceeded(realm, { quota: 'sessions', level: 'site' })).toMatchObject({
    code: 'quota_exceeded',
    message: 'this site has as many sessions as sessions_per_site of [realm shop] allows: 7',
    details: { quota: 'sessions', option: 'sessions_per_site', limit: 7 },
  })
  expect(quotaExceeded(realm, { quota: 'sessions', level: 'realm' }).message).toBe(
    'the sites of this realm together have as many sessions as sessions of [realm shop] allows: 9',
  )
})
