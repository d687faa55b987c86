/** Authorization requests: nothing that a site passes on can set what the protocol sets. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import type { ServerMetadata } from 'openid-client'
import { describe, expect, test } from 'vitest'
import { CommandError } from '../errors.js'
import type { Site, SiteSettings } from '../store/store.js'
import { type AuthorizationRequest, authorizationUrl } from './authorization.js'

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

function urlOf(request: AuthorizationRequest = {}, settings?: Partial<SiteSettings>): URL {
  return new URL(authorizationUrl(makeSite(settings), metadata(), request, values))
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

test('carries what the code flow with PKCE needs, and nothing else', () => {
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

  test('carries every parameter that it may have', () => {
    const { searchParams } = urlOf(
      {
        acr_values: ['urn:a', 'urn:b'],
        prompt: 'login consent',
        max_age: 0,
        login_hint: 'alice+x@site.example',
        ui_locales: ['fr-CA', 'en'],
        claims: { id_token: { auth_time: { essential: true } } },
        custom_parameters: { hd: 'é&x=1 ', empty: '' },
      },
      { claims_locales: ['de'] },
    )
    expect(Object.fromEntries(searchParams)).toEqual({
      ...always,
      acr_values: 'urn:a urn:b',
      prompt: 'login consent',
      max_age: '0',
      login_hint: 'alice+x@site.example',
      ui_locales: 'fr-CA en',
      claims_locales: 'de',
      claims: '{"id_token":{"auth_time":{"essential":true}}}',
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
    ['an unknown prompt', { prompt: 'loginn' }, 'prompt'],
    ['prompts separated by more than a space', { prompt: 'login  consent' }, 'prompt'],
    ['none beside another prompt', { prompt: 'none login' }, 'prompt'],
    ['max_age of 0 with prompt=none', { prompt: 'none', max_age: 0 }, 'max_age'],
  ])('is refused with %s', (_, request, field) => {
    expect(refusal(request)).toMatchObject({ code: 'invalid_request', details: { field } })
  })
})

describe('C10 S39 custom_parameters', () => {
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
