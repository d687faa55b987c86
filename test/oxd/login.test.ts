/** A login as oxd clients of each generation know it: code, tokens, UserInfo, refresh, logout; and what there is no login by. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startOp } from '../../demosite/src/op.js'
import { codeAndState, type OxdSite, OxdWorld } from '../support/oxd/oxd_world.js'
import { declined } from '../support/site.js'
import { Wire } from '../support/wire.js'

let world: OxdWorld

beforeAll(async () => {
  world = await OxdWorld.start()
})

afterAll(() => world[Symbol.asyncDispose]())

const text = expect.stringMatching(/./)
const an_hour = expect.closeTo(3600, -2)

describe.each(['3.1', '3.0', '2.4'] as const)('generation %s', (generation) => {
  test('a login brings tokens, UserInfo, other tokens, and an end', async () => {
    using site = await world.site(generation)
    const tokens = await site.logIn()
    expect(tokens).toEqual({
      access_token: text,
      expires_in: an_hour,
      id_token: text,
      refresh_token: text,
      id_token_claims: expect.objectContaining({ sub: ['alice'], iss: [world.op.issuer] }),
    })

    const info = await site.ok('get_user_info', { access_token: tokens.access_token })
    expect(info).toEqual({
      claims: expect.objectContaining({ sub: ['alice'], email: ['alice@example.com'] }),
      ...(generation === '3.1' && { refresh_token: null, access_token: null }),
    })

    const { refresh_token } = tokens
    const fresh = await site.ok('get_access_token_by_refresh_token', { refresh_token })
    expect(fresh).toEqual({
      access_token: text,
      expires_in: an_hour,
      refresh_token: text,
      scope: 'openid profile email address offline_access',
    })
    expect(fresh.access_token).not.toBe(tokens.access_token)
    const again = await site.ok('get_user_info', { access_token: fresh.access_token })
    expect(again.claims.sub).toEqual(['alice'])

    const { uri } = await site.ok('get_logout_uri', {
      id_token_hint: tokens.id_token,
      state: 'back',
      session_state: 'watched',
    })
    const { origin, searchParams } = new URL(uri)
    expect(origin).toBe(world.op.issuer)
    expect(searchParams.get('id_token_hint')).toBe(tokens.id_token)
    expect(searchParams.get('state')).toBe('back')
    expect(searchParams.has('session_state')).toBe(false)
    for (const secret of [tokens, fresh].flatMap((one) => [one.access_token, one.refresh_token])) {
      expect(world.daemon.output).not.toContain(secret)
    }
  })
})

test('of 2.4, a code that came without its state is of the only login that waits', async () => {
  using site = await world.site('2.4')
  const { code } = codeAndState(await site.callback())
  const tokens = await site.ok('get_tokens_by_code', { code, scopes: ['openid'] })
  expect(tokens.id_token_claims.sub).toEqual(['alice'])
  expect(await site.refused('get_tokens_by_code', { code })).toMatchObject({
    error: 'bad_request',
    error_description: expect.stringContaining('no login of this site waits'),
  })
})

test.each([
  ['3.1', {}],
  ['3.0', {}],
  ['2.4', { state: '' }],
  ['2.4', { state: null }],
] as const)(
  'of %s, a code with %j for its state is of nobody, and its login waits on',
  async (generation, given) => {
    using site = await world.site(generation)
    const { code, state } = codeAndState(await site.callback())
    expect(await site.refused('get_tokens_by_code', { code, ...given })).toMatchObject({
      error: 'bad_request',
      error_description: expect.stringContaining('state is missing: pass what'),
    })
    expect(await site.ok('get_tokens_by_code', { code, state })).toMatchObject({ id_token: text })
  },
)

test('without a state, and with two logins that wait, nobody guesses; with it both go well', async () => {
  using site = await world.site('2.4')
  const [first, second] = [await site.callback(), await site.callback()].map(codeAndState)
  const refused = await site.refused('get_tokens_by_code', { code: first?.code })
  expect(refused).toEqual({
    error: 'bad_request',
    error_description: expect.stringContaining('state is missing, and several logins'),
  })
  for (const callback of [first, second]) {
    const tokens = await site.ok('get_tokens_by_code', callback)
    expect(tokens.id_token_claims.sub).toEqual(['alice'])
  }
})

test("a code of another login than the only one that waits is refused by the OP, for PKCE's sake", async () => {
  using site = await world.site('2.4')
  const [first, second] = [await site.callback(), await site.callback()].map(codeAndState)
  // The first login is over, and its code was not redeemed.
  const url = declined(world.op, first?.state ?? '').replace('http:', 'https:')
  expect(await site.refused('get_tokens_by_code', { url })).toMatchObject({
    error: 'internal_error',
    error_description: expect.stringContaining('access_denied'),
  })
  const { code } = first ?? {}
  expect(await site.refused('get_tokens_by_code', { code })).toMatchObject({
    error: 'internal_error',
    error_description: expect.stringContaining('invalid_grant'),
  })
  expect(await site.refused('get_tokens_by_code', second)).toMatchObject({ error: 'bad_request' })
})

test('the address that the browser requested will do instead of its parts', async () => {
  using site = await world.site('2.4')
  const url = (await site.callback()).href
  expect((await site.ok('get_tokens_by_code', { url })).id_token_claims.sub).toEqual(['alice'])
  expect(await site.refused('get_tokens_by_code', { url })).toEqual({
    error: 'bad_request',
    error_description: expect.stringContaining('completed before'),
  })
})

/** What the browser brings back of a login that a client of relyd's own began. */
async function boundCallback(site: OxdSite, socket: string) {
  using wire = await Wire.connect(socket)
  const { authorization_url, binding } = await wire.ok('get_authorization_url', {
    oxd_id: site.oxd_id,
    prompt: 'consent',
  })
  const callback = await site.browse(authorization_url)
  return { ...codeAndState(callback), binding, url: callback.href }
}

