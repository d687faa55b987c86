/** Authorization requests: nothing that a site passes on can set what the protocol sets. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import type { ServerMetadata } from 'openid-client'
import { describe, expect, test } from 'vitest'
import { CommandError } from '../errors.js'
import type { Site, SiteSettings } from '../store/store.js'
import { type AuthorizationRequest, askFor } from './authorization.js'
import { checkRegisteredType, checkResponseWish, type ResponseWish } from './response_type.js'

const values = { state: 'the-state', nonce: 'the-nonce', code_verifier: 'the-verifier' }
const redirect_uri = 'https://site.example/callback?from=op&x=é'
const client_id = 'client 1&é'

/** What every request must carry, once. */
const always = {
  client_id,
  response_type: 'code',
  redirect_uri,
  scope: 'openid profile',
  state: values.state,
  nonce: values.nonce,
  code_challenge: createHash('sha256').update(values.code_verifier).digest('base64url'),
  code_challenge_method: 'S256',
}

/** Parameters that decide where the answer goes, to whom and in which form, or have a name of their own here. */
const reserved = [
  ...Object.keys(always),
  'response_mode',
  'request',
  'request_uri',
  'registration',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'dpop_jkt',
  'id_token_hint',
  'acr_values',
  'display',
  'prompt',
  'max_age',
  'login_hint',
  'ui_locales',
  'claims_locales',
  'claims',
]

function makeSite(settings: Partial<SiteSettings> = {}): Site {
  return {
    oxd_id: 'site',
    realm: 'default',
    op_host: 'https://op.example',
    issuer: 'https://op.example',
    redirect_uri,
    registered_by: 'relyd',
    client: { client_id },
    settings: {
      scope: ['openid', 'profile'],
      login_binding: 'required',
      tokens: 'site',
      ...settings,
    },
    created_at: 0,
    secrets: {},
  }
}

function metadata(authorization_endpoint = 'https://op.example/authorize'): ServerMetadata {
  return { issuer: 'https://op.example', authorization_endpoint }
}

function authorizationUrl(...asked: Parameters<typeof askFor>): string {
  return askFor(...asked).authorization_url
}

function urlOf(request: AuthorizationRequest = {}, settings?: Partial<SiteSettings>): URL {
  return new URL(authorizationUrl(makeSite(settings), metadata(), request, values))
}

/** An ID Token that nobody has to verify. */
function hintOf(sub: string): string {
  const part = (members: object) => Buffer.from(JSON.stringify(members)).toString('base64url')
  return `${part({ alg: 'RS256' })}.${part({ sub })}.c2ln`
}

function refusal(request: AuthorizationRequest): CommandError {
  try {
    urlOf(request)
  } catch (error) {
    if (error instanceof CommandError) return error
    throw error
  }
  throw new Error('not refused')
}

test('C7 P14 carries what the code flow with PKCE needs, and nothing else', () => {
  const url = urlOf()
  expect(url.origin + url.pathname).toBe('https://op.example/authorize')
  expect([...url.searchParams].sort()).toEqual(Object.entries(always).sort())
})

test('shows the verifier to nobody', () => {
  expect(urlOf().href).not.toContain(values.code_verifier)
})

