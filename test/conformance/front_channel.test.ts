/**
 * What comes through the browser (OIDC Core 3.2, 3.3): authorization responses of every type and mode
 * that must not complete a login, and nothing is asked of the OP because of a forged one.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  append,
  type Bends,
  type BentLogin,
  BentOp,
  BentSite,
  breakSignature,
  expectNoSecrets,
  type LoginRequest,
  type Members,
  type Mode,
  makeKey,
  type Refused,
  refusesCommand,
  set,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const ISSUED = {
  client_id: 'issued',
  client_secret: 'issued secret',
}
const redirect_uri = 'https://site.example/callback'

/** The suite's plans: implicit and hybrid, those with access tokens where the operator allows them. */
const types = [
  'id_token',
  'id_token token',
  'code id_token',
  'code id_token token',
  'code token',
] as const
const with_id_token = types.filter((type) => type !== 'code token')

let daemon: TestDaemon
let wire: Wire
/** Through a listener of a realm that keeps access tokens out of browsers, as all do by default. */
let strict: Wire
let op: BentOp
let site: BentSite
/** One that publishes many keys, none of them named. */
let many_keys: BentOp
let many_keys_site: BentSite

beforeAll(async () => {
  daemon = await TestDaemon.start({
    sections: `[realm default]
registrations_per_minute = 100000
front_channel_access_tokens = yes
[listener strict]
address = unix:{folder}/strict.sock
realm = strict
`,
  })
  wire = await Wire.connect(daemon.socket)
  strict = await Wire.connect(`${daemon.folder}/strict.sock`)
  op = await BentOp.start()
  op.user = {
    name: 'Alice',
    email: 'alice@op.example',
    phone_number: '+41 44 668 18 00',
    address: { country: 'CH' },
  }
  many_keys = await BentOp.start()
  const algs = ['RS256', 'ES256', 'ES256K', 'EdDSA'] as const
  const keys = [...algs.flatMap((alg) => [makeKey(alg).jwk, makeKey(alg).jwk]), ...many_keys.keys]
  many_keys.keys = keys.map((jwk) => ({ ...jwk, kid: undefined, alg: undefined, use: undefined }))
  for (const one of [op, many_keys]) {
    one.addClient({
      ...ISSUED,
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [redirect_uri],
    })
  }
  site = await BentSite.register(wire, op, ISSUED)
  many_keys_site = await BentSite.register(wire, many_keys, ISSUED)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  strict[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op, many_keys)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
  await many_keys[Symbol.asyncDispose]()
})

/** Nothing is asked of the OP. */
const calls = {}
const front = (bend: (claims: Members) => Members): Bends => ({ front_claims: bend })
const drop = (claim: string): Bends => front(set({ [claim]: undefined }))

