/** The one validator of ID Tokens, without a daemon around it: each check alone, and what chance makes of a token. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Alg,
  append,
  atHash,
  breakSignature,
  encryptJwe,
  makeKey,
  type SigningKey,
  secretKey,
  set,
  signJwt,
  signText,
  symmetricKey,
  unsignedJwt,
} from '../../../test/support/bent_op/index.js'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { checkIssuer, type ExpectedIdToken, validateIdToken } from './id_token.js'
import type { Members } from './jwt_parts.js'
import type { OpOptions } from './op_options.js'
import type { OpSide } from './op_side.js'
import { Provider } from './provider.js'

const ISSUER = 'https://op.example'
const NOW = 1_800_000_000
const MINUTE = 60
const NONCE = 'the nonce of this login'
const ACCESS_TOKEN = 'the access token of this login'
const CODE = 'the code of this login'
const STATE = 'the state of this login'
const SECRET = 'a client secret that is long enough for HS512, which needs sixty-four bytes'

const rsa = makeKey('RS256')

interface World {
  key?: SigningKey
  published?: Members[]
  client?: { [N in keyof Site['client']]?: Site['client'][N] | undefined }
  /** What the site wished for. */
  settings?: Members
  secrets?: Site['secrets']
  registered_by?: Site['registered_by']
  offered?: string[]
  options?: Partial<OpOptions>
  clock_tolerance?: number
}

function worldOf({ key = rsa, published = [key.jwk], ...world }: World = {}) {
  const { registered_by = 'relyd', secrets = { client_secret: SECRET } } = world
  const metadata = { issuer: ISSUER, id_token_signing_alg_values_supported: world.offered }
  const provider = new Provider(ISSUER, metadata as Provider['metadata'], { keys: published }, 0)
  const site = {
    op_host: ISSUER,
    issuer: ISSUER,
    registered_by,
    client: { client_id: 'us', id_token_signed_response_alg: key.alg, ...world.client },
    settings: { metadata: world.settings },
    secrets,
  } as unknown as Site
  const side = {
    providers: { refetchKeys: async () => provider.jwks },
    options: new Map(
      world.options ? [[ISSUER, { name: 'one', op_host: ISSUER, ...world.options }]] : [],
    ),
    clock: () => NOW,
    clock_tolerance: world.clock_tolerance ?? 60,
  } as unknown as OpSide
  return { side, site, provider, key }
}

function honest(): Members {
  return {
    iss: ISSUER,
    sub: 'alice',
    aud: 'us',
    iat: NOW,
    exp: NOW + 5 * MINUTE,
    nonce: NONCE,
  }
}

interface Case extends World {
  claims?: (claims: Members) => Members
  header?: Members
  jwt?: (jwt: string) => string
  expected?: Partial<ExpectedIdToken>
}

function validate({ claims = (one) => one, header, jwt = (one) => one, expected, ...world }: Case) {
  const { side, site, provider, key } = worldOf(world)
  const head = { alg: key.alg, ...(key.kid && { kid: key.kid }), ...header }
  const token = jwt(signJwt(head, claims(honest()), key))
  return validateIdToken(side, site, provider, token, {
    nonce: NONCE,
    front_channel: false,
    refreshed: expected?.login !== undefined,
    ...expected,
  })
}

