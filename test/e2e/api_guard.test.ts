/** The API guard, with a real daemon and a real OP that knows several APIs and their clients. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Configuration } from 'oidc-provider'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { ApiGuard, type ApiGuardOptions, type Grant } from '../../sdk/src/web/index.js'
import { CountingClient } from '../support/counting_client.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'

const origin = 'https://site.example'

/** Every client may ask about every token, as at OPs that leave the judgement to the API. */
const configuration: Configuration = {
  issueRefreshToken: async () => true,
  // The embedded OP's page asks for no resource's scopes: here all are granted beforehand.
  async loadExistingGrant({ oidc }) {
    const accountId = oidc.session?.accountId
    const clientId = oidc.client?.clientId
    if (accountId === undefined || clientId === undefined) return undefined
    const grant = new oidc.provider.Grant({ accountId, clientId })
    grant.addOIDCScope('openid profile email')
    grant.addResourceScope('https://other.example/api', 'time')
    await grant.save()
    return grant
  },
  features: {
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => [],
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: 'time place',
        audience: resource,
        accessTokenFormat: 'opaque',
      }),
    },
  },
}

let op: Op
let daemon: TestDaemon
let site: CountingClient
const clients: CountingClient[] = []

beforeAll(async () => {
  op = await startOp({ configuration })
  daemon = await TestDaemon.start()
  site = makeClient()
})

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()))
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

function makeClient(at: { op?: Pick<Op, 'issuer'>; daemon?: TestDaemon } = {}): CountingClient {
  const { folder, socket } = at.daemon ?? daemon
  const cfg = join(folder, `site${clients.length}.cfg`)
  writeFileSync(
    cfg,
    `[oxd]\nsocket = ${socket}\n[client]\nop_host = ${(at.op ?? op).issuer}\nauthorization_redirect_uri = ${origin}/callback\n`,
  )
  const client = new CountingClient(cfg)
  clients.push(client)
  return client
}

/** A login of alice's at that client. @param resource the API that its access token is for */
async function logIn(client: CountingClient, resource?: string) {
  const { authorization_url, set_cookie } = await client.getAuthorizationUrl(
    resource === undefined ? {} : { scope: ['openid', 'time'], custom_parameters: { resource } },
  )
  return client.getTokensByCallback({
    callback: await new EndUser().logIn(authorization_url),
    cookie: set_cookie.split(';', 1)[0],
  })
}

async function tokenOf(client: CountingClient, resource?: string): Promise<string> {
  const { access_token = '' } = await logIn(client, resource)
  return access_token
}

function guardOf(client: CountingClient, options: ApiGuardOptions = {}) {
  const guard = new ApiGuard(client, options)
  return (token: string, ...scope: string[]): Promise<Grant | Response> =>
    guard.check(new Request(origin, { headers: { authorization: `Bearer ${token}` } }), { scope })
}

async function refusal(answer: Promise<Grant | Response>) {
  const response = await answer
  if (!(response instanceof Response)) throw new Error('it passed')
  const challenge = response.headers.get('www-authenticate')
  return [response.status, /error="(\w+)"/.exec(challenge ?? '')?.[1]]
}

test('a token of the own client passes, with what the OP says of it', async () => {
  const { client_id } = await site.getSite()
  const check = guardOf(site)
  const token = await tokenOf(site)
  expect(await check(token, 'openid', 'email')).toMatchObject({
    sub: 'alice',
    client_id,
    scope: ['openid', 'profile', 'email'],
    aud: [],
    exp: expect.any(Number),
  })
  expect(await refusal(check(token, 'openid', 'admin'))).toEqual([403, 'insufficient_scope'])
  expect(await refusal(check(`${token}x`))).toEqual([401, 'invalid_token'])
})

test('what a login brought besides its access token opens nothing', async () => {
  const { id_token, refresh_token } = await logIn(site)
  for (const token of [id_token, refresh_token]) {
    expect(token).toEqual(expect.any(String))
    expect(await refusal(guardOf(site)(token as string))).toEqual([401, 'invalid_token'])
  }
})

