/** ID Tokens that an OP must not send, and odd ones that it may (OIDC Core 3.1.3.7, code flow). */
import { createHmac, createPublicKey } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  append,
  type Bends,
  type BentLogin,
  BentOp,
  BentSite,
  breakSignature,
  expectNoSecrets,
  type Members,
  makeKey,
  type SigningKey,
  secretKey,
  set,
  signingInput,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const MINUTE = 60

let daemon: TestDaemon
let wire: Wire
let op: BentOp
let site: BentSite
/** One whose ID Tokens may be for others too, and with which a site can agree on HS256. */
let trusting: BentOp
/** An OP that offers what nobody should take, with a client that its operator issued. */
let lax: BentOp
let issued: BentSite

beforeAll(async () => {
  op = await BentOp.start()
  trusting = await BentOp.start({ alg: 'ES256', more_algs: ['HS256'] })
  daemon = await TestDaemon.start({
    sections: `[op trusting]\nop_host = ${trusting.issuer}\ntrusted_audiences = api, more\n`,
  })
  wire = await Wire.connect(daemon.socket)
  site = await BentSite.register(wire, op)
  lax = await BentOp.start({
    metadata: { id_token_signing_alg_values_supported: ['none', 'HS256', 'RS256'] },
  })
  const client_id = 'issued'
  const client_secret = 'issued secret'
  lax.addClient({
    client_id,
    client_secret,
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: ['https://site.example/callback'],
  })
  issued = await BentSite.register(wire, lax, { client_id, client_secret })
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op, lax, trusting)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
  await lax[Symbol.asyncDispose]()
  await trusting[Symbol.asyncDispose]()
})

const claims = (bend: (claims: Members) => Members): BentLogin => ({ bends: { claims: bend } })
const drop = (claim: string): BentLogin => claims(set({ [claim]: undefined }))
const aud = (bend: (client_id: unknown) => Members): BentLogin =>
  claims((honest) => ({ ...honest, ...bend(honest['aud']) }))
const id_token = (bend: NonNullable<Bends['id_token']>): BentLogin => ({
  bends: { id_token: bend },
})

test('oidcc-client-test: an honest OP', async () => {
  const { id_token_claims, sub, issuer } = await site.accepts()
  expect(id_token_claims).toMatchObject({ iss: op.issuer, sub })
  expect(issuer).toBe(op.issuer)
})