async function refused(one: Case): Promise<CommandError> {
  const error: unknown = await validate(one).then(
    () => 'accepted',
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(CommandError)
  const said = JSON.stringify([(error as Error).message, (error as CommandError).details])
  for (const secret of [NONCE, ACCESS_TOKEN, CODE, STATE, SECRET]) {
    expect(said).not.toContain(secret)
    expect(said).not.toContain(atHash('RS256', secret))
  }
  return error as CommandError
}

const at = (claim: string, seconds: number) => set({ [claim]: NOW + seconds })

test('an issuer that stands for many lets nobody in where no tenants are listed', () => {
  const providerAt = (issuer: string) =>
    new Provider('https://op.example', { issuer } as Provider['metadata'], null, 0)
  const claims = { iss: 'https://op.example/a', tid: 'a', sub: 's', aud: 'c', iat: 0, exp: 0 }
  expect(() =>
    checkIssuer(providerAt('https://op.example/{tenantid}'), {}, claims, undefined),
  ).toThrow(expect.objectContaining({ code: 'invalid_id_token_bad_issuer' }))
  expect(() => checkIssuer(providerAt('https://op.example/a'), {}, claims, undefined)).not.toThrow()
})

describe('P25 algorithms', () => {
  const algs: Alg[] = [
    ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
    ...(['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'HS256', 'HS384', 'HS512'] as const),
  ]
  const keyOf = (alg: Alg) => (alg.startsWith('HS') ? secretKey(alg, SECRET) : makeKey(alg))

  test.each(algs)('%s verifies, with the hashes that go with it', async (alg) => {
    const key = keyOf(alg)
    const hashes = { at_hash: atHash(alg, ACCESS_TOKEN), c_hash: atHash(alg, CODE) }
    const expected = { access_token: ACCESS_TOKEN, code: CODE, front_channel: true }
    const published = alg.startsWith('HS') ? [rsa.jwk] : [key.jwk]
    const one = { key, published, expected }
    const { id_token_claims } = await validate({ ...one, claims: set(hashes) })
    expect(id_token_claims).toMatchObject({ sub: 'alice', ...hashes })
    expect((await refused({ ...one, claims: set(hashes), jwt: breakSignature })).code).toBe(
      'invalid_id_token_bad_signature',
    )
    const other = alg.endsWith('256') ? 'ES384' : 'RS256'
    const foreign = { ...hashes, at_hash: atHash(other, ACCESS_TOKEN) }
    expect((await refused({ ...one, claims: set(foreign) })).code).toBe(
      'invalid_access_token_bad_hash',
    )
  })

  test.each<[name: string, one: Case, why: RegExp]>([
    ['none', { jwt: () => unsignedJwt(honest()) }, /algorithm of the registration/],
    ['ES256K', { key: makeKey('ES256K') }, /publishes no key|does not verify/],
    [
      'S5 another than the registered one',
      { client: { id_token_signed_response_alg: 'PS256' } },
      /algorithm/,
    ],
    [
      'S3 HS256, where nothing was registered and RS256 is meant',
      { key: secretKey('HS256', SECRET), client: { id_token_signed_response_alg: undefined } },
      /algorithm/,
    ],
    [
      'M1 HS256 registered, keyed with the public key of the OP',
      { key: secretKey('HS256', JSON.stringify(rsa.jwk)), published: [rsa.jwk] },
      /does not verify with the client_secret/,
    ],
    [
      'HS256 of a site without a secret',
      { key: secretKey('HS256', ''), published: [rsa.jwk], secrets: {} },
      /256 bits or more/,
    ],
    [
      'HS256 with a secret of 31 bytes (RFC 7518 3.2)',
      {
        key: secretKey('HS256', 'x'.repeat(31)),
        published: [rsa.jwk],
        secrets: { client_secret: 'x'.repeat(31) },
      },
      /RFC 7518 3\.2/,
    ],
    [
      "S2 HS256 offered by the OP of an operator's client that pins nothing",
      {
        key: secretKey('HS256', SECRET),
        offered: ['none', 'HS256', 'RS256'],
        registered_by: 'operator',
        client: { id_token_signed_response_alg: undefined },
      },
      /algorithm/,
    ],
  ])('refuses %s', async (_, one, why) => {
    const error = await refused(one)
    expect(error.code).toBe('invalid_id_token_bad_signature')
    expect(error.message).toMatch(why)
  })

  test("an operator's client that pins nothing takes what the OP offers of its own keys", async () => {
    const key = makeKey('ES384')
    const client = { id_token_signed_response_alg: undefined }
    const offered = ['ES384', 'HS256']
    await validate({ key, offered, registered_by: 'operator', client })
  })
})

describe('P27 without a kid', () => {
  const noKid = (jwt: string) => jwt
  test('oidcc-client-test-kid-absent-multiple-jwks: the one of several that verifies', async () => {
    const others = [makeKey('RS256'), makeKey('ES256'), makeKey('ES256K'), makeKey('EdDSA')]
    const published = [...others, rsa].map(({ jwk }) => ({ ...jwk, alg: undefined }))
    await validate({ published, header: { kid: undefined }, jwt: noKid })
    const error = await refused({ published: published.slice(0, 4), header: { kid: undefined } })
    expect(error.code).toBe('invalid_id_token_bad_signature')
  })
})

describe('M16 clocks', () => {
  const within = [
    ['exp a minute ago, but for a second', at('exp', -59)],
    ['iat a minute ahead', at('iat', MINUTE)],
    ['nbf a minute ahead', at('nbf', MINUTE)],
  ] as const
  test.each(within)('%s is within the tolerance', async (_, claims) => {
    await validate({ claims })
    const strict = await refused({ claims, clock_tolerance: 0 })
    expect(strict.code).toBe('invalid_id_token_expired')
  })

  test.each([
    ['exp ten minutes ago', at('exp', -10 * MINUTE)],
    ['iat ten minutes ahead', at('iat', 10 * MINUTE)],
    ['nbf ten minutes ahead', at('nbf', 10 * MINUTE)],
  ])('%s is beyond it, unless clock_tolerance says otherwise', async (_, claims) => {
    const error = await refused({ claims })
    expect(error.code).toBe('invalid_id_token_expired')
    expect(error.details).toMatchObject({ expected: { now: NOW, clock_tolerance: 60 } })
    await validate({ claims, clock_tolerance: 15 * MINUTE })
  })
})

describe('audiences', () => {
  const options = { trusted_audiences: ['api', 'more'] }
  test.each<[name: string, claims: Members]>([
    ['one of them', { aud: ['us', 'api'], azp: 'us' }],
    ['both', { aud: ['api', 'us', 'more'], azp: 'us' }],
    ['none', { aud: 'us' }],
  ])('beside the client that relyd.cfg trusts: %s', async (_, claims) => {
    await validate({ options, claims: set(claims) })
  })

  test.each<[name: string, claims: Members, claim: string]>([
    ['M5 without azp', { aud: ['us', 'api'] }, 'azp'],
    ["M5 with another's azp", { aud: ['us', 'api'], azp: 'api' }, 'azp'],
    ['without the client', { aud: ['api'], azp: 'us' }, 'aud'],
    ['with a further one', { aud: ['us', 'api', 'foreign'], azp: 'us' }, 'aud'],
    ['with what is no text', { aud: ['us', { api: 1 }], azp: 'us' }, 'aud'],
    ['that are trusted, in a list', { aud: ['us', ['api']], azp: 'us' }, 'aud'],
  ])('refused: %s', async (_, claims, claim) => {
    const error = await refused({ options, claims: set(claims) })
    expect(error).toMatchObject({
      code: 'invalid_id_token_bad_audience',
      details: { claim },
      spec: expect.stringContaining('OIDC Core 3.1.3.7 step'),
    })
  })

  test('a second audience that nobody trusts', async () => {
    const error = await refused({ claims: set({ aud: ['us', 'api'], azp: 'us' }) })
    expect(error.details).toEqual({
      claim: 'aud',
      expected: ['us'],
      received: ['us', 'api'],
    })
    expect(error.spec).toBe('OIDC Core 3.1.3.7 step 3')
  })
})

describe('through the browser', () => {
  const all = { access_token: ACCESS_TOKEN, code: CODE, state: STATE, front_channel: true }
  const hashes = {
    at_hash: atHash('RS256', ACCESS_TOKEN),
    c_hash: atHash('RS256', CODE),
    s_hash: atHash('RS256', STATE),
  }
  const bad_code = 'invalid_authorization_code_bad_hash'

  test('with all hashes, and without the one that OIDC Core does not have', async () => {
    await validate({ expected: all, claims: set(hashes) })
    await validate({ expected: all, claims: set({ ...hashes, s_hash: undefined }) })
  })

  test.each<[name: string, bend: (claims: Members) => Members, code: string, claim: string]>([
    ['oidcc-client-test-invalid-chash', append('c_hash'), bad_code, 'c_hash'],
    ['oidcc-client-test-missing-chash', set({ c_hash: undefined }), 'invalid_id_token', 'c_hash'],
    [
      'oidcc-client-test-invalid-athash',
      append('at_hash'),
      'invalid_access_token_bad_hash',
      'at_hash',
    ],
    [
      'oidcc-client-test-missing-athash',
      set({ at_hash: undefined }),
      'invalid_id_token',
      'at_hash',
    ],
    ['s_hash of another state', append('s_hash'), bad_code, 's_hash'],
    ['c_hash and at_hash exchanged', set({ c_hash: hashes.at_hash }), bad_code, 'c_hash'],
    [
      'a hash whole, and not its half',
      set({ c_hash: `${hashes.c_hash}${hashes.c_hash}` }),
      bad_code,
      'c_hash',
    ],
    ['a hash that is no text', set({ c_hash: 7 }), bad_code, 'c_hash'],
    ['a hash that is null', set({ at_hash: null }), 'invalid_access_token_bad_hash', 'at_hash'],
  ])('%s', async (_, bend, code, claim) => {
    const claims = (one: Members) => bend({ ...one, ...hashes })
    const error = await refused({ expected: all, claims })
    expect(error).toMatchObject({ code, details: { claim } })
    expect(Object.keys(error.details ?? {}).sort()).toEqual(['claim'])
  })

  test('of the token endpoint they may be missing, but not wrong', async () => {
    const expected = { ...all, front_channel: false }
    await validate({ expected })
    expect((await refused({ expected, claims: set({ c_hash: 'x' }) })).code).toBe(bad_code)
  })
})

describe('what was asked for', () => {
  test.each<[name: string, one: Case, code: string]>([
    [
      'an acr of two, and another came',
      { claims: set({ acr: '0' }), expected: { essential: { acr: ['1', '2'] } } },
      'invalid_id_token_bad_acr',
    ],
    [
      'an acr, and none came',
      { expected: { essential: { acr: ['1'] } } },
      'invalid_id_token_bad_acr',
    ],
    [
      'an acr, and a list came',
      { claims: set({ acr: ['1'] }), expected: { essential: { acr: ['1'] } } },
      'invalid_id_token_bad_acr',
    ],
    [
      'an End-User, and another came',
      { expected: { essential: { sub: ['bob'] } } },
      'invalid_id_token_bad_sub',
    ],
    ['max_age, and no auth_time came', { expected: { max_age: 60 } }, 'invalid_id_token'],
    [
      'max_age 0, and an auth_time of two minutes ago came',
      { expected: { max_age: 0 }, claims: at('auth_time', -2 * MINUTE) },
      'invalid_id_token_bad_auth_time',
    ],
    [
      'max_age, and an auth_time in milliseconds came',
      { expected: { max_age: 60 }, claims: set({ auth_time: NOW * 1000 }) },
      'invalid_id_token_bad_auth_time',
    ],
    [
      'require_auth_time, and none came',
      { client: { require_auth_time: true } },
      'invalid_id_token',
    ],
    [
      'default_max_age, and an older auth_time came',
      { client: { default_max_age: 60 }, claims: at('auth_time', -10 * MINUTE) },
      'invalid_id_token_bad_auth_time',
    ],
    ['any acr, and none came', { expected: { essential: { acr: [] } } }, 'invalid_id_token'],
    [
      'max_age 0, and an auth_time before the login began, which took ten seconds',
      { expected: { max_age: 0, began_at: NOW - 10 }, claims: at('auth_time', -50) },
      'invalid_id_token_bad_auth_time',
    ],
    [
      'default_max_age that the OP dropped, and an older auth_time came',
      { settings: { default_max_age: 60 }, claims: at('auth_time', -10 * MINUTE) },
      'invalid_id_token_bad_auth_time',
    ],
    [
      'default_max_age that the OP made greater, and an older auth_time came',
      {
        settings: { default_max_age: 60 },
        client: { default_max_age: 3600 },
        claims: at('auth_time', -10 * MINUTE),
      },
      'invalid_id_token_bad_auth_time',
    ],
    [
      'require_auth_time that the OP dropped, and none came',
      { settings: { require_auth_time: true } },
      'invalid_id_token',
    ],
    ['auth_time that is no number', { claims: set({ auth_time: '1' }) }, 'invalid_id_token'],
    ['auth_time before all time', { claims: set({ auth_time: -1 }) }, 'invalid_id_token'],
  ])('%s', async (_, one, code) => {
    expect((await refused(one)).code).toBe(code)
  })

  test.each<[name: string, one: Case]>([
    ['an acr', { claims: set({ acr: '2' }), expected: { essential: { acr: ['1', '2'] } } }],
    ['an End-User', { expected: { essential: { sub: ['bob', 'alice'] } } }],
    ['max_age', { claims: at('auth_time', -30), expected: { max_age: 30 } }],
    ['any acr', { claims: set({ acr: '2' }), expected: { essential: { acr: [] } } }],
    [
      'max_age 0, and authenticated while the login went on',
      { claims: at('auth_time', -50), expected: { max_age: 0, began_at: NOW - 55 } },
    ],
    [
      'an old auth_time after a refresh, also where the login is not known any more',
      {
        client: { default_max_age: 60, require_auth_time: true },
        claims: at('auth_time', -10 * MINUTE),
        expected: { refreshed: true },
      },
    ],
    [
      'no auth_time after a refresh',
      { client: { require_auth_time: true }, expected: { refreshed: true } },
    ],
    [
      'a max_age greater than the default',
      {
        client: { default_max_age: 60 },
        claims: at('auth_time', -10 * MINUTE),
        expected: { max_age: 3600 },
      },
    ],
    ['no max_age, with any auth_time', { claims: set({ auth_time: NOW * 1000 }) }],
  ])('and came: %s', async (_, one) => {
    await validate(one)
  })
})

describe('a refreshed one', () => {
  const login = { ...honest(), auth_time: NOW - 3600 }
  const expected = { nonce: undefined, login }

  test.each<[name: string, claims: Members]>([
    ['without a nonce', { nonce: undefined }],
    ['with all of the login', { auth_time: NOW - 3600 }],
  ])('%s', async (_, claims) => {
    await validate({ expected, claims: set(claims), client: { default_max_age: 60 } })
  })

  test.each<[name: string, claims: Members, code: string]>([
    ['oidcc-client-test-refresh-token-invalid-sub', { sub: 'bob' }, 'invalid_id_token_bad_sub'],
    [
      'oidcc-client-test-refresh-token-invalid-issuer',
      { iss: `${ISSUER}1` },
      'invalid_id_token_bad_issuer',
    ],
    ['M13 another auth_time', { auth_time: NOW }, 'invalid_id_token_bad_auth_time'],
    ['M13 another nonce', { nonce: 'another' }, 'invalid_id_token_bad_nonce'],
    ['M13 an azp that the login had not', { azp: 'us' }, 'invalid_id_token_bad_audience'],
    ['M13 another aud', { aud: 'other' }, 'invalid_id_token_bad_audience'],
  ])('%s', async (_, claims, code) => {
    expect((await refused({ expected, claims: set(claims) })).code).toBe(code)
  })
})

describe('of another form', () => {
  const head = { alg: 'RS256', kid: rsa.kid }
  const raw = (claims: string, header: Members = head) => signText(header, claims, rsa)
  const asText = (members: object) => JSON.stringify({ ...honest(), ...members })

  test.each<[name: string, jwt: (jwt: string) => string, code: string]>([
    ['padding', (jwt) => `${jwt}=`, 'invalid_id_token'],
    ['a line break', (jwt) => `${jwt}\n`, 'invalid_id_token'],
    ['white space before', (jwt) => ` ${jwt}`, 'invalid_id_token'],
    ['base64 instead of base64url', (jwt) => jwt.replace('.', '/.'), 'invalid_id_token'],
    ['four parts', (jwt) => `${jwt}.AA`, 'invalid_id_token'],
    ['two parts', (jwt) => jwt.slice(0, jwt.lastIndexOf('.')), 'invalid_id_token'],
    ['a detached payload', (jwt) => jwt.replace(/\..*\./, '..'), 'invalid_id_token'],
    ['bytes that are no UTF-8', (jwt) => jwt.replace(/\.[^.]*\./, '._w.'), 'invalid_id_token'],
    ['S21 more than 64 KiB', () => raw(asText({ x: 'x'.repeat(50_000) })), 'invalid_id_token'],
    ['no alg', () => raw(asText({}), { kid: rsa.kid }), 'invalid_id_token'],
    ['a kid that is no text', () => raw(asText({}), { ...head, kid: 7 }), 'invalid_id_token'],
    ['S4 crit', () => raw(asText({}), { ...head, crit: ['x'], x: 1 }), 'invalid_id_token'],
    ['S4 crit, empty', () => raw(asText({}), { ...head, crit: [] }), 'invalid_id_token'],
    [
      'S4 crit with b64',
      () => raw(asText({}), { ...head, crit: ['b64'], b64: true }),
      'invalid_id_token',
    ],
    ['S7 an access token', () => raw(asText({}), { ...head, typ: 'at+jwt' }), 'invalid_id_token'],
    ['a logout token', () => raw(asText({}), { ...head, typ: 'logout+JWT' }), 'invalid_id_token'],
    ['claims null', () => raw('null'), 'invalid_id_token'],
    [
      'nonce twice, the good one first',
      () => raw(asText({}).replace(/}$/, ',"nonce":"x"}')),
      'invalid_id_token_bad_nonce',
    ],
    [
      'sub twice, an empty one last',
      () => raw(asText({}).replace(/}$/, ',"sub":""}')),
      'invalid_id_token',
    ],
    [
      'a sub that only its prototype has',
      () => raw(asText({ sub: undefined }).replace(/}$/, ',"__proto__":{"sub":"eve"}}')),
      'invalid_id_token',
    ],
    ['iss null', () => raw(asText({ iss: null })), 'invalid_id_token'],
    ['aud an object', () => raw(asText({ aud: { us: 1 } })), 'invalid_id_token'],
    ['nbf no number', () => raw(asText({ nbf: '0' })), 'invalid_id_token'],
  ])('%s', async (_, jwt, code) => {
    expect((await refused({ jwt })).code).toBe(code)
  })

  test('typ JWT, in any letters, and none', async () => {
    for (const typ of ['JWT', 'jwt', undefined]) await validate({ header: { typ } })
  })
})

