/** Typing errors find their name; strangers find none. */
import { expect, test } from 'vitest'
import { nearestName } from './nearest_name.js'

const names = ['scope', 'op_host', 'authorization_redirect_uri', 'client_id', 'port']

test.each([
  ['scopes', 'scope'],
  ['scpoe', 'scope'],
  ['ophost', 'op_host'],
  ['autorisation_redirect_url', 'authorization_redirect_uri'],
  ['client_di', 'client_id'],
  ['prt', 'port'],
])('%s is near %s', (name, nearest) => {
  expect(nearestName(name, names)).toBe(nearest)
})

test.each(['', 'https_extension', 'x', 'protection_access_token'])('%s is near none', (name) => {
  expect(nearestName(name, names)).toBeUndefined()
})

test('a name of fifty million letters is near none, and costs no time', () => {
  expect(nearestName('x'.repeat(50_000_000), names)).toBeUndefined()
})