describe.each(types)('response_type %s', (response_type) => {
  const request: LoginRequest = { response_type }
  const refuses = (login: BentLogin, refused: Refused) =>
    site.refuses({ ...login, request: { ...request, ...login.request } }, { calls, ...refused })

  test.each<[mode: Mode, how: string]>([
    ['fragment', 'oidcc-client-test by the default, a fragment'],
    ['form_post', 'oidcc-client-test by form_post'],
  ])('P13 an honest OP answers by %s: %s', async (mode) => {
    const data = await site.accepts({ request: { ...request, response_mode: mode } })
    expect(data.id_token_claims).toMatchObject({ iss: op.issuer, sub: op.sub })
    expect('access_token' in data).toBe(response_type !== 'id_token')
  })

  test('C6 the text of the fragment, as a page posts it', async () => {
    const begun = await site.begin({ request })
    const [, callback = ''] = begun.callback.split('#')
    expect(await wire.ok('get_tokens_by_callback', { ...begun, callback })).toMatchObject({
      sub: op.sub,
    })
  })

  test('oidcc-client-test-nonce-unless-code-flow: the request has a nonce', async () => {
    await site.accepts({ request })
    expect(op.authorizations.at(-1)?.get('nonce')).toMatch(/^[\w-]{22,43}$/)
  })

  test.each<[name: string, as: Mode]>([['a query, where a fragment was asked for', 'query']])(
    'refuses %s',
    async (_, as) => {
      await refuses(
        { as },
        {
          error: 'invalid_op_response',
          details: { parameter: 'response_mode', expected: 'fragment', received: as },
        },
      )
    },
  )

  test('refuses a fragment, where a form was asked for', async () => {
    await refuses(
      { as: 'fragment', request: { response_mode: 'form_post' } },
      { error: 'invalid_op_response', details: { expected: 'form_post', received: 'fragment' } },
    )
  })

  test.each<[name: string, bend: (response: URLSearchParams) => void, refused: Refused]>([
    [
      'M6 iss of another OP',
      (response) => response.set('iss', 'https://evil.example'),
      { error: 'invalid_issuer', details: { received: 'https://evil.example' } },
    ],
    [
      'M8 no state',
      (response) => response.delete('state'),
      { error: 'invalid_request', spent: false },
    ],
    [
      'state twice',
      (response) => response.append('state', 'x'),
      { error: 'invalid_request', spent: false },
    ],
    [
      'id_token twice',
      (response) => {
        response.append('id_token', 'a.b.c')
        response.append('id_token', 'a.b.c')
      },
      { error: 'invalid_request', spent: false },
    ],
    [
      'a refresh token through the browser',
      (response) => response.set('refresh_token', 'x'),
      { error: 'invalid_op_response', details: { parameter: 'refresh_token', response_type } },
    ],
    [
      'oidcc-client-test-form-post-error: login_required, by whichever mode',
      (response) => {
        for (const name of ['code', 'id_token', 'access_token']) response.delete(name)
        response.set('error', 'login_required')
      },
      { error: 'op_error', details: { error: 'login_required', login_retry: 'with_end_user' } },
    ],
  ])('refuses %s', async (_, callback, refused) => {
    for (const response_mode of ['fragment', 'form_post']) {
      await refuses({ callback, request: { response_mode } }, refused)
    }
  })

  test('RFC 9207 iss may be missing where an ID Token says it, and only there', async () => {
    const callback = (response: URLSearchParams) => response.delete('iss')
    if (response_type.includes('id_token')) await site.accepts({ callback, request })
    else await refuses({ callback }, { error: 'invalid_issuer', details: { parameter: 'iss' } })
  })

  test.each(['code', 'id_token', 'access_token'])(
    'refuses one too many or too few: %s',
    async (name) => {
      const word = name === 'access_token' ? 'token' : name
      const isDue = response_type.split(' ').includes(word)
      const callback = (response: URLSearchParams) =>
        isDue ? response.delete(name) : response.set(name, 'x')
      const error = isDue && name === 'id_token' ? 'no_id_token' : 'invalid_op_response'
      await refuses({ callback }, { error, details: { parameter: name, response_type } })
    },
  )

  test('S34 all but one of fifty callbacks at once', async () => {
    const begun = await site.begin({ request })
    const start = op.asked.length
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => wire.call('get_tokens_by_callback', begun)),
    )
    const outcomes = replies.map(({ data }) => data.error ?? 'ok')
    expect(outcomes.filter((one) => one === 'ok')).toHaveLength(1)
    expect(outcomes.filter((one) => one === 'invalid_state')).toHaveLength(49)
    expect(op.calls(start)).toEqual(response_type.includes('code') ? { token: 1 } : {})
  })

  test('M8 S8 a login that another browser began, and a replayed callback', async () => {
    const [victim, attacker] = [await site.begin({ request }), await site.begin({ request })]
    const sent = { ...attacker, binding: victim.binding }
    await refusesCommand(wire, op, ['get_tokens_by_callback', sent], {
      refused: { error: 'invalid_binding' },
    })
    await wire.ok('get_tokens_by_callback', victim)
    await refusesCommand(wire, op, ['get_tokens_by_callback', victim], {
      refused: { error: 'invalid_state' },
    })
    await site.accepts({ request })
  })
})