describe('fuzz', () => {
  let world: ReturnType<typeof worldOf>
  let token: string
  beforeAll(() => {
    world = worldOf()
    token = signJwt({ alg: 'RS256', kid: rsa.kid }, honest(), rsa)
  })
  const outcome = (jwt: string, expected: Partial<ExpectedIdToken> = {}) =>
    validateIdToken(world.side, world.site, world.provider, jwt, {
      nonce: NONCE,
      front_channel: false,
      refreshed: false,
      ...expected,
    }).then(
      () => 'accepted',
      (error: unknown) => (error instanceof CommandError ? 'refused' : error),
    )
  afterAll(async () => expect(await outcome(token)).toBe('accepted'))

  test('no change of one character of a token passes', async () => {
    const place = fc.nat(token.length - 1)
    const other = fc.constantFrom(...'ABab01-_.=+/ \n"{\u0000é')
    await fc.assert(
      fc.asyncProperty(place, other, async (at, character) => {
        fc.pre(token[at] !== character)
        const bent = token.slice(0, at) + character + token.slice(at + 1)
        expect(await outcome(bent)).toBe('refused')
      }),
      { numRuns: 300 },
    )
  })

  test('no header and claims of chance pass, or throw anything but a refusal', async () => {
    const members = fc.dictionary(
      fc.constantFrom('alg', 'enc', 'kid', 'crit', 'zip', 'typ', 'sub', 'aud', 'iss', 'exp'),
      fc.oneof(fc.jsonValue(), fc.constantFrom('none', 'RS256', 'HS256', 'dir', 'us', ISSUER)),
    )
    const part = fc.oneof(
      members.map((one) => Buffer.from(JSON.stringify(one)).toString('base64url')),
      fc.string(),
      fc.base64String(),
    )
    const parts = fc.array(part, { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(parts, async (some) => {
        expect(await outcome(some.join('.'))).toBe('refused')
      }),
      { numRuns: 300 },
    )
  })

  test('no change of one character of an encrypted token passes', async () => {
    const client = { id_token_encrypted_response_alg: 'A128KW' }
    const { side, site, provider } = worldOf({ client })
    const key = symmetricKey('A128KW', 'A128CBC-HS256', SECRET)
    const header = { alg: 'A128KW', enc: 'A128CBC-HS256' }
    const jwe = encryptJwe({ header, plaintext: token, key })
    const expected = { nonce: NONCE, front_channel: false, refreshed: false }
    const { jws } = await validateIdToken(side, site, provider, jwe, expected)
    expect(jws).toBe(token)
    const other = fc.constantFrom(...'ABab01-_.=+')
    await fc.assert(
      fc.asyncProperty(fc.nat(jwe.length - 1), other, async (at, character) => {
        fc.pre(jwe[at] !== character)
        const bent = jwe.slice(0, at) + character + jwe.slice(at + 1)
        await expect(validateIdToken(side, site, provider, bent, expected)).rejects.toThrow(
          CommandError,
        )
      }),
      { numRuns: 200 },
    )
    // As it is registered, nothing else is opened, and nothing that is not encrypted.
    expect(await outcome(jwe)).toBe('refused')
    await expect(validateIdToken(side, site, provider, token, expected)).rejects.toThrow(
      'is not encrypted',
    )
  })

  test('claims of chance, signed by the OP, throw nothing but a refusal', async () => {
    const names = ['iss', 'sub', 'aud', 'azp', 'exp', 'iat', 'nbf', 'nonce', 'acr', 'auth_time']
    const bent = fc.dictionary(fc.constantFrom(...names, 'at_hash', 'c_hash'), fc.jsonValue())
    await fc.assert(
      fc.asyncProperty(bent, async (some) => {
        const jwt = signJwt({ alg: 'RS256', kid: rsa.kid }, { ...honest(), ...some }, rsa)
        const expected = { max_age: 60, access_token: 'x', code: 'y', front_channel: true }
        expect(['accepted', 'refused']).toContain(await outcome(jwt, expected))
      }),
      { numRuns: 200 },
    )
  })
})