describe('C13 P25 refuses a claim', () => {
  test.each<[name: string, login: BentLogin, error: string]>([
    ['oidcc-client-test-nonce-invalid', claims(append('nonce')), 'invalid_id_token_bad_nonce'],
    ['fapi2 missing-nonce', drop('nonce'), 'invalid_id_token'],
    ['nonce empty', claims(set({ nonce: '' })), 'invalid_id_token_bad_nonce'],
    ['oidcc-client-test-invalid-iss', claims(append('iss')), 'invalid_id_token_bad_issuer'],
    [
      'iss with a trailing slash',
      claims((honest) => ({ ...honest, iss: `${honest['iss']}/` })),
      'invalid_id_token_bad_issuer',
    ],
    ['iss missing', drop('iss'), 'invalid_id_token'],
    ['oidcc-client-test-missing-sub', drop('sub'), 'invalid_id_token'],
    ['sub empty', claims(set({ sub: '' })), 'invalid_id_token'],
    ['sub not a string', claims(set({ sub: 7 })), 'invalid_id_token'],
    ['oidcc-client-test-invalid-aud', claims(append('aud')), 'invalid_id_token_bad_audience'],
    ['oidcc-client-test-missing-aud', drop('aud'), 'invalid_id_token'],
    ['aud an empty list', claims(set({ aud: [] })), 'invalid_id_token_bad_audience'],
    ['oidcc-client-test-missing-iat', drop('iat'), 'invalid_id_token'],
    ['iat not a number', claims(set({ iat: 'now' })), 'invalid_id_token'],
    [
      'oidcc-client-test-invalid-athash',
      claims(append('at_hash')),
      'invalid_access_token_bad_hash',
    ],
    ['at_hash not a string', claims(set({ at_hash: 7 })), 'invalid_access_token_bad_hash'],
    ['at_hash empty', claims(set({ at_hash: '' })), 'invalid_access_token_bad_hash'],
    ['M2 fapi2 expired-exp: exp past', claims(ago('exp', 10 * MINUTE)), 'invalid_id_token_expired'],
    ['M2 fapi2 missing-exp', drop('exp'), 'invalid_id_token'],
    ['M2 exp not a number', claims(set({ exp: '9999999999' })), 'invalid_id_token'],
    ['M2 nbf in the future', claims(ahead('nbf', 10 * MINUTE)), 'invalid_id_token_expired'],
    [
      'M5 aud list with a foreign client, azp missing',
      aud((client_id) => ({ aud: [client_id, 'foreign'] })),
      'invalid_id_token_bad_audience',
    ],
    [
      'M5 aud list with a foreign client, azp the foreign client',
      aud((client_id) => ({ aud: [client_id, 'foreign'], azp: 'foreign' })),
      'invalid_id_token_bad_audience',
    ],
    [
      // OIDC Core 3.1.3.7 step 3: additional audiences not trusted by the Client.
      'fapi2 invalid-secondary-aud: a foreign client, azp ours',
      aud((client_id) => ({ aud: [client_id, 'foreign'], azp: client_id })),
      'invalid_id_token_bad_audience',
    ],
    ['M5 azp wrong', claims(set({ azp: 'foreign' })), 'invalid_id_token_bad_audience'],
    ['azp not a string', claims(set({ azp: ['foreign'] })), 'invalid_id_token_bad_audience'],
    [
      'auth_time missing though max_age was asked for',
      { ...drop('auth_time'), request: { max_age: 60 } },
      'invalid_id_token',
    ],
    [
      'auth_time longer ago than max_age',
      { ...claims(ago('auth_time', 10 * MINUTE)), request: { max_age: 60 } },
      'invalid_id_token_bad_auth_time',
    ],
    ['M2 exp 1e300', claims(set({ exp: 1e300 })), 'invalid_id_token'],
    ['M2 exp before all time', claims(set({ exp: -1 })), 'invalid_id_token'],
    ['M2 nbf 2^53', claims(set({ nbf: 2 ** 53 })), 'invalid_id_token'],
    ['sub of 256 characters', claims(set({ sub: 'a'.repeat(256) })), 'invalid_id_token'],
    ['sub with a line break', claims(set({ sub: 'alice\nbob' })), 'invalid_id_token'],
    ['sub that is not ASCII', claims(set({ sub: 'alicé' })), 'invalid_id_token'],
  ])('%s', async (_, login, error) => {
    await site.refuses(login, { error })
  })

  test('M2 iat in the future', async () => {
    await site.refuses(claims(ahead('iat', 10 * MINUTE)), { error: 'invalid_id_token_expired' })
  })
})

describe('accepts a claim', () => {
  test.each<[name: string, login: BentLogin]>([
    ['fapi2 valid-aud-as-array: of the client alone', aud((client_id) => ({ aud: [client_id] }))],
    ['azp the client', aud((client_id) => ({ azp: client_id }))],
    ['at_hash missing, as the code flow allows', drop('at_hash')],
    ['a clock a few seconds ahead', claims(ahead('nbf', 5))],
    ['M16 a clock a minute behind', claims(ago('exp', MINUTE - 5))],
    ['M16 a clock a minute ahead', claims(ahead('iat', MINUTE - 5))],
    ['language tags', claims(set({ 'name#de': 'Alicia' }))],
    ['unknown claims', claims(set({ 'https://op.example/x': { y: [1] }, __proto__x: 1 }))],
  ])('%s', async (_, login) => {
    await site.accepts(login)
  })
})

describe('M16 a daemon whose clock_tolerance is 0', () => {
  test.each<[name: string, login: BentLogin]>([
    ['a clock that is behind', claims(ago('exp', 2))],
    ['a clock that is ahead', claims(ahead('iat', 30))],
  ])('refuses %s', async (_, login) => {
    await using strict = await TestDaemon.start({ daemon: { clock_tolerance: 0 } })
    using wire = await Wire.connect(strict.socket)
    const site = await BentSite.register(wire, op)
    await site.refuses(login, { error: 'invalid_id_token_expired' })
  })
})