test('a token that was given to another client is none of ours', async () => {
  const token = await tokenOf(makeClient())
  expect(await refusal(guardOf(site)(token))).toEqual([401, 'invalid_token'])
})

test('S7 a token for another API opens none but that, though it was given to the own client', async () => {
  const token = await tokenOf(site, 'https://other.example/api')
  expect(await refusal(guardOf(site)(token))).toEqual([401, 'invalid_token'])
  const audience = 'https://site.example/api'
  expect(await refusal(guardOf(site, { audience })(token))).toEqual([401, 'invalid_token'])
  // To the API that it is for, any client may bring it.
  const other = guardOf(makeClient(), { audience: [audience, 'https://other.example/api'] })
  expect(await other(token, 'time')).toMatchObject({
    sub: 'alice',
    aud: ['https://other.example/api'],
    scope: ['time'],
  })
})

test('a token without an audience does not open an API that has a name', async () => {
  const token = await tokenOf(site)
  const check = guardOf(site, { audience: 'https://site.example/api' })
  expect(await refusal(check(token))).toEqual([401, 'invalid_token'])
})

test('who asks often is answered from memory, for a moment, and by a copy', async () => {
  const token = await tokenOf(site)
  const before = site.asked('introspect_access_token')
  const check = guardOf(site)
  await Promise.all([check(token), check(token), check(token)])
  const grant = (await check(token)) as Grant
  grant.scope.push('admin')
  expect(await refusal(check(token, 'admin'))).toEqual([403, 'insufficient_scope'])
  expect(site.asked('introspect_access_token') - before).toBe(1)
  // Another guard knows nothing of it.
  await guardOf(site)(token)
  expect(site.asked('introspect_access_token') - before).toBe(2)
})

test('S44 a revoked token is refused, at once where nothing is remembered', async () => {
  const token = await tokenOf(site)
  const check = guardOf(site, { cache_seconds: 0 })
  expect(await check(token)).toMatchObject({ sub: 'alice' })
  await site.revokeToken({ token })
  expect(await refusal(check(token))).toEqual([401, 'invalid_token'])
})

test('who cannot know lets nobody pass, and says so to the site', async () => {
  const errors: Error[] = []
  const on_trouble = (error: Error) => {
    errors.push(error)
  }
  await using own = await TestDaemon.start()
  const away = await startOp()
  const client = makeClient({ op: away, daemon: own })
  const token = await tokenOf(client)
  const check = guardOf(client, { cache_seconds: 0, on_trouble })
  expect(await check(token)).toMatchObject({ sub: 'alice' })

  await away.close()
  const response = (await check(token)) as Response
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
  expect(await response.json()).toEqual({ error: 'temporarily_unavailable' })
  await own.signal('SIGKILL')
  expect(await refusal(check(token))).toEqual([503, undefined])
  expect(errors).toMatchObject([{ code: 'op_unreachable' }, { code: 'ERR_UNREACHABLE' }])
  await client.close()
})

test('an OP that answers no such questions is told to the site', async () => {
  const silent = await startOp({
    configuration: { features: { introspection: { enabled: false } } },
  })
  try {
    const client = makeClient({ op: silent })
    const codes: unknown[] = []
    const check = guardOf(client, {
      on_trouble: (error) => codes.push('code' in error && error.code),
    })
    expect(await refusal(check('token'))).toEqual([503, undefined])
    expect(codes).toEqual(['no_introspection_endpoint_at_op'])
  } finally {
    await silent.close()
  }
})

test('what can be no scope, audience or time is the developer’s mistake', async () => {
  const check = guardOf(site)
  await expect(check('token', 'read write')).rejects.toThrow(TypeError)
  expect(() => new ApiGuard(site, { audience: '' })).toThrow(TypeError)
  expect(() => new ApiGuard(site, { audience: [] })).toThrow(TypeError)
  for (const cache_seconds of [-1, Number.NaN, 1e9]) {
    expect(() => new ApiGuard(site, { cache_seconds })).toThrow(RangeError)
  }
})