describe('the endpoint', () => {
  const href = (endpoint: string) =>
    new URL(authorizationUrl(makeSite(), metadata(endpoint), {}, values))

  test('keeps its own query (RFC 6749 3.1)', () => {
    const url = href('https://op.example/authorize?tenant=a%26b&flag')
    expect(url.searchParams.get('tenant')).toBe('a&b')
    expect(url.searchParams.has('flag')).toBe(true)
    expect(url.searchParams.get('state')).toBe(values.state)
  })

  test('cannot set this client’s identity or where the answer goes by its query', () => {
    const query = 'client_id=evil&redirect_uri=https://evil.example&response_type=token'
    const { searchParams } = href(
      `https://op.example/authorize?${query}&code_challenge_method=plain`,
    )
    for (const name of ['client_id', 'redirect_uri', 'response_type', 'code_challenge_method']) {
      expect(searchParams.getAll(name)).toEqual([always[name as keyof typeof always]])
    }
  })

  test('is the one of the metadata at hand, as one site’s OP may move', () => {
    const site = makeSite()
    const first = authorizationUrl(site, metadata('https://op.example/a'), {}, values)
    const moved = authorizationUrl(site, metadata('https://op.example/b'), {}, values)
    expect(first).toContain('https://op.example/a?')
    expect(moved).toContain('https://op.example/b?')
  })

  test('serves two logins of a site with nothing of the first left in the second', () => {
    const site = makeSite()
    const known = metadata()
    authorizationUrl(site, known, { login_hint: 'alice', custom_parameters: { a: '1' } }, values)
    const second = new URL(authorizationUrl(site, known, {}, { ...values, state: 'second' }))
    expect([...second.searchParams].sort()).toEqual(
      Object.entries({ ...always, state: 'second' }).sort(),
    )
  })
})

describe('a request', () => {
  test('adds openid, once', () => {
    expect(urlOf({ scope: ['email'] }).searchParams.get('scope')).toBe('openid email')
    expect(urlOf({ scope: ['email', 'openid'] }).searchParams.get('scope')).toBe('email openid')
    expect(urlOf({ scope: [] }).searchParams.get('scope')).toBe('openid')
  })

  test('P15 C9 carries every parameter that it may have', () => {
    const { searchParams } = urlOf(
      {
        acr_values: ['urn:a', 'urn:b'],
        display: 'touch',
        prompt: 'login consent',
        max_age: 0,
        id_token_hint: hintOf('alice'),
        login_hint: 'alice+x@site.example',
        ui_locales: ['fr-CA', 'en'],
        claims_locales: ['de'],
        claims: { id_token: { auth_time: { essential: true } } },
        registration: { client_name: 'é' },
        custom_parameters: { hd: 'é&x=1 ', empty: '' },
      },
      { claims_locales: ['fr'] },
    )
    expect(Object.fromEntries(searchParams)).toEqual({
      ...always,
      acr_values: 'urn:a urn:b',
      display: 'touch',
      prompt: 'login consent',
      max_age: '0',
      id_token_hint: hintOf('alice'),
      login_hint: 'alice+x@site.example',
      ui_locales: 'fr-CA en',
      claims_locales: 'de',
      claims: '{"id_token":{"auth_time":{"essential":true}}}',
      registration: '{"client_name":"é"}',
      hd: 'é&x=1 ',
      empty: '',
    })
  })

  test('goes before the site’s own wishes', () => {
    const settings = { acr_values: ['own'], ui_locales: ['de'], scope: ['openid', 'phone'] }
    expect(Object.fromEntries(urlOf({}, settings).searchParams)).toMatchObject({
      acr_values: 'own',
      ui_locales: 'de',
      scope: 'openid phone',
    })
    const request = { acr_values: ['asked'], ui_locales: ['fr'], scope: ['openid'] }
    expect(Object.fromEntries(urlOf(request, settings).searchParams)).toMatchObject({
      acr_values: 'asked',
      ui_locales: 'fr',
      scope: 'openid',
    })
  })

  test.each<[what: string, request: AuthorizationRequest, field: string]>([
    ['P15 an unknown prompt', { prompt: 'loginn' }, 'prompt'],
    ['prompts separated by more than a space', { prompt: 'login  consent' }, 'prompt'],
    ['P15 none beside another prompt', { prompt: 'none login' }, 'prompt'],
    ['max_age of 0 with prompt=none', { prompt: 'none', max_age: 0 }, 'max_age'],
    [
      'P15 offline_access where no code comes',
      { scope: ['openid', 'offline_access'], response_type: 'id_token' },
      'scope',
    ],
    ['P17 claims that are no object', { claims: { id_token: [] } }, 'claims.id_token'],
    ['P17 a claim that is text', { claims: { id_token: { acr: 'x' } } }, 'claims.id_token.acr'],
    [
      'P17 essential that is text',
      { claims: { userinfo: { name: { essential: 'yes' } } } },
      'claims.userinfo.name.essential',
    ],
    [
      'P17 values that are no list',
      { claims: { id_token: { acr: { values: 'x' } } } },
      'claims.id_token.acr.values',
    ],
    [
      'P17 value beside values',
      { claims: { id_token: { acr: { value: 'x', values: ['y'] } } } },
      'claims.id_token.acr',
    ],
    [
      'P17 claims of UserInfo without an access token for it',
      { claims: { userinfo: { name: null } }, response_type: 'id_token' },
      'claims.userinfo',
    ],
    [
      'acr values in two places',
      { claims: { id_token: { acr: { values: ['x'] } } }, acr_values: ['y'] },
      'acr_values',
    ],
    ['require_acr without acr_values', { require_acr: true }, 'require_acr'],
    ['a hint that is no JWT', { id_token_hint: 'garbage' }, 'id_token_hint'],
    ['a hint of four parts', { id_token_hint: 'e30.aaaa.aaaa.aaaa' }, 'id_token_hint'],
    ['a hint whose claims are none', { id_token_hint: 'e30.aaaa.' }, 'id_token_hint'],
    ['a hint that names nobody', { id_token_hint: 'e30.e30.' }, 'id_token_hint'],
    [
      'an encrypted hint without a header',
      { id_token_hint: 'aaaa.aaaa.aaaa.aaaa.aaaa' },
      'id_token_hint',
    ],
    [
      'a hint of one End-User, and a claim for another',
      { id_token_hint: hintOf('alice'), claims: { id_token: { sub: { value: 'bob' } } } },
      'claims.id_token.sub',
    ],
  ])('is refused with %s', (_, request, field) => {
    expect(refusal(request)).toMatchObject({ code: 'invalid_request', details: { field } })
  })
})