describe('C13 P25 refuses a signature', () => {
  test.each<[name: string, login: BentLogin, error: string]>([
    [
      'oidcc-client-test-invalid-sig-rs256',
      id_token(breakSignature),
      'invalid_id_token_bad_signature',
    ],
    [
      'S1 oidcc-client-test-idtoken-sig-none',
      id_token((_, header, body) => `${signingInput({ ...header, alg: 'none' }, body)}.`),
      'invalid_id_token_bad_signature',
    ],
    [
      'alg none in other letters',
      id_token((_, header, body) => `${signingInput({ ...header, alg: 'nOnE' }, body)}.`),
      'invalid_id_token_bad_signature',
    ],
    [
      'S1 signature cut off, alg kept',
      id_token((jwt) => jwt.slice(0, jwt.lastIndexOf('.') + 1)),
      'invalid_id_token_bad_signature',
    ],
    [
      'oidcc-client-test-invalid-sig-hs256',
      id_token((_, header, body) => hs256(header, body, 'a secret of nobody')),
      'invalid_id_token_bad_signature',
    ],
    [
      'HS256 keyed with the client secret, which the registration does not allow',
      id_token((_, header, body) =>
        hs256(header, body, [...op.clients.values()].at(-1)?.client_secret as string),
      ),
      'invalid_id_token_bad_signature',
    ],
    [
      'M1 S3 HS256 keyed with the public key as PEM',
      id_token((_, header, body) => hs256(header, body, publicPem(op.key))),
      'invalid_id_token_bad_signature',
    ],
    [
      'M1 HS256 keyed with the public key as JWK',
      id_token((_, header, body) => hs256(header, body, JSON.stringify(op.key.jwk))),
      'invalid_id_token_bad_signature',
    ],
    [
      'by a key of the header itself (jwk)',
      { bends: bySelfMadeKey((key) => ({ jwk: key.jwk })) },
      'invalid_id_token_bad_signature',
    ],
    [
      'P30 S37 by a key that the header points to (jku), which is not fetched',
      { bends: bySelfMadeKey(() => ({ jku: `${op.issuer}/other-keys` })) },
      'invalid_id_token_bad_signature',
    ],
    [
      'S37 by a key whose certificate the header points to (x5u), which is not fetched',
      { bends: bySelfMadeKey(() => ({ x5u: `${op.issuer}/other-certificate` })) },
      'invalid_id_token_bad_signature',
    ],
    [
      'S2 an algorithm that nobody knows',
      { bends: { header: set({ alg: 'XS256' }) } },
      'invalid_id_token_bad_signature',
    ],
    ['claims changed after signing', id_token(otherSub), 'invalid_id_token_bad_signature'],
  ])('%s', async (_, login, error) => {
    await site.refuses(login, { error })
  })

  test.each<[name: string, login: BentLogin, error: string]>([
    ['not a JWT', id_token(() => 'nonsense'), 'invalid_id_token'],
    ['an empty string', id_token(() => ''), 'invalid_id_token'],
    [
      'claims that are no object',
      id_token((_, header) => unsigned(header, [])),
      'invalid_id_token',
    ],
    [
      'claims that are no JSON',
      id_token((_, header) => `${part(header)}.!!.AA`),
      'invalid_id_token',
    ],
    [
      'M4 an encrypted one around an unsigned one',
      id_token((jwt) => `${part({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.AA.AA.${part(jwt)}.AA`),
      'invalid_id_token',
    ],
    [
      'S4 crit with an extension nobody knows',
      { bends: { header: set({ crit: ['exp'], exp: 1 }) } },
      'invalid_id_token',
    ],
  ])('%s', async (_, login, error) => {
    await site.refuses(login, { error })
  })

  test.each<[name: string, login: BentLogin]>([
    [
      'alg none',
      id_token((_, header, body) => `${signingInput({ ...header, alg: 'none' }, body)}.`),
    ],
    [
      'HS256 with the client secret',
      id_token((_, header, body) => hs256(header, body, 'issued secret')),
    ],
    [
      'M1 HS256 keyed with the public key as PEM',
      id_token((_, header, body) => hs256(header, body, publicPem(lax.key))),
    ],
  ])('S2 %s, where the OP offers none and HS256 and an operator registered', async (_, login) => {
    await issued.refuses(login, { error: 'invalid_id_token_bad_signature' })
  })

  test('no ID Token at all', async () => {
    await site.refuses({ bends: { id_token: () => undefined } }, { error: 'no_id_token' })
  })
})

describe.each([
  ['RS256', 'oidcc-client-test-idtoken-sig-rs256', 'oidcc-client-test-invalid-sig-rs256'],
  ['ES256', 'rp-id_token-sig-es256', 'oidcc-client-test-invalid-sig-es256'],
  ['PS256', 'a good signature', 'a broken signature'],
  ['EdDSA', 'a good signature', 'a broken signature'],
] as const)('an OP that signs with %s', (alg, good, broken) => {
  let other: BentOp
  let registered: BentSite

  beforeAll(async () => {
    other = await BentOp.start({ alg })
    registered = await BentSite.register(wire, other)
  })
  afterAll(() => other[Symbol.asyncDispose]())

  test(good, async () => {
    expect(JSON.parse(other.last('registration').body)).toMatchObject({
      id_token_signed_response_alg: alg,
    })
    await registered.accepts()
  })

  test(broken, async () => {
    await registered.refuses(id_token(breakSignature), { error: 'invalid_id_token_bad_signature' })
  })

  test('S5 fapi2 invalid-alternate-alg: another algorithm than the registered one, by a key that the OP publishes', async () => {
    const key = makeKey(alg === 'ES256' ? 'RS256' : 'ES256')
    other.keys = [...other.keys, key.jwk]
    await registered.refuses({ bends: { key } }, { error: 'invalid_id_token_bad_signature' })
  })

  test('at_hash of that algorithm wrong', async () => {
    await registered.refuses(claims(append('at_hash')), { error: 'invalid_access_token_bad_hash' })
  })
})

