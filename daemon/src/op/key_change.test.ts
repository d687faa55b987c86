/** What is next with a site's own keys, by their ages. */
import { expect, test } from 'vitest'
import type { OwnKey, Site } from '../store/store.js'
import { nextStep, withSuccessors } from './key_change.js'
import { decryptionKeys, makeOwnKeys, signingKey, withToldKeys } from './own_keys.js'

const NOW = 1_800_000_000
const HOUR = 3600
const DAY = 24 * HOUR
const LIFETIME = 90 * DAY

const updatable = { registration_client_uri: 'https://op.example/client' }

function siteOf(own_keys: OwnKey[], client: object = updatable, now = NOW): Site {
  const secrets = { registration_access_token: 'a registration access token', own_keys }
  const site = { client: { client_id: 'client', ...client }, secrets, registered_by: 'relyd' }
  return withToldKeys(site as unknown as Site, own_keys, now)
}

/** As the store has it after a step. */
function after(site: Site, now: number, own_keys: OwnKey[], told = own_keys): Site {
  return withToldKeys({ ...site, secrets: { ...site.secrets, own_keys } }, told, now)
}

const kidsOf = ({ client }: Site) => client.jwks?.keys.map(({ kid }) => kid)

test('young keys are left alone, and so are keys of a site that never replaces them', async () => {
  const site = siteOf(await makeOwnKeys(['ES256', 'ECDH-ES'], NOW))
  expect(nextStep(site, NOW + LIFETIME - 1, LIFETIME)).toBeUndefined()
  expect(nextStep(site, NOW + LIFETIME, LIFETIME)).toBe('make')
  expect(nextStep(site, NOW + 100 * LIFETIME, 0)).toBeUndefined()
  expect(nextStep(siteOf([]), NOW + 100 * LIFETIME, LIFETIME)).toBeUndefined()
})

test('where the OP cannot be told, keys stay', async () => {
  const keys = await makeOwnKeys(['ES256'], NOW)
  expect(nextStep(siteOf(keys, {}), NOW + LIFETIME, LIFETIME)).toBeUndefined()
  const issued = { ...siteOf(keys), registered_by: 'operator' } as Site
  expect(nextStep(issued, NOW + LIFETIME, LIFETIME)).toBeUndefined()
})

test('by an update: the new key signs once the OP has taken it, and the old one goes in two steps', async () => {
  const [sig, enc] = await makeOwnKeys(['ES256', 'ECDH-ES'], NOW)
  let site = siteOf([sig as OwnKey, enc as OwnKey])
  let now = NOW + LIFETIME
  const own_keys = await withSuccessors(site, now)
  expect(own_keys).toHaveLength(4)
  site = { ...site, secrets: { ...site.secrets, own_keys } }
  // The OP has not answered yet.
  expect(signingKey(site, now)?.kid).toBe(sig?.kid)
  expect(decryptionKeys(site)).toHaveLength(2)
  expect(nextStep(site, now + HOUR - 1, LIFETIME)).toBeUndefined()
  expect(nextStep(site, now + HOUR, LIFETIME)).toBe('tell')

  site = after(site, now, own_keys)
  expect(signingKey(site, now)?.kid).toBe(own_keys[0]?.kid)
  // The old one may still have signed a moment ago; nobody is to encrypt to the old one any more.
  expect(kidsOf(site)).toEqual([own_keys[0]?.kid, own_keys[1]?.kid, sig?.kid])
  expect(decryptionKeys(site).map(({ kid }) => kid)).toEqual([own_keys[1]?.kid, enc?.kid])
  expect(nextStep(site, now + HOUR - 1, LIFETIME)).toBeUndefined()

  now += HOUR
  expect(nextStep(site, now, LIFETIME)).toBe('tell')
  site = after(site, now, site.secrets.own_keys ?? [])
  expect(kidsOf(site)).toEqual([own_keys[0]?.kid, own_keys[1]?.kid])
  expect(decryptionKeys(site)).toHaveLength(2)
  expect(nextStep(site, now, LIFETIME)).toBeUndefined()

  now = NOW + LIFETIME + 7 * DAY
  expect(nextStep(site, now - 1, LIFETIME)).toBeUndefined()
  expect(nextStep(site, now, LIFETIME)).toBe('store')
  site = after(site, now, site.secrets.own_keys ?? [])
  expect(site.secrets.own_keys?.map(({ kid }) => kid)).toEqual([own_keys[0]?.kid, own_keys[1]?.kid])
  expect(nextStep(site, now, LIFETIME)).toBeUndefined()
})

test('by jwks_uri: the new key is published a day before it signs', async () => {
  const [old] = await makeOwnKeys(['ES256'], NOW)
  const client = { jwks_uri: 'https://site.example/jwks' }
  let site = siteOf([old as OwnKey], client)
  const now = NOW + LIFETIME
  expect(nextStep(site, now, LIFETIME)).toBe('make')
  const own_keys = await withSuccessors(site, now)
  site = after(site, now, own_keys)
  expect(kidsOf(site)).toEqual([own_keys[0]?.kid, old?.kid])
  expect(signingKey(site, now + DAY - 1)?.kid).toBe(old?.kid)
  expect(signingKey(site, now + DAY)?.kid).toBe(own_keys[0]?.kid)
  expect(nextStep(site, now + DAY + HOUR - 1, LIFETIME)).toBeUndefined()
  expect(nextStep(site, now + DAY + HOUR, LIFETIME)).toBe('store')
  site = after(site, now + DAY + HOUR, own_keys)
  expect(kidsOf(site)).toEqual([own_keys[0]?.kid])
  expect(site.secrets.own_keys).toHaveLength(1)
})

test('a key that somebody made while the OP was told of others waits for its own turn', async () => {
  const first = await makeOwnKeys(['ES256'], NOW)
  let site = siteOf(first)
  const own_keys = await withSuccessors(site, NOW)
  site = after({ ...site, secrets: { ...site.secrets, own_keys } }, NOW, own_keys, first)
  expect(signingKey(site, NOW)?.kid).toBe(first[0]?.kid)
  expect(kidsOf(site)).toEqual([first[0]?.kid])
  expect(site.secrets.own_keys?.[0]).not.toHaveProperty('ready_at')
})