describe('an OP that says what it knows', () => {
  const told = (more: Partial<ServerMetadata>) => ({ ...metadata(), ...more })
  const ask = (request: AuthorizationRequest, more: Partial<ServerMetadata>) =>
    askFor(makeSite(), told(more), request, values)

  test('P17 is not asked for claims that it does not take', () => {
    const claims = { id_token: { acr: null } }
    expect(() => ask({ claims }, { claims_parameter_supported: false })).toThrow(/^claims is not/)
    expect(ask({ claims }, {}).authorization_url).toContain('&claims=')
  })

  test('P15 is not asked for a prompt that it does not list', () => {
    const offers = { prompt_values_supported: ['none', 'login'] }
    expect(() => ask({ prompt: 'create' }, offers)).toThrow(/^prompt create is none/)
    expect(ask({ prompt: 'login' }, offers).authorization_url).toContain('&prompt=login')
  })

  test('is asked for an acr as essential where it knows claims, else as a wish', () => {
    const request = {
      acr_values: ['gold'],
      require_acr: true,
      claims: { id_token: { email: null }, userinfo: { name: null } },
    }
    const knows = ask(request, { claims_parameter_supported: true })
    const { searchParams } = new URL(knows.authorization_url)
    expect(searchParams.has('acr_values')).toBe(false)
    expect(JSON.parse(searchParams.get('claims') ?? '')).toEqual({
      id_token: { email: null, acr: { essential: true, values: ['gold'] } },
      userinfo: { name: null },
    })
    const other = ask(request, {})
    expect(new URL(other.authorization_url).searchParams.get('acr_values')).toBe('gold')
    for (const { kept } of [knows, other]) expect(kept.essential).toEqual({ acr: ['gold'] })
  })
})

