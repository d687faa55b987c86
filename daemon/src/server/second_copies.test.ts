/** Who writes once is believed after a few times, and not if he ever writes twice. */
import { expect, test } from 'vitest'
import { SecondCopies } from './second_copies.js'

test('a site is known by three requests in a row, and until one comes twice', () => {
  const copies = new SecondCopies()
  for (const came of [false, false, true, false, false]) copies.note('shop', came)
  expect(copies.mayFollow('shop')).toBe(true)
  copies.note('shop', false)
  expect(copies.mayFollow('shop')).toBe(false)
  expect(copies.mayFollow('other')).toBe(true)
  copies.note('shop', true)
  expect(copies.mayFollow('shop')).toBe(true)
})

test('nothing is known of requests without a site', () => {
  const copies = new SecondCopies()
  for (let times = 0; times < 10; times += 1) copies.note('', false)
  expect(copies.mayFollow('')).toBe(true)
})

test('no more sites are remembered than there is room for, the latest', () => {
  const copies = new SecondCopies()
  const sites = Array.from({ length: 10_001 }, (_, i) => `${i}`)
  for (const site of sites) for (let times = 0; times < 3; times += 1) copies.note(site, false)
  expect(sites.filter((site) => copies.mayFollow(site))).toEqual(['0'])
})