test('a login that is bound to a browser is not for oxd clients, and stays for who has the binding', async () => {
  using site = await world.site()
  const { code, state, binding, url } = await boundCallback(site, world.daemon.socket)
  for (const given of [{ code, state }, { code, state, binding }, { url }]) {
    expect(await site.refused('get_tokens_by_code', given)).toMatchObject({
      error: 'bad_request',
      error_description: expect.stringContaining('bound to a browser'),
      details: { reason: 'invalid_binding' },
    })
  }
  using wire = await Wire.connect(world.daemon.socket)
  const { oxd_id } = site
  expect(await wire.ok('get_tokens_by_callback', { oxd_id, callback: url, binding })).toMatchObject(
    { sub: 'alice' },
  )
})

test('of 2.4, nor is it the only one that waits, for who has lost its state', async () => {
  using site = await world.site('2.4')
  const { code } = await boundCallback(site, world.socketOf('2.4'))
  expect(await site.refused('get_tokens_by_code', { code })).toEqual({
    error: 'bad_request',
    error_description: expect.stringContaining('no login of this site waits'),
  })
})

test('where two OPs answer at one address, a code without its iss is of nobody, and with it good', async () => {
  const other = await startOp()
  try {
    const authorization_redirect_uri = 'https://two.example/callback'
    using site = await world.site('3.1', { authorization_redirect_uri })
    using _ = await world.site('3.1', { authorization_redirect_uri, op_host: other.issuer })
    const refused = await site.refused('get_tokens_by_code', codeAndState(await site.callback()))
    expect(refused).toMatchObject({
      error: 'invalid_id_token_bad_issuer',
      error_description: expect.stringContaining('pass it beside code and state'),
      details: { reason: 'invalid_issuer' },
    })
    const callback = { ...codeAndState(await site.callback()), iss: world.op.issuer }
    expect((await site.ok('get_tokens_by_code', callback)).id_token_claims.sub).toEqual(['alice'])
  } finally {
    await other.close()
  }
})