describe('what the answer is held against', () => {
  const kept = (request: AuthorizationRequest, settings?: Partial<SiteSettings>) =>
    askFor(makeSite(settings), metadata(), request, values).kept

  test.each<[what: string, request: AuthorizationRequest, essential: object | undefined]>([
    ['nothing, where nothing is demanded', { acr_values: ['gold'], max_age: 5 }, undefined],
    [
      'P17 acr as essential with values',
      { claims: { id_token: { acr: { essential: true, values: ['gold', 'silver'] } } } },
      { acr: ['gold', 'silver'] },
    ],
    [
      'P17 acr as essential with a value',
      { claims: { id_token: { acr: { essential: true, value: 'gold' } } } },
      { acr: ['gold'] },
    ],
    [
      'not an acr that is a wish',
      { claims: { id_token: { acr: { values: ['gold'] } } } },
      undefined,
    ],
    [
      'P17 sub with a value',
      { claims: { id_token: { sub: { value: 'alice' } } } },
      { sub: ['alice'] },
    ],
    [
      'P17 auth_time as essential',
      { claims: { id_token: { auth_time: { essential: true } } } },
      { auth_time: true },
    ],
    [
      'P17 sub with values',
      { claims: { id_token: { sub: { values: ['alice', 'bob'] } } } },
      { sub: ['alice', 'bob'] },
    ],
    ['P16 any acr', { claims: { id_token: { acr: { essential: true } } } }, { acr: [] }],
    ['P15 the End-User of a hint', { id_token_hint: hintOf('alice') }, { sub: ['alice'] }],
    ['nobody by a hint that is encrypted', { id_token_hint: 'e30.aaaa.aaaa.aaaa.aaaa' }, undefined],
  ])('%s', (_, request, essential) => {
    expect(kept(request)).toEqual(essential ? { essential } : {})
  })

  test('a required acr is one of the site’s own values, unless the login names some', () => {
    const settings = { acr_values: ['silver'] }
    expect(kept({ require_acr: true }, settings).essential).toEqual({ acr: ['silver'] })
    expect(kept({ require_acr: true, acr_values: ['gold'] }, settings).essential).toEqual({
      acr: ['gold'],
    })
  })
})

describe('P13 C6 response_type and response_mode', () => {
  test('P16 a login that brings no code sends nonce, and no code_challenge', () => {
    const { searchParams } = urlOf({ response_type: 'id_token' })
    const { code_challenge: _, code_challenge_method: __, ...rest } = always
    expect(Object.fromEntries(searchParams)).toEqual({ ...rest, response_type: 'id_token' })
  })

  test('P16 a login that brings both sends nonce and code_challenge', () => {
    const { searchParams } = urlOf({ response_type: 'code id_token', response_mode: 'form_post' })
    expect(Object.fromEntries(searchParams)).toEqual({
      ...always,
      response_type: 'code id_token',
      response_mode: 'form_post',
    })
  })

  test('go before the site’s own, and those before what relyd.cfg says of the OP', () => {
    const site = makeSite({ response_type: 'code id_token', response_mode: 'fragment' })
    const options = {
      name: 'op',
      op_host: 'https://op.example',
      response_mode: 'form_post',
      client_assertion_audience: 'issuer',
    } as const
    const asked = (of: Site, request: AuthorizationRequest) => {
      const { authorization_url, kept } = askFor(of, metadata(), request, values, options)
      const { searchParams } = new URL(authorization_url)
      return [searchParams.get('response_type'), searchParams.get('response_mode'), kept]
    }
    expect(asked(site, {})).toEqual([
      'code id_token',
      'fragment',
      { response_type: 'code id_token', response_mode: 'fragment' },
    ])
    expect(asked(site, { response_type: 'code', response_mode: 'query' })).toEqual([
      'code',
      'query',
      { response_mode: 'query' },
    ])
    expect(asked(makeSite(), {})).toEqual(['code', 'form_post', { response_mode: 'form_post' }])
  })

  test('offline_access of the site’s own is left out where no code comes', () => {
    const { searchParams } = urlOf(
      { response_type: 'id_token' },
      { scope: ['openid', 'offline_access'] },
    )
    expect(searchParams.get('scope')).toBe('openid')
  })

  const shop = { name: 'shop', front_channel_access_tokens: false }
  const check = (wish: ResponseWish, more: object = {}, realm = shop) =>
    checkResponseWish(wish, { ...metadata(), ...more }, realm)

  test.each(['id_token token', 'code token', 'code id_token token'] as const)(
    '%s is for realms that the operator has opened',
    (response_type) => {
      expect(() => check({ response_type })).toThrow(
        /front_channel_access_tokens in \[realm shop\]/,
      )
      check({ response_type }, {}, { ...shop, front_channel_access_tokens: true })
    },
  )

  test('are refused where the OP’s metadata does not list them, in whatever order', () => {
    const offers = {
      response_types_supported: ['code', 'id_token code'],
      response_modes_supported: ['query', 'fragment'],
    }
    check({ response_type: 'code id_token', response_mode: 'fragment' }, offers)
    expect(() => check({ response_type: 'id_token' }, offers)).toThrow(/^response_type id_token is/)
    expect(() => check({ response_mode: 'form_post' }, offers)).toThrow(/^response_mode form_post/)
  })

  test('are refused where the client is not registered with them', () => {
    const checkFor = (response_types: unknown) =>
      checkRegisteredType('code id_token', response_types)
    checkFor(undefined)
    checkFor(['code', 'id_token code'])
    expect(() => checkFor(['code'])).toThrow(/is registered with at the OP \(code\)/)
  })

  test('no token comes in a query', () => {
    check({ response_type: 'code', response_mode: 'query' })
    for (const response_type of ['id_token', 'code id_token'] as const) {
      expect(() => check({ response_type, response_mode: 'query' })).toThrow(/^response_mode query/)
    }
  })
})

