/** The bent OP itself, unbent: what it gives out is what others read. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { compactDecrypt, createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  atHash,
  BentOp,
  contentAlgs,
  encryptionKey,
  encryptJwe,
  isSymmetric,
  keyAlgs,
  symmetricKey,
} from './index.js'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const redirect_uris = ['https://site.example/callback']
const jwks = {
  keys: [
    { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'rsa', use: 'enc' },
    { ...ec.publicKey.export({ format: 'jwk' }), kid: 'ec', use: 'enc' },
  ],
}
const client = {
  client_id: 'client',
  client_secret: 'a secret that is long enough for every algorithm',
  token_endpoint_auth_method: 'client_secret_basic' as const,
  redirect_uris,
  jwks,
}

let op: BentOp

beforeAll(async () => {
  op = await BentOp.start({ more_algs: ['ES512', 'PS384', 'Ed25519', 'HS256'] })
})

afterAll(() => op[Symbol.asyncDispose]())

test.each(keyAlgs)('jose reads what is encrypted with %s', async (alg) => {
  for (const enc of contentAlgs) {
    const { key, kid } = encryptionKey(client, alg, enc, jwks.keys)
    const jwe = encryptJwe({ header: { alg, enc, kid }, plaintext: 'the text', key })
    const own: KeyObject = isSymmetric(alg)
      ? symmetricKey(alg, enc, client.client_secret)
      : (alg.startsWith('RSA') ? rsa : ec).privateKey
    const { plaintext } = await compactDecrypt(jwe, own)
    expect(Buffer.from(plaintext).toString()).toBe('the text')
  }
})

test.each(['RS256', 'ES512', 'PS384', 'Ed25519', 'HS256'] as const)(
  'jose verifies a front-channel ID Token with %s',
  async (alg) => {
    op.addClient({ ...client, id_token_signed_response_alg: alg })
    const asked = new URLSearchParams({
      client_id: 'client',
      redirect_uri: redirect_uris[0] as string,
      response_type: 'code id_token token',
      scope: 'openid',
      state: 'xyz',
      nonce: 'abc',
      code_challenge: 'A'.repeat(43),
      code_challenge_method: 'S256',
    })
    const callback = op.authorize(`${op.metadata['authorization_endpoint']}?${asked}`)
    expect(callback).toMatch(/^https:\/\/site\.example\/callback#/)
    const response = new URLSearchParams(new URL(callback).hash.slice(1))
    const key = alg === 'HS256' ? Buffer.from(client.client_secret) : undefined
    const keys = createLocalJWKSet({ keys: op.keys } as unknown as JSONWebKeySet)
    const id_token = response.get('id_token') as string
    const { payload } = key ? await jwtVerify(id_token, key) : await jwtVerify(id_token, keys)
    expect(payload).toMatchObject({
      iss: op.issuer,
      sub: 'alice',
      nonce: 'abc',
      c_hash: atHash(alg, response.get('code') as string),
      at_hash: atHash(alg, response.get('access_token') as string),
    })
  },
)

test('a registration is managed as RFC 7592 has it', async () => {
  const ask = async (url: string, method: string, body?: object, token?: string) => {
    const response = await fetch(url, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    return { status: response.status, data: JSON.parse((await response.text()) || '{}') }
  }
  const wishes = { redirect_uris, response_types: ['id_token'], grant_types: ['implicit'] }
  const made = await ask(op.address('registration'), 'POST', wishes)
  expect(made).toMatchObject({ status: 201, data: { ...wishes, client_secret_expires_at: 0 } })
  const { registration_client_uri: uri, registration_access_token: old, client_id } = made.data
  op.rotates_registration_tokens = true
  const read = await ask(uri, 'GET', undefined, old)
  expect(read).toMatchObject({ status: 200, data: { client_id } })
  const { registration_access_token: token } = read.data
  expect(token).not.toBe(old)
  expect(await ask(uri, 'GET', undefined, old)).toMatchObject({ status: 401 })
  expect(
    await ask(uri, 'PUT', { ...wishes, client_id, registration_access_token: token }, token),
  ).toMatchObject({ status: 400, data: { error: 'invalid_client_metadata' } })
  op.renews_secrets = true
  const update = { ...wishes, client_id, client_secret: made.data.client_secret }
  const updated = await ask(uri, 'PUT', { ...update, client_name: 'New' }, token)
  expect(updated).toMatchObject({ status: 200, data: { client_name: 'New' } })
  expect(updated.data.client_secret).not.toBe(made.data.client_secret)
  const last = updated.data.registration_access_token
  expect(await ask(uri, 'DELETE', undefined, last)).toMatchObject({ status: 204 })
  expect(await ask(uri, 'GET', undefined, last)).toMatchObject({ status: 401 })
  for (const [wrong, error] of [
    [{ ...wishes, redirect_uris: ['http://site.example/'] }, 'invalid_redirect_uri'],
    [{ ...wishes, grant_types: ['authorization_code'] }, 'invalid_client_metadata'],
    [{ ...wishes, id_token_encrypted_response_enc: 'A128GCM' }, 'invalid_client_metadata'],
    [{ ...wishes, jwks, jwks_uri: 'https://site.example/jwks' }, 'invalid_client_metadata'],
    [{ ...wishes, jwks: { keys: [jwks.keys[0], jwks.keys[0]] } }, 'invalid_client_metadata'],
    [
      { ...wishes, jwks: { keys: [rsa.privateKey.export({ format: 'jwk' })] } },
      'invalid_client_metadata',
    ],
  ] as const) {
    const refused = await ask(op.address('registration'), 'POST', wrong)
    expect(refused).toMatchObject({ status: 400, data: { error } })
  }
  op.straighten()
})
