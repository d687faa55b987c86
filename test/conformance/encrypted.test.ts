/** ID Tokens and UserInfo that an OP encrypts to a site (OIDC Core 3.1.3.7 step 1, 5.3.2, 10.2; RFC 7516). */
import { createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Bends,
  BentOp,
  BentSite,
  breakSignature,
  encryptJwe,
  expectNoSecrets,
  type Jwe,
  type Members,
  readJwt,
  set,
  signJwt,
  unsignedJwt,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

let daemon: TestDaemon
let wire: Wire
let op: BentOp

beforeAll(async () => {
  daemon = await TestDaemon.start()
  wire = await Wire.connect(daemon.socket)
  op = await BentOp.start()
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

const ALG = 'RSA-OAEP-256'
const ENC = 'A256GCM'
const both = { id_token_encrypted_response_alg: ALG, id_token_encrypted_response_enc: ENC }
const header = (members: Members): Bends => ({
  jwe: ({ header: honest, ...rest }: Jwe) => ({ ...rest, header: { ...honest, ...members } }),
})

describe('accepts', () => {
  test.each<[name: string, alg: string, enc: string | undefined]>([
    ['rp-id_token-sig+enc', 'RSA-OAEP', undefined],
    ['rp-id_token-sig+enc-a128kw', 'A128KW', 'A128CBC-HS256'],
    ['P26 nested', 'RSA-OAEP-512', 'A128GCM'],
    ['P26 nested', 'ECDH-ES', 'A256CBC-HS512'],
    ['P26 nested', 'ECDH-ES+A256KW', 'A256GCM'],
    ['P26 nested', 'A192GCMKW', 'A192GCM'],
    ['P26 nested', 'dir', 'A192CBC-HS384'],
    ['P26 nested', 'dir', 'A256CBC-HS512'],
  ])('%s: an ID Token and UserInfo encrypted with %s, %s', async (_, alg, enc) => {
    const site = await BentSite.register(wire, op, {
      id_token_encrypted_response_alg: alg,
      userinfo_encrypted_response_alg: alg,
      userinfo_signed_response_alg: 'RS256',
      ...(enc && { id_token_encrypted_response_enc: enc, userinfo_encrypted_response_enc: enc }),
    })
    const { id_token, id_token_claims } = await site.accepts()
    // The site has no key: it gets what was encrypted, which is also what a logout hints with.
    expect(readJwt(id_token).claims).toEqual(id_token_claims)
  })

  test('an ID Token whose header names no key, or one that the site has not', async () => {
    const site = await BentSite.register(wire, op, both)
    for (const kid of [undefined, 'of yesterday']) await site.accepts({ bends: header({ kid }) })
  })

  test('rp-userinfo-enc: UserInfo that is encrypted alone', async () => {
    const site = await BentSite.register(wire, op, { userinfo_encrypted_response_alg: ALG })
    await site.accepts()
  })

  test('rp-userinfo-sig+enc: UserInfo that is signed, then encrypted', async () => {
    const site = await BentSite.register(wire, op, {
      userinfo_encrypted_response_alg: ALG,
      userinfo_signed_response_alg: 'RS256',
    })
    await site.accepts()
  })
})

describe('refuses an ID Token', () => {
  let site: BentSite
  beforeAll(async () => {
    site = await BentSite.register(wire, op, both)
  })

  const foreign = createPublicKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)
  const part = (at: number) => (jwe: string) => {
    const parts = jwe.split('.')
    const bytes = Buffer.from(parts[at] as string, 'base64url')
    bytes[3] = (bytes[3] as number) ^ 1
    parts[at] = bytes.toString('base64url')
    return parts.join('.')
  }

  const malformed = 'invalid_id_token'
  const unverified = 'invalid_id_token_bad_signature'
  test.each<[name: string, bends: Bends, error: string, details: Members]>([
    [
      'M4 around one that nobody signed',
      { id_token: (_, __, claims) => unsignedJwt(claims) },
      unverified,
      { header: 'alg', received: 'none' },
    ],
    [
      'S1 around one with a broken signature',
      { id_token: breakSignature },
      unverified,
      { header: 'kid' },
    ],
    [
      'around claims without a JWT',
      { id_token: (_, __, claims) => JSON.stringify(claims) },
      malformed,
      {},
    ],
    [
      'around itself',
      {
        id_token: (jwt) =>
          encryptJwe({ header: { alg: 'dir', enc: ENC }, plaintext: jwt, key: ofBytes(32) }),
      },
      malformed,
      {},
    ],
    [
      'that is not encrypted',
      { encrypted: () => signJwt({ alg: 'RS256' }, {}, op.key) },
      malformed,
      { header: 'alg', expected: ALG },
    ],
    ['S22 RSA1_5', header({ alg: 'RSA1_5' }), malformed, { header: 'alg', received: 'RSA1_5' }],
    [
      'S22 PBES2',
      {
        jwe: (jwe) => ({
          ...jwe,
          key: ofBytes(20),
          header: { ...jwe.header, alg: 'PBES2-HS256+A128KW', p2c: 2_000_000_000 },
        }),
      },
      malformed,
      { received: 'PBES2-HS256+A128KW' },
    ],
    [
      'of another alg than the registered one',
      header({ alg: 'RSA-OAEP' }),
      malformed,
      { header: 'alg' },
    ],
    [
      'of another enc than the registered one',
      header({ enc: 'A128GCM' }),
      malformed,
      { header: 'enc', expected: ENC },
    ],
    ['S21 compressed', header({ zip: 'DEF' }), malformed, { header: 'zip' }],
    [
      'S21 a bomb of compressed claims',
      { ...header({ zip: 'DEF' }), claims: set({ x: 'x'.repeat(20_000_000) }) },
      malformed,
      { header: 'zip' },
    ],
    ['S4 with crit', header({ crit: ['x'], x: 1 }), malformed, { header: 'crit' }],
  ])('%s', async (_, bends, error, details) => {
    const { details: said } = await site.refuses({ bends }, { error })
    expect(said).toMatchObject(details)
  })

  test.each<[name: string, bends: Bends]>([
    ['encrypted to another key', { jwe: (jwe) => ({ ...jwe, key: foreign }) }],
    ['with another encrypted key', { encrypted: part(1) }],
    ['with another initialization vector', { encrypted: part(2) }],
    ['with other contents', { encrypted: part(3) }],
    ['with another tag', { encrypted: part(4) }],
    [
      'with a header that was not encrypted with it',
      {
        encrypted: (jwe) =>
          jwe.replace(
            /^[^.]+/,
            Buffer.from(JSON.stringify({ alg: ALG, enc: ENC })).toString('base64url'),
          ),
      },
    ],
    ['with nothing in it', { encrypted: (jwe) => `${jwe.slice(0, jwe.indexOf('.'))}....` }],
  ])('in one and the same sentence: %s', async (_, bends) => {
    const { error, error_description, details, spec } = await site.refuses(
      { bends },
      { error: malformed },
    )
    expect({ error, error_description, details, spec }).toEqual({
      error: malformed,
      error_description: 'the ID Token cannot be decrypted with the keys of the site',
      details: undefined,
      spec: 'RFC 7516 5.2',
    })
  })

  test('that is encrypted, of a site that was not registered so', async () => {
    const plain = await BentSite.register(wire, op)
    const bends: Bends = {
      id_token: (jwt) =>
        encryptJwe({ header: { alg: 'dir', enc: ENC }, plaintext: jwt, key: ofBytes(32) }),
    }
    await plain.refuses({ bends }, { error: malformed })
  })
})

describe('refuses UserInfo', () => {
  let site: BentSite
  let session: { oxd_id: string; session_id: string }
  beforeAll(async () => {
    site = await BentSite.register(wire, op, {
      userinfo_encrypted_response_alg: ALG,
      userinfo_signed_response_alg: 'RS256',
    })
    const { session_id } = await site.accepts()
    session = { oxd_id: site.oxd_id, session_id }
  })

  test.each<[name: string, bends: Bends, error: string]>([
    [
      'M4 around one that nobody signed',
      { userinfo_jwt: (_, __, claims) => unsignedJwt(claims) },
      'invalid_user_info',
    ],
    [
      'around claims without a signature',
      { userinfo_jwt: (_, __, claims) => JSON.stringify(claims) },
      'invalid_op_response',
    ],
    [
      'that is not encrypted',
      {
        userinfo_encrypted: () =>
          signJwt({ alg: 'RS256', kid: op.key.kid }, { sub: op.sub }, op.key),
      },
      'invalid_op_response',
    ],
    [
      'encrypted to nobody',
      { userinfo_encrypted: (jwe) => `${jwe.slice(0, -4)}AAAA` },
      'invalid_op_response',
    ],
    [
      'S21 compressed',
      { userinfo_jwe: (jwe) => ({ ...jwe, header: { ...jwe.header, zip: 'DEF' } }) },
      'invalid_op_response',
    ],
    ['of another End-User', { userinfo_claims: set({ sub: 'bob' }) }, 'invalid_user_info'],
  ])('%s', async (_, bends, error) => {
    await site.refusesUserInfo(session, { bends, refused: { error } })
  })
})

describe('refuses a registration', () => {
  test.each<[name: string, answered: Members]>([
    ['S22 for RSA1_5', { id_token_encrypted_response_alg: 'RSA1_5' }],
    ['S22 for PBES2', { id_token_encrypted_response_alg: 'PBES2-HS256+A128KW' }],
    ['for an enc that nobody has', { ...both, id_token_encrypted_response_enc: 'A512GCM' }],
    ['for a key that the site has not', { userinfo_encrypted_response_alg: 'ECDH-ES' }],
    ['for an enc without an alg', { userinfo_encrypted_response_enc: 'A128GCM' }],
    [
      'for HS512, with a secret that is too short',
      { id_token_signed_response_alg: 'HS512', client_secret: 'x'.repeat(63) },
    ],
  ])('%s', async (_, answered) => {
    await BentSite.refusesToRegister(wire, op, {
      bends: { registration: withMembers(answered) },
      refused: { error: 'invalid_op_response' },
      calls: { registration: 1, client: 1 },
    })
  })
})

function ofBytes(bytes: number) {
  return createSecretKey(Buffer.alloc(bytes, 7))
}