describe.each(with_id_token)('the ID Token of %s, through the browser', (response_type) => {
  const refuses = (bends: Bends, refused: Refused) =>
    site.refuses({ bends, request: { response_type } }, { calls, ...refused })

  test.each<[name: string, bends: () => Bends, error: string, claim?: string]>([
    [
      'oidcc-client-test-nonce-invalid',
      () => front(append('nonce')),
      'invalid_id_token_bad_nonce',
      'nonce',
    ],
    ['nonce missing', () => drop('nonce'), 'invalid_id_token', 'nonce'],
    [
      'oidcc-client-test-invalid-iss',
      () => front(append('iss')),
      'invalid_id_token_bad_issuer',
      'iss',
    ],
    ['oidcc-client-test-missing-sub', () => drop('sub'), 'invalid_id_token', 'sub'],
    [
      'oidcc-client-test-invalid-aud',
      () => front(append('aud')),
      'invalid_id_token_bad_audience',
      'aud',
    ],
    ['oidcc-client-test-missing-aud', () => drop('aud'), 'invalid_id_token', 'aud'],
    ['oidcc-client-test-missing-iat', () => drop('iat'), 'invalid_id_token', 'iat'],
    [
      'M2 exp past',
      () => front((claims) => ({ ...claims, exp: Number(claims['exp']) - 1000 })),
      'invalid_id_token_expired',
      'exp',
    ],
    [
      'oidcc-client-test-invalid-sig-rs256',
      () => ({ front_id_token: breakSignature }),
      'invalid_id_token_bad_signature',
    ],
    [
      'S1 unsigned',
      () => ({
        front_header: set({ alg: 'none' }),
        front_id_token: (jwt) => jwt.replace(/[^.]*$/, ''),
      }),
      'invalid_id_token_bad_signature',
    ],
  ])('refuses %s', async (_, bends, error, claim) => {
    await refuses(bends(), { error, ...(claim && { details: { claim } }) })
  })

  test('refuses fapi1 invalid-shash: s_hash of another state', async () => {
    await refuses(front(set({ s_hash: 'x'.repeat(22) })), {
      error: 'invalid_authorization_code_bad_hash',
      spec: 'FAPI 1.0 Advanced 5.1.1',
      details: { claim: 's_hash' },
    })
  })

  test('oidcc-client-test-kid-absent-single-jwks', async () => {
    const bends = { front_header: set({ kid: undefined }) }
    await site.accepts({ bends, request: { response_type } })
  })

  test('oidcc-client-test-kid-absent-multiple-jwks, curves that nobody knows among them', async () => {
    const bends = { front_header: set({ kid: undefined }), header: set({ kid: undefined }) }
    await many_keys_site.accepts({ bends, request: { response_type } })
  })

  test('refuses a required acr that was not reached', async () => {
    const required = { acr_values: ['gold'], require_acr: true }
    await site.refuses(
      {
        bends: front(set({ acr: 'bronze' })),
        request: { response_type, ...required },
      },
      {
        error: 'invalid_id_token_bad_acr',
        details: { expected: ['gold'], received: 'bronze' },
        calls,
      },
    )
    await site.accepts({ request: { response_type, ...required } })
  })
})

describe.each(['code id_token', 'code id_token token'])('the code of %s', (response_type) => {
  test.each<[name: string, bends: Bends, error: string]>([
    [
      'oidcc-client-test-invalid-chash',
      front(append('c_hash')),
      'invalid_authorization_code_bad_hash',
    ],
    ['oidcc-client-test-missing-chash', drop('c_hash'), 'invalid_id_token'],
  ])('is not redeemed: %s', async (_, bends, error) => {
    await site.refuses(
      { bends, request: { response_type } },
      { error, details: { claim: 'c_hash' }, calls },
    )
  })
})

describe.each(['id_token token', 'code id_token token'])(
  'the access token of %s',
  (response_type) => {
    test.each<[name: string, bends: Bends, error: string]>([
      [
        'oidcc-client-test-invalid-athash',
        front(append('at_hash')),
        'invalid_access_token_bad_hash',
      ],
      ['oidcc-client-test-missing-athash', drop('at_hash'), 'invalid_id_token'],
    ])('is not used: %s', async (_, bends, error) => {
      await site.refuses(
        { bends, request: { response_type } },
        { error, details: { claim: 'at_hash' }, calls },
      )
    })
  },
)

