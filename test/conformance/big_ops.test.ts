/** OPs that many people use, by their published metadata: each with what [op NAME] says of it, and without. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { compactVerify, decodeJwt, decodeProtectedHeader } from 'jose'
import { expect, test } from 'vitest'
import type { CommandError } from '../../daemon/src/errors.js'
import type { ClientCredential } from '../../daemon/src/op/client_credential.js'
import type { OpOptions } from '../../daemon/src/op/op_options.js'
import { type BentClient, BentOp, json, makeKey } from '../support/bent_op/index.js'
import { bigOps, publishedOp } from '../support/big_ops/index.js'
import { IssuedWorld, redirect_uri } from '../support/issued_world.js'

const client_secret = 'a secret that the OP has issued'
const credential: ClientCredential = { method: 'client_secret_basic', client_secret }

const tenant = '11111111-2222-3333-4444-555555555555'
const stranger = '99999999-2222-3333-4444-555555555555'

/** One for all: to make an RSA key takes long. */
const key = makeKey('RS256')

interface Started extends AsyncDisposable {
  op: BentOp
  world: IssuedWorld
}

/** An OP that looks as the published one, and a site there. */
async function start(
  name: (typeof bigOps)[number],
  options: Partial<OpOptions> | undefined,
  client: Partial<BentClient> & {
    credential?: ClientCredential
    scope?: string[]
    aliases?: Record<string, string>
    introspects?: true
  } = {},
): Promise<Started> {
  const { credential: given = credential, scope, aliases, introspects, ...more } = client
  const introspection = {
    get introspection_endpoint() {
      return op.address('introspection')
    },
  }
  const op: BentOp = await BentOp.start({
    published: publishedOp(name),
    key,
    ...(aliases && { metadata: { mtls_endpoint_aliases: aliases } }),
    ...(introspects && { metadata: introspection }),
  })
  op.addClient({
    client_id: 'issued',
    client_secret,
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: [redirect_uri],
    ...more,
  })
  try {
    const world = await IssuedWorld.start({
      op_host: op.op_host,
      credential: given,
      ...(scope && { scope }),
      ...(options && { ops: [withOrigin(options, op)] }),
    })
    return {
      op,
      world,
      async [Symbol.asyncDispose]() {
        await world[Symbol.asyncDispose]()
        await op[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await op[Symbol.asyncDispose]()
    throw error
  }
}

/** The published addresses are on this host. */
function withOrigin(options: Partial<OpOptions>, { origin }: BentOp): Partial<OpOptions> {
  const text = JSON.stringify(options).replace(/https:\/\/[^/"]+/g, origin)
  return JSON.parse(text) as Partial<OpOptions>
}

const many: Partial<OpOptions> = {
  issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0',
  tenants: [tenant],
}

/** What must stand in relyd.cfg for a login at this OP to come to an end; nothing at most of them. */
const needed: Partial<Record<(typeof bigOps)[number], Partial<OpOptions>>> = {
  entra_organizations: many,
}

test.each(bigOps)('%s: a login by its metadata', async (name) => {
  await using started = await start(name, needed[name])
  const { op, world } = started
  if (name.startsWith('entra')) op.tenant = tenant
  // Auth0's issuer ends with a slash, which people do not write.
  const login = await world.logIn((url) => op.authorize(url))
  expect(login).toMatchObject({ sub: op.sub })
  const { claims } = await world.run('get_user_info', { session_id: login.session_id })
  expect(claims).toMatchObject({ sub: op.sub })
  expect(op.last('discovery').url).toBe(
    `${new URL(op.op_host).pathname.replace(/\/$/, '')}/.well-known/openid-configuration`,
  )
})

test('the fixtures say where they are from', () => {
  for (const name of bigOps) expect(publishedOp(name).source).toMatch(/20\d\d/)
})

// Entra ID

test.each(['https://login.microsoftonline.com', 'https://relyd.b2clogin.com'])(
  'an issuer at %s has to be the one that was asked for, too',
  async (microsoft) => {
    const { fetchMetadata } = await import('../../daemon/src/op/discovery.js')
    const { metadata } = publishedOp('entra_organizations')
    const asked: string[] = []
    const http = {
      timeout: 2,
      admit: async () => {},
      policy: { isSecure: () => true, refuses: () => false, refusesLiteral: () => false },
      fetch: async (url: string) => {
        asked.push(url)
        return Response.json({ ...metadata, issuer: 'https://accounts.google.com' })
      },
    } as never
    const found = fetchMetadata(http, `${microsoft}/common/v2.0`)
    await expect(found).rejects.toMatchObject({ code: 'invalid_op_metadata' })
    expect(asked).toEqual([`${microsoft}/common/v2.0/.well-known/openid-configuration`])
  },
)

test('entra: an address of many tenants is refused without its section, with the cure', async () => {
  const error = await start('entra_organizations', undefined).then(
    () => undefined,
    (reason: CommandError) => reason,
  )
  expect(error).toMatchObject({ code: 'invalid_op_metadata' })
  expect(error?.message).toContain('[op NAME]')
  expect(error?.message).toContain('tenants')
})

test('P3 entra: another issuer than the section names is refused', async () => {
  const issuer = 'https://login.microsoftonline.com/{tenantid}/v1.0'
  const started = start('entra_organizations', { ...many, issuer })
  await expect(started).rejects.toMatchObject({ code: 'invalid_op_metadata' })
})

const foreign: Record<string, (origin: string) => Record<string, unknown>> = {
  'a tenant that is not listed': (at) => ({ tid: stranger, iss: `${at}/${stranger}/v2.0` }),
  'the issuer of another tenant': (at) => ({ tid: tenant, iss: `${at}/${stranger}/v2.0` }),
  'the template for an issuer': (at) => ({ tid: tenant, iss: `${at}/{tenantid}/v2.0` }),
  'no tenant': (at) => ({ tid: undefined, iss: `${at}/${tenant}/v2.0` }),
  'a tenant that is a pattern': (at) => ({ tid: '$&', iss: `${at}/{tenantid}/v2.0` }),
}

test('entra: a login is of a tenant that is listed, and of its issuer', async () => {
  await using started = await start('entra_organizations', many)
  const { op, world } = started
  for (const [what, claims] of Object.entries(foreign)) {
    op.bend({ claims: (honest) => ({ ...honest, ...claims(op.origin) }) })
    const refused = world.logIn((url) => op.authorize(url))
    await expect(refused, what).rejects.toMatchObject({ code: 'invalid_id_token_bad_issuer' })
    op.straighten()
  }
  op.tenant = tenant
  const login = await world.logIn((url) => op.authorize(url))
  expect(login.issuer).toBe(`${op.origin}/${tenant}/v2.0`)
})

test('entra: a reload lets no stranger in whose login is under way', async () => {
  await using started = await start('entra_organizations', many)
  const { op, world } = started
  op.tenant = stranger
  op.bend({
    token: (honest) => {
      world.reload([])
      return honest
    },
  })
  await expect(world.logIn((url) => op.authorize(url))).rejects.toMatchObject({
    code: 'invalid_id_token_bad_issuer',
  })
  // And what begins after it, ends.
  op.straighten()
  await expect(world.run('get_authorization_url')).rejects.toMatchObject({
    code: 'invalid_op_metadata',
  })
})

test('entra: a login under way ends with the tenants that it began with', async () => {
  await using started = await start('entra_organizations', many)
  const { op, world } = started
  op.tenant = tenant
  op.bend({
    token: (honest) => {
      world.reload([withOrigin({ ...many, tenants: [stranger] }, op)])
      return honest
    },
  })
  expect(await world.logIn((url) => op.authorize(url))).toMatchObject({ sub: op.sub })
  await expect(world.logIn((url) => op.authorize(url))).rejects.toMatchObject({
    code: 'invalid_id_token_bad_issuer',
  })
})

test('entra: of several tenants, a refresh stays with the one that logged in', async () => {
  await using started = await start(
    'entra_organizations',
    { ...many, tenants: [tenant, stranger] },
    {
      scope: ['openid', 'offline_access'],
    },
  )
  const { op, world } = started
  op.tenant = tenant
  const { session_id } = await world.logIn((url) => op.authorize(url))
  op.tenant = stranger
  world.now += 400
  await expect(world.run('get_access_token', { session_id })).rejects.toMatchObject({
    code: 'invalid_id_token_bad_issuer',
  })
})

test('entra: an access token is active if it is of a tenant that is listed', async () => {
  await using started = await start('entra_organizations', many, { introspects: true })
  const { op, world } = started
  const active = async (iss: string) => {
    op.bend({ introspection: () => json({ active: true, iss: op.origin + iss }) })
    const { active } = await world.run('introspect_access_token', { access_token: 'a token' })
    return active
  }
  expect(await active(`/${tenant}/v2.0`)).toBe(true)
  for (const other of [`/${stranger}/v2.0`, '/{tenantid}/v2.0', `/${tenant}/v2.0/`]) {
    expect([other, await active(other)]).toEqual([other, false])
  }
})

test('entra: a key of one kind of accounts does not sign for another', async () => {
  await using started = await start('entra_organizations', many)
  const { op, world } = started
  op.tenant = tenant
  op.key = makeKey('RS256')
  op.keys = [{ ...op.key.jwk, issuer: `${op.origin}/${stranger}/v2.0` }]
  await expect(world.logIn((url) => op.authorize(url))).rejects.toMatchObject({
    code: 'invalid_id_token_bad_signature',
  })
  op.key = makeKey('RS256')
  op.keys = [{ ...op.key.jwk, issuer: `${op.origin}/{tenantid}/v2.0` }]
  expect(await world.logIn((url) => op.authorize(url))).toMatchObject({ sub: op.sub })
})

test('entra: one tenant needs no section, and no other comes in', async () => {
  await using started = await start('entra_tenant', undefined)
  const { op, world } = started
  op.bend({ claims: (honest) => ({ ...honest, iss: `${op.origin}/${stranger}/v2.0` }) })
  await expect(world.logIn((url) => op.authorize(url))).rejects.toMatchObject({
    code: 'invalid_id_token_bad_issuer',
  })
})

// Entra ID and Okta

test.each<[(typeof bigOps)[number], Partial<OpOptions>]>([
  ['entra_tenant', {}],
  ['entra_organizations', many],
  ['okta', {}],
])('%s: wants the token endpoint as the audience of an assertion', async (name, options) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const private_key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const assertions: string[] = []
  const client = {
    credential: { method: 'private_key_jwt', private_key, alg: 'PS256' } as const,
    token_endpoint_auth_method: 'client_assertion' as const,
    // Okta: "The audience claim for client_assertion must be the endpoint invoked for the request."
    takes: (form: URLSearchParams) => {
      const assertion = form.get('client_assertion') as string
      assertions.push(assertion)
      return decodeJwt(assertion).aud === endpoint
    },
  }
  let endpoint = ''
  const audience = { ...options, client_assertion_audience: 'token_endpoint' as const }
  await using started = await start(name, audience, client)
  const { op, world } = started
  endpoint = String(op.metadata['token_endpoint'])
  if (name !== 'okta') op.tenant = tenant
  if (name === 'entra_tenant') op.tenant = undefined
  expect(await world.logIn((url) => op.authorize(url))).toMatchObject({ sub: op.sub })
  await compactVerify(assertions[0] as string, createPublicKey(privateKey))
  expect(decodeProtectedHeader(assertions[0] as string).alg).toBe('PS256')

  if (name === 'entra_organizations') {
    await expect(start(name, options, client)).rejects.toThrow('client_assertion_audience')
    return
  }
  await using without = await start(name, options, client)
  endpoint = String(without.op.metadata['token_endpoint'])
  await expect(without.world.logIn((url) => without.op.authorize(url))).rejects.toMatchObject({
    code: 'op_error',
    details: { error: 'invalid_client' },
  })
  expect(decodeJwt(assertions.at(-1) as string).aud).toBe(without.op.issuer)
})

// Apple

const { privateKey: apple_key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** As Apple checks it: signed by the team's key, for this client, within six months. */
function applesClient(
  issuer: () => string,
): Partial<BentClient> & { credential: ClientCredential } {
  return {
    token_endpoint_auth_method: 'client_secret_post',
    takes: (form) => {
      const secret = form.get('client_secret') ?? ''
      const { alg, kid } = decodeProtectedHeader(secret)
      const { iss, sub, aud, iat = 0, exp = 0 } = decodeJwt(secret)
      expect([alg, kid, iss, sub, aud]).toEqual([
        'ES256',
        'KEYID12345',
        'TEAMID1234',
        'issued',
        issuer(),
      ])
      return exp > iat && exp - iat <= 15_777_000 && exp > Date.now() / 1000
    },
    credential: {
      method: 'apple',
      team_id: 'TEAMID1234',
      kid: 'KEYID12345',
      private_key: apple_key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    },
  }
}

test('apple: a posted callback, a secret made anew, and claims of the ID Token', async () => {
  let issuer = ''
  const client = { ...applesClient(() => issuer), scope: ['openid', 'name', 'email'] }
  await using started = await start('apple', { response_mode: 'form_post' }, client)
  const { op, world } = started
  issuer = op.issuer
  op.more_claims = { email: 'alice@example.com', email_verified: 'true', nonce_supported: true }
  const { authorization_url, set_cookie } = await world.run('get_authorization_url')
  expect(set_cookie).toMatch(/^__Host-.*HttpOnly; Secure; SameSite=None$/)
  const form = op.authorizeByPost(authorization_url, (response) =>
    response.set('user', JSON.stringify({ name: { firstName: 'Alice' }, email: 'mallory@evil' })),
  )
  const [cookie = ''] = set_cookie.split(';')
  const login = await world.run('get_tokens_by_callback', { callback: form, cookie })
  const sent = new URLSearchParams(op.last('token').body)
  await compactVerify(sent.get('client_secret') as string, createPublicKey(apple_key))

  const { session_id, access_token } = login
  const answer = {
    claims: { sub: op.sub, email: 'alice@example.com', email_verified: 'true' },
    source: 'id_token',
  }
  expect(await world.run('get_user_info', { session_id })).toEqual(answer)
  expect(await world.run('get_user_info', { access_token })).toEqual(answer)
  await expect(world.run('get_logout_uri', { session_id })).rejects.toMatchObject({
    code: 'no_end_session_endpoint_at_op',
  })
  await world.run('revoke_token', { session_id }).catch((error: CommandError) => {
    throw new Error(error.message)
  })

  // Six months later: a new one, good then.
  const first = sent.get('client_secret')
  world.now += 10
  await world.run('get_authorization_url').then(async (next) =>
    world.run('get_tokens_by_callback', {
      callback: op.authorizeByPost(next.authorization_url),
      binding: next.binding,
    }),
  )
  const second = new URLSearchParams(op.last('token').body).get('client_secret') as string
  expect(second).not.toBe(first)
  expect(decodeJwt(second)['exp']).toBe(world.now + 300)
})

test('apple: without the section it is asked for a redirect, and refuses', async () => {
  let issuer = ''
  await using started = await start(
    'apple',
    undefined,
    applesClient(() => issuer),
  )
  const { op, world } = started
  issuer = op.issuer
  const { authorization_url, set_cookie } = await world.run('get_authorization_url')
  expect(set_cookie).toContain('SameSite=Lax')
  expect(() => op.authorizeByPost(authorization_url)).toThrow('this OP posts')
})

test('apple: a site without https is told why it cannot log in there', async () => {
  let issuer = ''
  const client = applesClient(() => issuer)
  await using started = await start('apple', { response_mode: 'form_post' }, client)
  const { op, world } = started
  issuer = op.issuer
  world.site = { ...world.site, redirect_uri: 'http://localhost:3000/callback' }
  await expect(world.run('get_authorization_url')).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining('https'),
  })
})

// Google

test('C10 google: a refresh token is asked for in its own way, and the site has the last word', async () => {
  const authorization_parameters = { access_type: 'offline', prompt: 'consent' }
  await using started = await start('google', { authorization_parameters })
  const { world } = started
  const asked = async (params = {}) => {
    const { authorization_url } = await world.run('get_authorization_url', params)
    const { searchParams } = new URL(authorization_url)
    return [searchParams.getAll('access_type'), searchParams.getAll('prompt')]
  }
  expect(await asked()).toEqual([['offline'], ['consent']])
  const params = { prompt: 'login', custom_parameters: { access_type: 'online' } }
  expect(await asked(params)).toEqual([['online'], ['login']])
})

test('google: has no logout, and says so', async () => {
  await using started = await start('google', undefined)
  const { op, world } = started
  const { authorization_url } = await world.run('get_authorization_url')
  expect(authorization_url).not.toContain('access_type')
  const { session_id } = await world.logIn((url) => op.authorize(url))
  await expect(world.run('get_logout_uri', { session_id })).rejects.toMatchObject({
    code: 'no_end_session_endpoint_at_op',
    message: expect.stringContaining("end the website's own session only"),
  })
  expect(await world.run('get_session', { session_id })).toMatchObject({ sub: op.sub })
})

// Cognito and Auth0

const back = 'https://site.example/bye'

test.each<[(typeof bigOps)[number], address: string, parameter: string]>([
  ['cognito', 'https://auth.example/logout', 'logout_uri'],
  ['auth0', 'https://auth.example/v2/logout', 'returnTo'],
])('%s: a logout of its own', async (name, address, parameter) => {
  const own = { logout_endpoint: address, logout_return_parameter: parameter }
  await using started = await start(name, own)
  const { op, world } = started
  const { session_id } = await world.logIn((url) => op.authorize(url))
  const request = { session_id, post_logout_redirect_uri: back }
  await expect(world.run('get_logout_uri', { ...request, state: 'x' })).rejects.toMatchObject({
    code: 'invalid_request',
    details: { field: 'state' },
  })
  const { uri } = await world.run('get_logout_uri', request)
  const { origin, pathname, searchParams } = new URL(uri)
  expect(origin + pathname).toBe(address.replace('https://auth.example', op.origin))
  // No ID Token goes into an address that does not ask for one.
  expect(Object.fromEntries(searchParams)).toEqual({ client_id: 'issued', [parameter]: back })
  await expect(world.run('get_session', { session_id })).rejects.toMatchObject({
    code: 'invalid_session_id',
  })
})

test.each(['cognito', 'auth0'] as const)(
  '%s: without the section, the standard’s logout',
  async (name) => {
    await using started = await start(name, undefined)
    const { op, world } = started
    const { session_id } = await world.logIn((url) => op.authorize(url))
    const { uri } = await world.run('get_logout_uri', {
      session_id,
      post_logout_redirect_uri: back,
    })
    expect(uri.startsWith(`${op.metadata['end_session_endpoint']}?`)).toBe(true)
    expect([...new URL(uri).searchParams.keys()].sort()).toEqual([
      'client_id',
      'id_token_hint',
      'post_logout_redirect_uri',
    ])
  },
)

test('auth0: its standard logout, where its metadata keeps silent about it', async () => {
  const logout_endpoint = 'https://auth.example/oidc/logout'
  await using started = await start('google', { logout_endpoint })
  const { op, world } = started
  const { session_id } = await world.logIn((url) => op.authorize(url))
  const { uri } = await world.run('get_logout_uri', { session_id, state: 'x' })
  expect(uri.startsWith(`${op.origin}/oidc/logout?`)).toBe(true)
  expect(new URL(uri).searchParams.get('state')).toBe('x')
  expect(new URL(uri).searchParams.has('id_token_hint')).toBe(true)
})

test('keycloak: its aliases for clients with certificates are nobody else’s', async () => {
  const aliases = { token_endpoint: 'http://evil.example/token' }
  await using started = await start('keycloak', undefined, { aliases })
  const { op, world } = started
  expect(await world.logIn((url) => op.authorize(url))).toMatchObject({ sub: op.sub })
})