describe('S39 custom_parameters', () => {
  test.each(reserved)('cannot carry %s', (name) => {
    const field = `custom_parameters.${name}`
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(refusal({ custom_parameters: { hd: 'x', [name]: value } })).toMatchObject({
          code: 'invalid_request',
          message: expect.stringContaining(field),
          details: { field },
        })
      }),
    )
  })

  test('whatever their names and values, leave the protocol’s own and arrive as they are', () => {
    // Names near the reserved ones: encoded, cased, padded, with the separators of a query.
    const near = fc
      .tuple(
        fc.constantFrom(...reserved),
        fc.constantFrom('&', '=', ' ', '%20', '[]', '#', '\0', 'A'),
      )
      .chain(([name, extra]) =>
        fc.constantFrom(
          name + extra,
          extra + name,
          name.toUpperCase(),
          `x&${name}=evil`,
          encodeURIComponent(`${extra}${name}`),
          name.replace('e', '%65'),
        ),
      )
      .filter((name) => !reserved.includes(name))
    const text = fc.string({ unit: 'binary' })
    const custom = fc.dictionary(
      fc.oneof(
        near,
        text.filter((name) => !reserved.includes(name)),
      ),
      fc.oneof(text, fc.constantFrom('x&state=evil', '#', '&client_id=evil', '')),
    )
    fc.assert(
      fc.property(custom, (custom_parameters) => {
        const { searchParams, hash } = urlOf({ custom_parameters })
        expect(hash).toBe('')
        expect([...searchParams].sort()).toEqual(
          Object.entries({ ...always, ...custom_parameters }).sort(),
        )
      }),
      { numRuns: 500 },
    )
  })
})

describe('claims that nothing could be held against are refused', () => {
  test.each<[field: string, claims: Record<string, unknown>]>([
    ['claims.id_token.acr', { id_token: { acr: { essential: true, values: [2] } } }],
    ['claims.id_token.acr', { id_token: { acr: { essential: true, value: '' } } }],
    ['claims.id_token.sub', { id_token: { sub: { value: 7 } } }],
    ['claims.id_token.sub', { id_token: { sub: { values: ['alice', null] } } }],
    ['claims.userinfo.sub', { userinfo: { sub: { value: 'alice' } } }],
  ])('%s', (field, claims) => {
    expect(() => urlOf({ claims })).toThrow(new RegExp(`^${field} `))
  })
})