describe('access tokens through the browser', () => {
  test.each(types.filter((type) => type.endsWith(' token')))(
    '%s is refused unless the operator has opened the realm',
    async (response_type) => {
      const field = 'response_type'
      const option = expect.stringContaining('front_channel_access_tokens in [realm strict]')
      const refused = { error: 'invalid_request', error_description: option, details: { field } }
      const params = { op_host: op.issuer, authorization_redirect_uri: redirect_uri }
      expect(
        await strict.refused('register_site', { ...params, ...ISSUED, response_type }),
      ).toMatchObject(refused)
      const { oxd_id } = await strict.ok('register_site', { ...params, ...ISSUED })
      expect(
        await strict.refused('get_authorization_url', { oxd_id, response_type }),
      ).toMatchObject(refused)
      // What has none is everybody's.
      await strict.ok('get_authorization_url', { oxd_id, response_type: 'code id_token' })
    },
  )

  test.each<[name: string, bend: (response: URLSearchParams) => void, parameter: string]>([
    ['M10 token_type mac', (response) => response.set('token_type', 'mac'), 'token_type'],
    ['M10 token_type missing', (response) => response.delete('token_type'), 'token_type'],
    ['expires_in no number', (response) => response.set('expires_in', 'soon'), 'expires_in'],
    ['expires_in negative', (response) => response.set('expires_in', '-1'), 'expires_in'],
    ['a scope without end', (response) => response.set('scope', 'a '.repeat(5000)), 'scope'],
  ])('refuses %s', async (_, callback, parameter) => {
    for (const response_type of ['id_token token', 'code token']) {
      await site.refuses(
        { callback, request: { response_type } },
        { error: 'invalid_op_response', details: { parameter }, calls },
      )
    }
  })

  test('token_type in capitals is Bearer', async () => {
    const data = await site.accepts({
      callback: (response) => response.set('token_type', 'BEARER'),
      request: { response_type: 'id_token token' },
    })
    expect(data.expires_in).toBe(300)
  })

  test('refuses one that the ID Token was not issued with', async () => {
    for (const response_type of ['id_token token', 'code id_token token']) {
      await site.refuses(
        {
          callback: (response) => response.set('access_token', 'another'),
          request: { response_type },
        },
        { error: 'invalid_access_token_bad_hash', spec: 'OIDC Core 3.2.2.9', calls },
      )
    }
  })

  test.each(['code token', 'code id_token token'])(
    'of %s is not kept: that of the token endpoint is',
    async (response_type) => {
      let in_browser = ''
      const data = await site.accepts({
        callback: (response) => {
          in_browser = response.get('access_token') as string
        },
        request: { response_type },
      })
      expect(data.access_token).not.toBe(in_browser)
      expect(
        await wire.refused('get_user_info', { oxd_id: site.oxd_id, access_token: in_browser }),
      ).toMatchObject({ error: 'unknown_access_token' })
    },
  )
})

describe('two ID Tokens', () => {
  const token = { token: 1 }

  test.each(['code id_token', 'code id_token token'])('of %s are of one End-User', async (type) => {
    await site.refuses(
      { bends: { claims: set({ sub: 'mallory' }) }, request: { response_type: type } },
      { error: 'invalid_id_token_bad_sub', spec: 'OIDC Core 3.3.3.6', calls: token },
    )
    await site.refuses(
      { bends: { front_claims: set({ sub: 'mallory' }) }, request: { response_type: type } },
      { error: 'invalid_id_token_bad_sub', calls: token },
    )
  })

  test('are both checked', async () => {
    await site.refuses(
      { bends: { claims: append('nonce') }, request: { response_type: 'code id_token' } },
      { error: 'invalid_id_token_bad_nonce', calls: token },
    )
    await site.refuses(
      { bends: { id_token: () => undefined }, request: { response_type: 'code id_token' } },
      { error: 'no_id_token', calls: token },
    )
    await site.refuses(
      { bends: { claims: append('at_hash') }, request: { response_type: 'code token' } },
      { error: 'invalid_access_token_bad_hash', spec: 'OIDC Core 3.1.3.8', calls: token },
    )
  })
})

describe('a login for an ID Token alone', () => {
  const request = { response_type: 'id_token' }

  test('oidcc-client-test-scope-userinfo-claims: its claims stand for UserInfo', async () => {
    const { oxd_id } = site
    const claimsOf = async (scope: string[]) => {
      const { session_id } = await site.accepts({ request: { ...request, scope } })
      const told = await wire.ok('get_user_info', { oxd_id, session_id })
      expect(told.source).toBe('id_token')
      return told.claims
    }
    const { sub } = op
    const { email } = op.user
    expect(await claimsOf(['profile', 'email', 'phone', 'address'])).toEqual({ sub, ...op.user })
    expect(await claimsOf(['email'])).toEqual({ sub, email })
  })

  test('its session lives without asking the OP anything', async () => {
    const { session_id } = await site.accepts({ request })
    const { oxd_id } = site
    const start = op.asked.length
    expect(await wire.refused('get_access_token', { oxd_id, session_id })).toMatchObject({
      error: 'no_refresh_token',
      error_description: expect.stringContaining('response_type id_token'),
    })
    expect(await wire.ok('revoke_token', { oxd_id, session_id })).toEqual({ revoked: false })
    expect(await wire.ok('end_session', { oxd_id, session_id })).toMatchObject({})
    expect(op.calls(start)).toEqual({})
    expect(await wire.refused('get_session', { oxd_id, session_id })).toMatchObject({
      error: 'invalid_session_id',
    })
  })

  test('parts picked out of a response with an ID Token do not complete it', async () => {
    const { oxd_id, callback, binding } = await site.begin({
      request: { response_type: 'code id_token' },
    })
    const { code, state, iss } = Object.fromEntries(new URLSearchParams(callback.split('#')[1]))
    const start = op.asked.length
    expect(
      await wire.refused('get_tokens_by_code', { oxd_id, code, state, iss, binding }),
    ).toMatchObject({
      error: 'invalid_request',
      error_description: expect.stringContaining('get_tokens_by_callback'),
    })
    expect(op.calls(start)).toEqual({})
  })
})

