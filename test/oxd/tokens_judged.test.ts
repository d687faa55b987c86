/** The commands by which oxd clients have tokens judged: id_token_status, access_token_status, introspect_access_token, validate. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  atHash,
  type BentOp,
  breakSignature,
  expectNoSecrets,
  type Members,
  readJwt,
  signJwt,
} from '../support/bent_op/index.js'
import { type Data, type OxdSite, OxdWorld } from '../support/oxd/oxd_world.js'

const NOTHING = { active: false, expires_at: null, issued_at: null }
const NOW = Math.floor(Date.now() / 1000)

describe('at a real OP', () => {
  let world: OxdWorld
  let site: OxdSite
  let tokens: Data

  beforeAll(async () => {
    world = await OxdWorld.start()
    site = await world.site()
    tokens = await site.logIn()
  })

  afterAll(async () => {
    site[Symbol.dispose]()
    await world[Symbol.asyncDispose]()
  })

  test.each(['id_token_status', 'check_id_token'])('%s tells of a good ID Token', async (name) => {
    const { id_token, id_token_claims } = tokens
    const { exp, iat } = readJwt(id_token).claims
    expect(await site.ok(name, { id_token, nonce: 'of anybody' })).toEqual({
      active: true,
      expires_at: exp,
      issued_at: iat,
      claims: id_token_claims,
    })
  })

  test.each([
    ['a forged signature', breakSignature],
    ['no signature', (jwt: string) => jwt.replace(/[^.]*$/, '')],
    ['no ID Token', () => 'nothing of the kind'],
  ])('of an ID Token with %s nothing is told but that', async (_, change) => {
    const id_token = change(tokens.id_token)
    expect(await site.ok('id_token_status', { id_token })).toEqual({ ...NOTHING, claims: null })
    const { access_token } = tokens
    expect(await site.ok('access_token_status', { id_token, access_token })).toEqual(NOTHING)
  })

  test("another site's ID Token is not active here", async () => {
    using other = await world.site()
    const { id_token, access_token } = await other.logIn()
    expect((await site.ok('id_token_status', { id_token })).active).toBe(false)
    expect(await site.ok('access_token_status', { id_token, access_token })).toEqual(NOTHING)
  })

  test.each(['access_token_status', 'check_access_token'])(
    '%s tells whether it was issued with the ID Token',
    async (name) => {
      const { id_token, access_token } = tokens
      const { exp, iat } = readJwt(id_token).claims
      expect(await site.ok(name, { id_token, access_token })).toEqual({
        active: true,
        expires_at: Number(exp) * 1000,
        issued_at: Number(iat) * 1000,
      })
      const other = (await site.logIn()).access_token
      expect(await site.ok(name, { id_token, access_token: other })).toEqual(NOTHING)
    },
  )

  test('introspect_access_token tells what the OP says, and nulls for the rest', async () => {
    const { access_token, id_token_claims } = tokens
    const [client_id] = id_token_claims.aud
    const scope = 'openid profile email address offline_access'
    const told = await site.ok('introspect_access_token', { access_token })
    expect(told).toEqual({
      active: true,
      scope,
      scopes: scope.split(' '),
      client_id,
      username: null,
      token_type: 'Bearer',
      exp: told.iat + 3600,
      iat: expect.any(Number),
      sub: 'alice',
      aud: null,
      iss: world.op.issuer,
      jti: null,
      acr_values: null,
    })
    const unknown = await site.ok('introspect_access_token', { access_token: 'x' })
    expect(Object.keys(unknown)).toEqual(Object.keys(told))
    expect(new Set(Object.values(unknown))).toEqual(new Set([false, null]))
  })
})

describe('at an OP that can be bent', () => {
  let world: OxdWorld<BentOp>
  let site: OxdSite

  beforeAll(async () => {
    world = await OxdWorld.bent()
    site = await world.site('3.1', { response_type: 'code id_token token' })
  })

  afterAll(async () => {
    site[Symbol.dispose]()
    await world.daemon.stop()
    expectNoSecrets(world.daemon.log, world.op)
    await world[Symbol.asyncDispose]()
  })

  /** An ID Token of the OP for the site. */
  function signed(claims: Members): string {
    const { kid, alg } = world.op.key
    const [client_id] = [...world.op.clients.keys()]
    const whole = { iss: world.op.issuer, aud: client_id, sub: 'alice', iat: NOW, ...claims }
    return signJwt({ alg, kid }, { exp: NOW + 60, ...whole }, world.op.key)
  }

  test('a good ID Token of the OP is active until it expires', async () => {
    expect((await site.ok('id_token_status', { id_token: signed({}) })).active).toBe(true)
    const id_token = signed({ exp: NOW - 3600, iat: NOW - 7200 })
    expect(await site.ok('id_token_status', { id_token })).toEqual({ ...NOTHING, claims: null })
  })

  test('an ID Token without at_hash vouches for no access token, unless a login brought both', async () => {
    const access_token = 'any'
    const with_hash = signed({ at_hash: atHash('RS256', access_token) })
    const judged = (id_token: string) => site.ok('access_token_status', { id_token, access_token })
    expect((await judged(with_hash)).active).toBe(true)
    expect(await judged(signed({}))).toEqual(NOTHING)
    expect(await judged(signed({ at_hash: atHash('RS256', 'other') }))).toEqual(NOTHING)
  })

  test('where the OP tells no at_hash, the ID Token of a login vouches for all its access tokens, and for no other', async () => {
    using plain = await world.site('3.1', { scope: ['openid', 'offline_access'] })
    const judged = async (tokens: Data) => (await plain.ok('access_token_status', tokens)).active
    world.op.bend({ claims: ({ at_hash: _, ...claims }) => claims })
    const [one, other] = [await plain.logIn(), await plain.logIn()]
    const { id_token, access_token, refresh_token } = one
    const pairs = () => [
      { id_token, access_token },
      { id_token, access_token: fresh.access_token },
    ]
    expect(await judged({ id_token, access_token })).toBe(true)
    expect(await judged({ id_token, access_token: other.access_token })).toBe(false)
    const fresh = await plain.ok('get_access_token_by_refresh_token', { refresh_token })
    world.op.straighten()
    for (const pair of pairs()) expect(await judged(pair)).toBe(true)
    const [client_id] = one.id_token_claims.aud
    const of_nobody = signed({ aud: client_id, nonce: 'of no login' })
    for (const { access_token } of pairs()) {
      expect(await judged({ id_token: of_nobody, access_token })).toBe(false)
      expect(await judged({ id_token: other.id_token, access_token })).toBe(false)
      expect(await judged({ id_token: signed({ aud: client_id }), access_token })).toBe(false)
    }
  })

  /** What a hybrid login brings back, for validate. */
  async function response(): Promise<Record<string, string>> {
    const callback = await site.callback({ prompt: undefined })
    const { code, state, id_token, access_token } = Object.fromEntries(
      new URLSearchParams(callback.hash.slice(1)),
    )
    return { code, state, id_token, access_token } as Record<string, string>
  }

  test('validate lets a good response pass, and leaves its login in place', async () => {
    const { code, state, id_token = '', access_token } = await response()
    const nonce = String(readJwt(id_token).claims['nonce'])
    expect(await site.ok('validate', { code, state })).toBeNull()
    expect(await site.ok('validate', { code, state, id_token, access_token, nonce })).toBeNull()
    expect(await site.ok('validate', { code, state, id_token })).toBeNull()
  })

  test.each<[string, string, (response: Record<string, string>) => object]>([
    ['another code', 'invalid_authorization_code_bad_hash', () => ({ code: 'x' })],
    ['another access token', 'invalid_access_token_bad_hash', () => ({ access_token: 'x' })],
    ['another nonce', 'invalid_nonce', () => ({ nonce: 'x' })],
    ['another state', 'invalid_state', () => ({ state: 'x' })],
    ['an access token alone', 'no_id_token', () => ({ id_token: null })],
    [
      'a forged ID Token',
      'invalid_id_token_bad_signature',
      ({ id_token = '' }) => ({ id_token: breakSignature(id_token) }),
    ],
    [
      'an ID Token without c_hash',
      'invalid_id_token',
      ({ id_token = '', access_token = '' }) => {
        const { nonce } = readJwt(id_token).claims
        return { id_token: signed({ nonce, at_hash: atHash('RS256', access_token) }) }
      },
    ],
  ])('validate refuses %s: %s', async (_, error, change) => {
    const good = await response()
    expect((await site.refused('validate', { ...good, ...change(good) })).error).toBe(error)
    expect(await site.ok('validate', good)).toBeNull()
  })

  test("validate knows no other site's login", async () => {
    using other = await world.site()
    const good = await response()
    expect((await other.refused('validate', good)).error).toBe('invalid_state')
  })
})