describe('a site registered for HS256', () => {
  const alg = 'HS256'
  let registered: BentSite
  beforeAll(async () => {
    registered = await BentSite.register(wire, trusting, { id_token_signed_response_alg: alg })
  })

  test('rp-id_token-sig-hs256: signed with the client secret', async () => {
    await registered.accepts()
  })

  test.each<[name: string, bends: Bends]>([
    ['oidcc-client-test-invalid-sig-hs256', { id_token: breakSignature }],
    ['S3 of a key of the OP, that it publishes', { key: makeKey('ES256') }],
  ])('%s', async (_, bends) => {
    await registered.refuses({ bends }, { error: 'invalid_id_token_bad_signature' })
  })

  test('M1 keyed with the public key of the OP, as JWK and as PEM', async () => {
    for (const text of [JSON.stringify(trusting.key.jwk), publicPem(trusting.key)]) {
      const bends = { key: secretKey(alg, text) }
      await registered.refuses({ bends }, { error: 'invalid_id_token_bad_signature' })
    }
  })
})

test('S3 a client of the operator that is said to use HS256, and one with too short a secret', async () => {
  const client = {
    client_id: 'issued',
    token_endpoint_auth_method: 'client_secret_basic' as const,
    redirect_uris: ['https://site.example/callback'],
    id_token_signed_response_alg: 'HS256' as const,
  }
  const client_secret = 'a secret of thirty-two bytes or more'
  trusting.addClient({ ...client, client_secret })
  const { redirect_uris: _, ...said } = client
  const registered = await BentSite.register(wire, trusting, { ...said, client_secret })
  await registered.accepts()
  await expect(
    BentSite.register(wire, trusting, { ...said, client_secret: 'short' }),
  ).rejects.toThrow('id_token_signed_response_alg')
})

describe('further audiences, which relyd.cfg trusts', () => {
  let registered: BentSite
  beforeAll(async () => {
    registered = await BentSite.register(wire, trusting)
  })

  test('beside the client, with azp', async () => {
    await registered.accepts(aud((client_id) => ({ aud: [client_id, 'api'], azp: client_id })))
  })

  test.each<[name: string, login: BentLogin, claim: string]>([
    ['M5 azp missing', aud((client_id) => ({ aud: [client_id, 'api'] })), 'azp'],
    ['M5 azp another', aud((client_id) => ({ aud: [client_id, 'api'], azp: 'api' })), 'azp'],
    ['M5 one that is not listed', aud((us) => ({ aud: [us, 'api', 'x'], azp: us })), 'aud'],
    ['M5 the client missing', aud((us) => ({ aud: ['api', 'more'], azp: us })), 'aud'],
  ])('%s', async (_, login, claim) => {
    await registered.refuses(login, {
      error: 'invalid_id_token_bad_audience',
      spec: expect.stringContaining('OIDC Core 3.1.3.7'),
      details: { claim },
    })
  })
})

function ago(claim: string, seconds: number): (honest: Members) => Members {
  return ahead(claim, -seconds)
}

/** Sets a claim to this many seconds from now, at the time of the login. */
function ahead(claim: string, seconds: number): (honest: Members) => Members {
  return (honest) => ({ ...honest, [claim]: Math.floor(Date.now() / 1000) + seconds })
}

function hs256(header: Members, body: Members, secret: string): string {
  const input = signingInput({ ...header, alg: 'HS256' }, body)
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

function publicPem(key: SigningKey): string {
  return createPublicKey(key.private_key).export({ type: 'spki', format: 'pem' }).toString()
}

/** A key that the OP does not publish, under the kid of one that it does. */
function bySelfMadeKey(header: (key: SigningKey) => Members): Bends {
  const key = makeKey('RS256')
  return { key, header: (honest) => ({ ...honest, kid: op.key.kid, ...header(key) }) }
}

function otherSub(jwt: string, header: Members, body: Members): string {
  const end = jwt.slice(jwt.lastIndexOf('.'))
  return signingInput(header, { ...body, sub: 'mallory' }) + end
}

function unsigned(header: Members, body: unknown): string {
  return `${part(header)}.${part(body)}.AA`
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