test('a site whose tokens the daemon keeps is told so, and its login is not spent', async () => {
  using site = await world.site('3.1', { tokens: 'daemon' })
  const callback = await site.callback()
  expect(await site.refused('get_tokens_by_code', codeAndState(callback))).toMatchObject({
    error: 'invalid_request',
    error_description: expect.stringContaining('tokens = daemon'),
    details: { reason: 'tokens_kept_by_daemon' },
  })
  const refresh = { refresh_token: 'any' }
  expect(await site.refused('get_access_token_by_refresh_token', refresh)).toMatchObject({
    error_description: expect.stringMatching(/^(?!.*get_access_token)/),
    details: { reason: 'tokens_kept_by_daemon' },
  })
  using wire = await Wire.connect(world.daemon.socket)
  const { oxd_id } = site
  const login = await wire.ok('get_tokens_by_callback', { oxd_id, callback: callback.href })
  expect(login.sub).toBe('alice')
})

test('a refresh with fewer scopes brings an access token that UserInfo takes', async () => {
  using site = await world.site()
  const { refresh_token } = await site.logIn()
  const scope = ['openid', 'email']
  const fresh = await site.ok('get_access_token_by_refresh_token', { refresh_token, scope })
  expect(fresh.scope).toBe('openid email')
  const { claims } = await site.ok('get_user_info', { access_token: fresh.access_token })
  expect(claims).toEqual({
    sub: ['alice'],
    email: ['alice@example.com'],
    email_verified: ['true'],
  })
})

test("a logout brings nobody else's ID Token along, whoever logged in last", async () => {
  using site = await world.site('3.1', { post_logout_redirect_uri: 'http://site.example/out' })
  await site.logIn()
  const own = new URL((await site.ok('logout')).uri).searchParams
  expect(own.has('id_token_hint')).toBe(false)
  expect(own.get('post_logout_redirect_uri')).toBe('http://site.example/out')
  const other = { post_logout_redirect_uri: 'https://site.example/elsewhere' }
  const told = new URL((await site.ok('get_logout_uri', other)).uri).searchParams
  expect(told.get('post_logout_redirect_uri')).toBe(other.post_logout_redirect_uri)
})

test('custom_parameters may be numbers and booleans, and go by the name of oxd 4 too', async () => {
  using site = await world.site()
  const { authorization_url } = await site.ok('get_authorization_url', {
    custom_parameters: { number: 1, yes: true, no: false, nothing: null, text: 'dark' },
    params: { more: 'x', text: 'not this' },
    state: "the client's own",
    nonce: "the client's own",
    redirect_uri: 'http://elsewhere.example/',
  })
  const { searchParams } = new URL(authorization_url)
  expect(Object.fromEntries(searchParams)).toMatchObject({
    number: '1',
    yes: 'true',
    no: 'false',
    text: 'dark',
    more: 'x',
    redirect_uri: 'https://site.example/callback',
  })
  expect(searchParams.has('nothing')).toBe(false)
  for (const name of ['state', 'nonce']) expect(searchParams.get(name)).not.toMatch(/own/)
  // An empty array of PHP's, in JSON.
  await site.ok('get_authorization_url', { custom_parameters: [] })
  expect(
    await site.refused('get_authorization_url', { custom_parameters: { state: 'mine' } }),
  ).toMatchObject({ error: 'invalid_request' })
})

const password = 'the password of a person'

test.each([
  ['get_authorization_code', { username: 'alice', password, acr_values: ['basic'] }],
  ['authorization_code_flow', { user_id: 'alice', user_secret: password, acr: 'basic' }],
  ['implicit_flow', { user_id: 'alice', user_secret: password, scope: 'openid' }],
])('%s is refused with a cure, and nobody reads the password', async (command, params) => {
  using site = await world.site()
  expect(await site.refused(command, params)).toMatchObject({
    error: 'unsupported_operation',
    error_description: expect.stringContaining('get_authorization_url'),
  })
  expect(await site.refused(command, { ...params, oxd_id: '' })).toMatchObject({
    error: 'bad_request',
  })
  expect(world.daemon.output).not.toContain(password)
})

test('license_status needs no site, and says that all is well', async () => {
  using site = await world.site()
  expect(await site.wire.ok('license_status')).toEqual({
    valid: true,
    thread_count: expect.any(Number),
    name: expect.any(String),
    features: [],
  })
})