describe('what was demanded when the login began', () => {
  const oxd = () => ({ oxd_id: site.oxd_id })

  test('P15 a session’s End-User, and nobody else, logs in again', async () => {
    const { session_id, id_token } = await site.accepts()
    const request = { session_id, prompt: 'login' }
    await site.accepts({ request })
    expect(op.authorizations.at(-1)?.get('id_token_hint')).toBe(id_token)
    await site.refuses(
      { bends: { claims: set({ sub: 'mallory' }) }, request },
      { error: 'invalid_id_token_bad_sub', spec: 'OIDC Core 5.5.1' },
    )
    expect(
      await wire.refused('get_authorization_url', {
        ...oxd(),
        session_id,
        id_token_hint: id_token,
      }),
    ).toMatchObject({ error: 'invalid_request', details: { field: 'session_id' } })
    expect(
      await wire.refused('get_authorization_url', { ...oxd(), session_id: 'x'.repeat(32) }),
    ).toMatchObject({ error: 'invalid_session_id' })
  })

  test('P17 rp-claims_request-userinfo: single claims are asked of UserInfo', async () => {
    const claims = { userinfo: { email: { essential: true }, 'name#de': null } }
    const { session_id } = await site.accepts({ request: { claims } })
    expect(JSON.parse(op.authorizations.at(-1)?.get('claims') ?? '')).toEqual(claims)
    const { claims: answered } = await wire.ok('get_user_info', { ...oxd(), session_id })
    expect(answered).toMatchObject({ email: 'alice@op.example' })
  })

  test('P17 rp-claims_request-id_token: essential claims are there, or the login fails', async () => {
    const claims = {
      id_token: { acr: { essential: true, values: ['gold'] }, auth_time: { essential: true } },
    }
    const { id_token_claims } = await site.accepts({ request: { claims } })
    expect(id_token_claims).toMatchObject({ acr: 'gold', auth_time: expect.any(Number) })
    await site.refuses(
      { bends: { claims: set({ acr: 'bronze' }) }, request: { claims } },
      { error: 'invalid_id_token_bad_acr' },
    )
    await site.refuses(
      { bends: { claims: set({ auth_time: undefined }) }, request: { claims } },
      { error: 'invalid_id_token', details: { claim: 'auth_time' } },
    )
    await site.refuses(
      {
        bends: { claims: set({ sub: 'mallory' }) },
        request: { claims: { id_token: { sub: { value: op.sub } } } },
      },
      { error: 'invalid_id_token_bad_sub', spec: 'OIDC Core 5.5.1' },
    )
  })
})

test('P13 RFC 9207: an error without the iss that the OP announces is nobody’s', async () => {
  const request = { response_type: 'code id_token' }
  const error = (response: URLSearchParams) => {
    for (const name of [...response.keys()]) if (name !== 'state') response.delete(name)
    response.set('error', 'access_denied')
  }
  await site.refuses({ request, callback: error }, { calls, error: 'invalid_issuer' })
})

test('P13 OIDC Core 3.2.2.1: tokens come to https redirect URIs only', async () => {
  const params = { op_host: op.issuer, ...ISSUED, response_type: 'code id_token' }
  const at = (authorization_redirect_uri: string, more: object = {}) =>
    wire.call('register_site', { ...params, authorization_redirect_uri, ...more })
  const refused = { error: 'invalid_request', spec: 'OIDC Core 3.2.2.1' }
  expect((await at('http://site.example/callback')).data).toMatchObject(refused)
  expect((await at('http://127.0.0.1:8080/callback')).status).toBe('ok')
  // A login that asks for them at a site whose logins are of code otherwise.
  const { oxd_id } = (await at('http://site.example/callback', { response_type: 'code' })).data
  await wire.ok('get_authorization_url', { oxd_id })
  const asked = { oxd_id, response_type: 'id_token' }
  expect(await wire.refused('get_authorization_url', asked)).toMatchObject(refused)
})
