/** A site's registration as oxd clients know it: register_site and update_site, parameter by parameter. */
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { registrationTable } from '../../daemon/src/oxd/registration_params.js'
import { type BentClient, BentOp, expectNoSecrets, type Members } from '../support/bent_op/index.js'
import type { TestDaemon } from '../support/daemon.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'
import { Wire } from '../support/wire.js'

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/
const callback = 'https://site.example/callback'
const issued = {
  client_id: 'issued',
  client_secret: "the marker secret of the OP's operator",
}

let op: BentOp
let daemon: TestDaemon
let client: OxdWire

beforeAll(async () => {
  op = await BentOp.start({
    metadata: { grant_types_supported: ['authorization_code', 'implicit', 'refresh_token'] },
  })
  op.addClient({
    ...issued,
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: [callback],
  })
  daemon = await startOxdDaemon({
    daemon: { default_op: op.issuer },
    sections:
      '[listener narrow]\naddress = unix:{folder}/narrow.sock\nrealm = narrow\n[realm narrow]\noxd_clients = 3.1\nregistrations_per_minute = 1',
  })
  client = await OxdWire.connect(daemon.socket)
})

afterAll(async () => {
  client[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op)
  expect(daemon.output).not.toContain('marker')
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

async function register(params: object = {}): Promise<string> {
  const { oxd_id } = await client.ok('register_site', {
    authorization_redirect_uri: callback,
    ...params,
  })
  return oxd_id
}

async function clientOf(oxd_id: string): Promise<BentClient & Members> {
  const { node } = await client.ok('get_rp', { oxd_id })
  return op.clients.get(node.client_id) as BentClient & Members
}

/** The address that a login of the site begins with. */
async function login(oxd_id: string): Promise<URLSearchParams> {
  const { authorization_url } = await client.ok('get_authorization_url', { oxd_id })
  return new URL(authorization_url).searchParams
}

/** What a client gives, and what the OP has registered then. */
const rows: [name: string, given: unknown, at_op: Members][] = [
  [
    'redirect_uris',
    ['https://site.example/other'],
    { redirect_uris: [callback, 'https://site.example/other'] },
  ],
  [
    'post_logout_redirect_uri',
    'https://site.example/bye',
    { post_logout_redirect_uris: ['https://site.example/bye'] },
  ],
  [
    'logout_redirect_uri',
    'https://site.example/bye',
    { post_logout_redirect_uris: ['https://site.example/bye'] },
  ],
  [
    'response_types',
    ['code id_token'],
    {
      response_types: ['code id_token', 'code'],
      grant_types: expect.arrayContaining(['authorization_code', 'implicit']),
    },
  ],
  [
    'grant_types',
    ['refresh_token'],
    { grant_types: ['refresh_token', 'authorization_code'], response_types: ['code'] },
  ],
  ['scope', ['openid', 'email'], { scope: 'openid email' }],
  ['contacts', ['admin@site.example'], { contacts: ['admin@site.example'] }],
  ['client_name', 'Shop', { client_name: 'Shop' }],
  [
    'claims_redirect_uri',
    ['https://site.example/claims'],
    { claims_redirect_uris: ['https://site.example/claims'] },
  ],
  ['trusted_client', true, { oxAuthTrustedClient: 'true' }],
  ['client_jwks_uri', 'https://site.example/jwks', { jwks_uri: 'https://site.example/jwks' }],
  [
    'client_token_endpoint_auth_method',
    'client_secret_post',
    { token_endpoint_auth_method: 'client_secret_post' },
  ],
  ['client_token_endpoint_auth_signing_alg', 'RS256', { token_endpoint_auth_signing_alg: 'RS256' }],
  [
    'client_request_uris',
    ['https://site.example/request'],
    { request_uris: ['https://site.example/request'] },
  ],
  [
    'client_frontchannel_logout_uris',
    ['https://site.example/out', 'https://site.example/more'],
    { frontchannel_logout_uri: 'https://site.example/out' },
  ],
  [
    'client_logout_uris',
    ['https://site.example/out'],
    { frontchannel_logout_uri: 'https://site.example/out' },
  ],
  [
    'client_sector_identifier_uri',
    'https://site.example/sector',
    { sector_identifier_uri: 'https://site.example/sector' },
  ],
]

/** What the OP does not hear of, and the logins that show it. */
const logins: [name: string, given: unknown, asked: Record<string, string>][] = [
  ['acr_values', ['gold', 'silver'], { acr_values: 'gold silver' }],
  ['ui_locales', ['fr', 'de'], { ui_locales: 'fr de' }],
  ['claims_locales', ['fr'], { claims_locales: 'fr' }],
]

const without_use: [name: string, given: unknown][] = [
  ['client_registration_access_token', 'a marker token that nobody uses'],
  ['client_registration_client_uri', 'http://169.254.169.254/latest'],
  ['client_secret_expires_at', 1_900_000_000_000],
  ['application_type', 'native'],
  ['oxd_rp_programming_language', 'python'],
]

const of_registration = ['op_host', 'op_discovery_path', 'client_id', 'client_secret']

test('every parameter of a registration is shown below', () => {
  const shown = [...rows, ...logins, ...without_use].map(([name]) => name)
  expect([...shown, ...of_registration, 'authorization_redirect_uri'].sort()).toEqual(
    Object.keys(registrationTable).sort(),
  )
})

describe('register_site', () => {
  test.each(rows)('tells the OP of %s', async (name, given, at_op) => {
    expect(await clientOf(await register({ [name]: given }))).toMatchObject(at_op)
  })

  test.each(logins)('has logins begin with %s', async (name, given, asked) => {
    const params = await login(await register({ [name]: given }))
    expect(Object.fromEntries(params)).toMatchObject(asked)
  })

  test.each(without_use)('takes %s, and makes nothing of it', async (name, given) => {
    const plain = Object.keys(await clientOf(await register()))
    const at_op = await clientOf(await register({ [name]: given }))
    expect(Object.keys(at_op)).toEqual(plain)
    expect(at_op).toMatchObject({ redirect_uris: [callback], application_type: 'web' })
  })

  test('trap 10: answers a UUID and the OP, and nothing else; each call makes a site', async () => {
    const params = { authorization_redirect_uri: callback, op_host: op.issuer }
    const start = op.asked.length
    const one = await client.ok('register_site', params)
    const other = await client.ok('register_site', params)
    expect(one).toEqual({ oxd_id: expect.stringMatching(UUID), op_host: op.issuer })
    expect(other.oxd_id).toMatch(UUID)
    expect(other.oxd_id).not.toBe(one.oxd_id)
    expect(op.calls(start)).toMatchObject({ registration: 2 })
  })

  test('takes op_discovery_path', async () => {
    await using deep = await BentOp.start({ issuer_path: '/deep/op' })
    const { op_host } = await client.ok('register_site', {
      authorization_redirect_uri: callback,
      op_host: deep.origin,
      op_discovery_path: '/deep/op/.well-known/openid-configuration',
    })
    expect(op_host).toBe(deep.issuer)
    expect(deep.clients.size).toBe(1)
  })

  test('registers nothing with an issued client, whatever else is said of it', async () => {
    const start = op.asked.length
    const oxd_id = await register({
      ...issued,
      ...Object.fromEntries([...rows, ...logins, ...without_use]),
      client_token_endpoint_auth_method: 'client_secret_basic',
      client_logout_uris: ['https://elsewhere.example/out'],
      client_jwks_uri: 'http://site.example/jwks',
    })
    expect(op.calls(start)).not.toHaveProperty('registration')
    expect(op.calls(start)).not.toHaveProperty('client')
    expect((await login(oxd_id)).get('client_id')).toBe('issued')
  })

  test('tells the log what of an issued client the OP does not hear', async () => {
    await register({ ...issued, contacts: ['admin@site.example'], client_name: 'Shop' })
    expect(daemon.log).toContainEqual(expect.objectContaining({ left_out: ['contacts'] }))
  })

  test.each(['authorization_redirect_uri', 'redirect_uris'])(
    'refuses {op} in %s, of which no reply could tell what it becomes',
    async (field) => {
      const uri = 'https://site.example/{op}/callback'
      const oxd_id = await register()
      const params = { [field]: field === 'redirect_uris' ? [uri] : uri }
      const refusal = {
        error: 'invalid_authorization_redirect_uri',
        error_description: expect.stringContaining('{op}'),
        details: { field },
      }
      const whole = { authorization_redirect_uri: callback, ...params }
      expect(await client.refused('register_site', whole)).toMatchObject(refusal)
      expect(await client.refused('update_site', { oxd_id, ...params })).toMatchObject(refusal)
    },
  )

  test("says in oxd's names what an issued client lacks", async () => {
    const params = { authorization_redirect_uri: callback, client_id: 'issued' }
    const client_token_endpoint_auth_method = 'private_key_jwt'
    expect(
      await client.refused('register_site', { ...params, client_token_endpoint_auth_method }),
    ).toMatchObject({
      error: 'invalid_request',
      error_description: expect.stringMatching(/^client_token_endpoint_auth_method cannot be/),
    })
    const { client_secret } = issued
    expect(
      await client.refused('register_site', {
        authorization_redirect_uri: callback,
        client_secret,
      }),
    ).toMatchObject({ details: { field: 'client_id' } })
  })

  test.each([
    ['is missing', {}],
    ['is null', { authorization_redirect_uri: null }],
    ['is blank', { authorization_redirect_uri: ' ' }],
    ['has a fragment', { authorization_redirect_uri: `${callback}#top` }],
  ])('refuses when authorization_redirect_uri %s', async (_, params) => {
    const start = op.asked.length
    expect(await client.refused('register_site', params)).toMatchObject({
      error: 'invalid_authorization_redirect_uri',
      details: { field: 'authorization_redirect_uri' },
    })
    expect(op.calls(start)).toEqual({})
  })

  test("keeps within the address policy and the realm's quota", async () => {
    using wire = await OxdWire.connect(join(daemon.folder, 'narrow.sock'))
    const at = (op_host: string) => ({ authorization_redirect_uri: callback, op_host })
    expect(await wire.refused('register_site', at('https://10.0.0.1'))).toMatchObject({
      error: 'invalid_op_host',
      details: { reason: 'op_host_not_allowed' },
    })
    expect(await wire.refused('register_site', at(op.issuer))).toMatchObject({
      error: 'internal_error',
      details: { reason: 'quota_exceeded', quota: 'registrations_per_minute' },
    })
  })
})

describe('update_site', () => {
  let oxd_id: string

  beforeEach(async () => {
    oxd_id = await register({ grant_types: ['refresh_token', 'authorization_code'] })
  })

  test.each(rows)(
    'tells the OP of %s, and leaves the rest as it is',
    async (name, given, at_op) => {
      const before = await clientOf(oxd_id)
      expect(await client.ok('update_site', { oxd_id, [name]: given })).toEqual({ oxd_id })
      const { grant_types } = before
      expect(await clientOf(oxd_id)).toMatchObject({ grant_types, ...at_op })
    },
  )

  test.each(logins)('has logins begin with %s', async (name, given, asked) => {
    const start = op.asked.length
    await client.ok('update_site', { oxd_id, [name]: given })
    expect(op.calls(start)).toEqual({})
    expect(Object.fromEntries(await login(oxd_id))).toMatchObject(asked)
  })

  test('trap 13: goes by its older name too', async () => {
    const params = { oxd_id, client_name: 'Store', authorization_redirect_uri: `${callback}/2` }
    expect(await client.ok('update_site_registration', params)).toEqual({ oxd_id })
    expect(await clientOf(oxd_id)).toMatchObject({
      client_name: 'Store',
      redirect_uris: [`${callback}/2`],
    })
    expect((await login(oxd_id)).get('redirect_uri')).toBe(`${callback}/2`)
  })

  test('succeeds where nothing changes, and asks nobody', async () => {
    const same = { authorization_redirect_uri: callback, grant_types: ['refresh_token'] }
    const start = op.asked.length
    expect(await client.ok('update_site', { oxd_id })).toEqual({ oxd_id })
    for (const [name, given] of without_use) {
      expect(await client.ok('update_site', { oxd_id, [name]: given })).toEqual({ oxd_id })
    }
    expect(await client.ok('update_site', { oxd_id, ...same })).toEqual({ oxd_id })
    expect(op.calls(start)).toEqual({})
  })

  test('passes over what a site is registered with, which clients send along', async () => {
    const start = op.asked.length
    await client.ok('update_site', { oxd_id, ...issued, op_host: 'https://10.0.0.1' })
    expect(op.calls(start)).toEqual({})
    expect((await clientOf(oxd_id)).client_id).not.toBe('issued')
  })

  test('one member of metadata leaves the others', async () => {
    await client.ok('update_site', { oxd_id, trusted_client: 'true' })
    await client.ok('update_site', { oxd_id, claims_redirect_uri: 'https://site.example/claims' })
    expect(await clientOf(oxd_id)).toMatchObject({
      oxAuthTrustedClient: 'true',
      claims_redirect_uris: ['https://site.example/claims'],
    })
  })

  test('trap 9: an OP that refuses is told of, and nothing is changed', async () => {
    const before = await clientOf(oxd_id)
    const refused = await client.refused('update_site', { oxd_id, client_jwks_uri: 'ftp://x' })
    expect(refused).toMatchObject({
      error: 'invalid_request',
      error_description: expect.stringMatching(/^client_jwks_uri must be/),
    })
    expect(await clientOf(oxd_id)).toEqual(before)
  })
})

describe('of a client that the OP has issued, update_site', () => {
  let oxd_id: string

  beforeEach(async () => {
    oxd_id = await register(issued)
  })

  test("changes what is relyd's own, and asks nobody", async () => {
    const start = op.asked.length
    await client.ok('update_site', {
      oxd_id,
      ...issued,
      authorization_redirect_uri: `${callback}/2`,
      scope: ['openid'],
      // As it is anyway.
      response_types: ['code'],
      grant_types: ['authorization_code'],
      client_token_endpoint_auth_method: 'client_secret_basic',
    })
    expect(op.calls(start)).toEqual({})
    expect(Object.fromEntries(await login(oxd_id))).toMatchObject({
      redirect_uri: `${callback}/2`,
      scope: 'openid',
    })
  })

  test.each([
    ['grant_types', ['client_credentials']],
    ['contacts', ['admin@site.example']],
    ['client_logout_uris', ['https://site.example/out']],
    ['claims_redirect_uri', ['https://site.example/claims']],
    ['trusted_client', true],
  ])('refuses %s alone, which the OP alone could change', async (name, given) => {
    const params = { oxd_id, [name]: given }
    expect(await client.refused('update_site', params)).toMatchObject({
      error: 'invalid_registration_client_url',
      error_description: expect.stringMatching(new RegExp(`^${name} `)),
      details: { field: name },
    })
  })

  test('takes what register_site took: a whole cfg, of which the OP hears nothing', async () => {
    const cfg = {
      ...issued,
      authorization_redirect_uri: callback,
      grant_types: ['authorization_code', 'refresh_token'],
      contacts: ['admin@site.example'],
      scope: ['openid'],
    }
    const start = op.asked.length
    const site = { oxd_id: await register(cfg) }
    expect(await client.ok('update_site', { ...site, ...cfg })).toEqual(site)
    expect(await client.ok('update_site', { ...site, ...cfg, scope: ['openid', 'email'] })).toEqual(
      site,
    )
    expect(op.calls(start)).toEqual({})
    expect((await login(site.oxd_id)).get('scope')).toBe('openid email')
    expect(daemon.log).toContainEqual(
      expect.objectContaining({ left_out: ['grant_types', 'contacts'] }),
    )
  })

  test('takes over another secret, which its token requests have then', async () => {
    const known = op.clients.get('issued') as BentClient
    const client_secret = 'a fresh marker secret'
    op.addClient({ ...known, client_secret })
    try {
      const tokens = async () => {
        const { authorization_url } = await client.ok('get_authorization_url', { oxd_id })
        const { searchParams } = new URL(op.authorize(authorization_url))
        const response = Object.fromEntries(searchParams)
        return client.call('get_tokens_by_code', { oxd_id, ...response })
      }
      expect((await tokens()).status).toBe('error')
      expect(await client.ok('update_site', { oxd_id, client_secret })).toEqual({ oxd_id })
      expect((await tokens()).status).toBe('ok')
      const cfg = { oxd_id, ...issued, client_secret, scope: ['openid'] }
      expect(await client.ok('update_site', cfg)).toEqual({ oxd_id })
      expect((await tokens()).status).toBe('ok')
    } finally {
      op.addClient(known)
    }
  })

  test('refuses another client_id, and a secret that does not fit', async () => {
    const other = { oxd_id, ...issued, client_id: 'another', scope: ['openid'] }
    expect(await client.refused('update_site', other)).toMatchObject({
      error: 'invalid_request',
      details: { field: 'client_id' },
    })
    const site = { authorization_redirect_uri: callback, client_id: 'issued' }
    const { oxd_id: without } = await client.ok('register_site', site)
    const { client_secret } = issued
    expect(await client.refused('update_site', { oxd_id: without, client_secret })).toMatchObject({
      error: 'invalid_request',
      details: { field: 'client_secret' },
    })
    expect((await login(oxd_id)).get('scope')).toBe('openid profile email')
  })
})

describe('remove_site', () => {
  test('removes at the OP what relyd registered there', async () => {
    const oxd_id = await register()
    const { client_id } = await clientOf(oxd_id)
    const start = op.asked.length
    expect(await client.ok('remove_site', { oxd_id })).toEqual({ oxd_id })
    expect(op.calls(start)).toEqual({ client: 1 })
    expect(op.clients.has(client_id)).toBe(false)
    expect(await client.refused('get_rp', { oxd_id })).toMatchObject({ error: 'invalid_oxd_id' })
  })

  test('is local where the OP has issued the client, with what would open it there', async () => {
    const oxd_id = await register({
      ...issued,
      client_registration_access_token: 'a marker token that opens the client',
      client_registration_client_uri: op.address('client'),
    })
    const start = op.asked.length
    expect(await client.ok('remove_site', { oxd_id })).toEqual({ oxd_id })
    expect(op.calls(start)).toEqual({})
    expect(op.clients.has('issued')).toBe(true)
  })
})

test('a site that the operator added is changed and removed by the operator only', async () => {
  using admin = await Wire.connect(daemon.admin_socket)
  const { oxd_id } = await admin.ok('add_site', {
    name: 'shop',
    op_host: op.issuer,
    ...issued,
    redirect_uris: [callback],
  })
  for (const change of [{ scope: ['openid'] }, { client_secret: 'another marker secret' }]) {
    expect(await client.refused('update_site', { oxd_id, ...change })).toMatchObject({
      error: 'invalid_request',
      error_description: expect.stringContaining('relyd sites update'),
    })
  }
  expect(await client.refused('remove_site', { oxd_id })).toMatchObject({
    error: 'remove_site_failed',
    error_description: expect.stringContaining('relyd sites remove'),
  })
  await client.ok('get_rp', { oxd_id })
})

describe('what an OP does not offer', () => {
  const given = { grant_types: ['authorization_code', 'password', 'client_credentials'] }

  test('is left out of the lists that oxd let it overlook, and the log tells', async () => {
    const oxd_id = await register({ ...given, response_types: ['code', 'none'] })
    expect(await clientOf(oxd_id)).toMatchObject({
      grant_types: ['authorization_code'],
      response_types: ['code'],
    })
    await expect
      .poll(() => daemon.log)
      .toContainEqual(expect.objectContaining({ grant_types: ['authorization_code'] }))
    await client.ok('update_site', { oxd_id, ...given, client_name: 'Store' })
    expect(await clientOf(oxd_id)).toMatchObject({
      client_name: 'Store',
      grant_types: ['authorization_code'],
    })
  })

  test('takes along the response types that need it', async () => {
    await using narrow = await BentOp.start({
      metadata: {
        response_types_supported: ['code', 'id_token'],
        grant_types_supported: ['authorization_code', 'refresh_token'],
      },
    })
    const registered = () => [...narrow.clients.values()].at(-1)
    const response_types = ['code', 'id_token']
    const { oxd_id } = await client.ok('register_site', {
      op_host: narrow.issuer,
      authorization_redirect_uri: callback,
      response_types,
      grant_types: ['authorization_code', 'implicit'],
    })
    const left = { response_types: ['code'], grant_types: ['authorization_code'] }
    expect(registered()).toMatchObject(left)
    await client.ok('update_site', { oxd_id, response_types })
    expect(registered()).toMatchObject(left)
    const grant_types = ['authorization_code', 'implicit', 'refresh_token']
    await client.ok('update_site', { oxd_id, grant_types })
    expect(registered()).toMatchObject({
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
    })
  })

  test.each([
    ['client_token_endpoint_auth_method', 'client_secret_jwt'],
    ['client_token_endpoint_auth_method', 'tls_client_auth'],
    ['client_jwks_uri', 'http://site.example/jwks'],
    ['client_sector_identifier_uri', ['http://site.example/sector']],
    ['client_request_uris', ['mailto:me']],
    ['client_frontchannel_logout_uris', ['https://elsewhere.example/out']],
    ['client_logout_uris', ['https://elsewhere.example/out']],
    ['client_logout_uris', ['junk']],
    ['claims_redirect_uri', 'https://site.example/claims#top'],
    ['claims_redirect_uri', ['javascript:alert(1)']],
    ['client_token_endpoint_auth_signing_alg', 'none'],
    ['contacts', [7]],
  ])('trap 9: refuses %s = %j by the name that the client gave', async (name, given) => {
    const params = { authorization_redirect_uri: callback, [name]: given }
    const sites = op.clients.size
    expect(await client.refused('register_site', params)).toMatchObject({
      error: 'invalid_request',
      error_description: expect.stringMatching(new RegExp(`^${name}\\b`)),
      details: { field: expect.stringMatching(new RegExp(`^${name}\\b`)) },
    })
    expect(op.clients.size).toBe(sites)
  })

  test('the words of an OP stay as they are', async () => {
    op.bend({
      registration: () => ({
        status: 400,
        headers: { 'content-type': 'application/json' },
        body: { error: 'invalid_client_metadata', error_description: 'jwks_uri is down' },
      }),
    })
    const refused = await client.refused('register_site', {
      authorization_redirect_uri: callback,
      client_jwks_uri: 'https://site.example/jwks',
    })
    op.straighten()
    expect(refused.details).toMatchObject({ error_description: 'jwks_uri is down' })
  })
})

describe('trap 14: tolerates', () => {
  test('what oxd-python sends of a cfg', async () => {
    const oxd_id = await register({
      op_host: op.issuer,
      oxd_rp_programming_language: 'python',
      client_sector_identifier_uri: ['https://site.example/sector'],
      claims_redirect_uri: ['https://site.example/claims', ' https://site.example/claims2'],
      grant_types: ['authorization_code', ' refresh_token'],
      scope: ['openid', ' profile'],
      acr_values: [''],
    })
    expect(await clientOf(oxd_id)).toMatchObject({
      sector_identifier_uri: 'https://site.example/sector',
      claims_redirect_uris: ['https://site.example/claims', 'https://site.example/claims2'],
      grant_types: ['authorization_code', 'refresh_token'],
      scope: 'openid profile',
    })
    expect((await login(oxd_id)).get('acr_values')).toBeNull()
  })

  test('what oxd-node sends of its configuration, and nulls', async () => {
    const nulls = Object.fromEntries(Object.keys(registrationTable).map((name) => [name, null]))
    const oxd_id = await register({
      ...nulls,
      authorization_redirect_uri: callback,
      https_extension: false,
      host: 'localhost',
      port: 8099,
      protection_access_token: null,
    })
    const { authorization_redirect_uri: _, ...others } = nulls
    expect(await client.ok('update_site', { oxd_id, ...others, port: 8099 })).toEqual({ oxd_id })
    expect(await client.ok('remove_site', { oxd_id, host: 'localhost' })).toEqual({ oxd_id })
    for (const command of ['update_site', 'remove_site', 'get_rp']) {
      expect(await client.refused(command, { oxd_id: null })).toMatchObject({
        error: 'bad_request',
        error_description: 'oxd_id is missing',
      })
    }
  })

  test('trap 13: both spellings at once, of which the newer counts', async () => {
    const oxd_id = await register({
      client_logout_uris: ['https://site.example/older'],
      client_frontchannel_logout_uris: ['https://site.example/newer'],
      logout_redirect_uri: 'https://site.example/older',
      post_logout_redirect_uri: 'https://site.example/newer',
    })
    expect(await clientOf(oxd_id)).toMatchObject({
      frontchannel_logout_uri: 'https://site.example/newer',
      post_logout_redirect_uris: ['https://site.example/newer'],
    })
  })
})
