/** Keys of a site's own. */
import { createPublicKey } from 'node:crypto'
import {
  CompactEncrypt,
  calculateJwkThumbprint,
  compactDecrypt,
  importJWK,
  jwtVerify,
  SignJWT,
} from 'jose'
import { expect, test } from 'vitest'
import { LiveSecrets } from '../live_secrets.js'
import type { OwnKey, Site } from '../store/store.js'
import {
  decryptionKeys,
  makeOwnKeys,
  ownEncryptionAlgs,
  ownSigningAlgs,
  publicHalf,
  publicJwks,
  signingKey,
} from './own_keys.js'

const NOW = 1_800_000_000

function siteOf(own_keys: OwnKey[]): Site {
  const keys = own_keys.map(publicHalf)
  return { client: { client_id: 'client', jwks: { keys } }, secrets: { own_keys } } as Site
}

test('rp-registration-well-formed-jwk P29: kid is the thumbprint, with use and alg, and nothing private', async () => {
  const keys = await makeOwnKeys(['RS256', 'ES256', 'EdDSA', 'RSA-OAEP-256', 'ECDH-ES'], NOW)
  const published = publicJwks(siteOf(keys)).keys
  expect(published.map(({ use, alg, kty }) => [use, alg, kty])).toEqual([
    ['sig', 'RS256', 'RSA'],
    ['sig', 'ES256', 'EC'],
    ['sig', 'EdDSA', 'OKP'],
    ['enc', 'RSA-OAEP-256', 'RSA'],
    ['enc', 'ECDH-ES', 'EC'],
  ])
  for (const jwk of published) {
    expect(jwk.kid).toBe(await calculateJwkThumbprint(jwk))
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth']) {
      expect(jwk).not.toHaveProperty(member)
    }
    expect(createPublicKey({ key: jwk, format: 'jwk' }).type).toBe('public')
  }
  expect(new Set(published.map(({ kid }) => kid)).size).toBe(keys.length)
})

test('P29: what is private never leaves, whatever the store has', () => {
  const stored = { kty: 'RSA', kid: 'a', use: 'sig', n: 'n', e: 'AQAB', d: 'd', oth: [], k: 'k' }
  const site = { client: { client_id: 'client', jwks: { keys: [stored] } } } as unknown as Site
  expect(publicJwks(site).keys).toEqual([{ kty: 'RSA', kid: 'a', use: 'sig', n: 'n', e: 'AQAB' }])
})

test.each(ownSigningAlgs)('%s: what it signs, its public half verifies', async (alg) => {
  const site = siteOf(await makeOwnKeys([alg], NOW))
  const own = signingKey(site, NOW)
  if (!own) throw new Error('no key signs')
  const jwt = await new SignJWT({ a: 1 }).setProtectedHeader({ alg, kid: own.kid }).sign(own.key)
  const [jwk] = publicJwks(site).keys
  expect((await jwtVerify(jwt, await importJWK(jwk as never, alg))).payload).toEqual({ a: 1 })
})

test.each(ownEncryptionAlgs)(
  '%s: what is encrypted to its public half, it decrypts',
  async (alg) => {
    const site = siteOf(await makeOwnKeys([alg], NOW))
    const [jwk] = publicJwks(site).keys
    const jwe = await new CompactEncrypt(Buffer.from('hidden'))
      .setProtectedHeader({ alg, enc: 'A256GCM' })
      .encrypt(await importJWK(jwk as never, alg))
    const [own] = decryptionKeys(site)
    expect(own).toMatchObject({ kid: jwk?.kid, alg })
    const { plaintext } = await compactDecrypt(jwe, own?.key as never)
    expect(Buffer.from(plaintext).toString()).toBe('hidden')
  },
)

test('an algorithm that is asked for twice has one key', async () => {
  expect(await makeOwnKeys(['ES256', 'ES256'], NOW)).toHaveLength(1)
})

test('the newest key signs that the OP has, and none that it has not yet', async () => {
  const [old, next, later] = await Promise.all(
    [NOW, NOW + 10, NOW + 20].map(async (at) => (await makeOwnKeys(['ES256'], at))[0] as OwnKey),
  )
  if (!old || !next || !later) throw new Error('not made')
  next.ready_at = NOW + 100
  delete later.ready_at
  const site = siteOf([later, next, old])
  expect(signingKey(site, NOW + 99)?.kid).toBe(old.kid)
  expect(signingKey(site, NOW + 100)?.kid).toBe(next.kid)
  expect(signingKey(siteOf([]), NOW)).toBeUndefined()
})

test('the last filter knows the keys of a site, in whatever form they are written', async () => {
  const live = new LiveSecrets()
  const own_keys = await makeOwnKeys(['ES256', 'RS256'], NOW)
  live.noteMembers({ client_secret: 'none of these', own_keys })
  for (const { private_key } of own_keys) {
    expect(live.hide(`it is ${private_key}!`)).toBe('it is [secret]!')
    const [, line = ''] = private_key.split('\n')
    expect(live.hide(line)).toBe('[secret]')
  }
})
