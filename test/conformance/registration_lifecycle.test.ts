/** A registration that is read, changed, renewed and removed (RFC 7592, RFC 7591 3.2.1). */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { Client } from '../../sdk/src/index.js'
import {
  answers,
  type Bend,
  type BentClient,
  BentOp,
  BentSite,
  expectNoSecrets,
  hang,
  html,
  huge,
  json,
  type Members,
  redirect,
  reset,
  withMembers,
} from '../support/bent_op/index.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { Wire } from '../support/wire.js'

const authorization_redirect_uri = 'https://site.example/callback'

let daemon: TestDaemon
let wire: Wire
let admin: Wire
let op: BentOp
const ops: BentOp[] = []

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { op_timeout: 1, metrics_address: 'tcp:127.0.0.1:0' } })
  wire = await Wire.connect(daemon.socket)
  admin = await Wire.connect(daemon.admin_socket)
  op = await startBent()
  op.rotates_registration_tokens = true
})

afterAll(async () => {
  wire[Symbol.dispose]()
  admin[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, ...ops)
  await daemon[Symbol.asyncDispose]()
  for (const one of ops) await one[Symbol.asyncDispose]()
})

async function startBent(): Promise<BentOp> {
  const one = await BentOp.start()
  ops.push(one)
  return one
}

/** The client of a site, as its OP has it. */
async function clientOf(site: BentSite): Promise<BentClient & Members> {
  const { client_id } = await wire.ok('get_site', { oxd_id: site.oxd_id })
  return site.op.clients.get(client_id) as BentClient & Members
}

describe('P8 a registration is', () => {
  test('read, and what the OP changed meanwhile is used', async () => {
    const site = await BentSite.register(wire, op, { contacts: ['a@site.example'] })
    const client = await clientOf(site)
    client.token_endpoint_auth_method = 'client_secret_post'
    Object.assign(client, { contacts: ['b@site.example'] })
    const start = op.asked.length
    const read = await wire.ok('get_site_registration', { oxd_id: site.oxd_id })
    expect(read).toMatchObject({
      oxd_id: site.oxd_id,
      client_metadata: { contacts: ['b@site.example'], client_id: client.client_id },
      changed: ['contacts'],
    })
    expect(JSON.stringify(read)).not.toContain('registration_access_token')
    for (const secret of op.secrets) expect(JSON.stringify(read)).not.toContain(secret)
    expect(op.calls(start)).toEqual({ client: 1 })
    await site.accepts()
  })

  test('changed, over and over with the token that came last, and removed', async () => {
    const site = await BentSite.register(wire, op, {
      client_name: 'Shop',
      contacts: ['a@site.example'],
      post_logout_redirect_uri: 'https://site.example/bye',
    })
    const { oxd_id } = site
    const before = await clientOf(site)
    const start = op.asked.length
    const further = 'https://site.example/other'
    expect(
      await wire.ok('update_site', {
        oxd_id,
        client_name: 'Store',
        redirect_uris: [further],
        response_types: ['code', 'id_token'],
        metadata: { tier: 2 },
        unset: ['contacts'],
      }),
    ).toEqual({ oxd_id })
    const put = op.last('client')
    expect(put.method).toBe('PUT')
    const { contacts: _, client_secret_expires_at: __, ...rest } = before
    expect(JSON.parse(put.body)).toEqual({
      ...rest,
      client_name: 'Store',
      redirect_uris: [authorization_redirect_uri, further],
      response_types: ['code', 'id_token'],
      grant_types: ['authorization_code', 'implicit'],
      post_logout_redirect_uris: ['https://site.example/bye'],
      tier: 2,
    })
    await wire.ok('update_site', { oxd_id, unset: ['client_name', 'metadata'] })
    expect(JSON.parse(op.last('client').body)).not.toHaveProperty('client_name')
    expect(JSON.parse(op.last('client').body)).not.toHaveProperty('tier')
    await wire.ok('get_site_registration', { oxd_id })
    await wire.ok('update_site', { oxd_id, authorization_redirect_uri: further })
    expect(await wire.ok('get_site', { oxd_id })).toMatchObject({
      authorization_redirect_uri: further,
    })
    await site.accepts()
    expect(op.calls(start)).toEqual({ client: 4, token: 1, userinfo: 1 })
    expect(await wire.ok('remove_site', { oxd_id })).toMatchObject({ removed_at_op: true })
    expect(op.clients.has(before.client_id)).toBe(false)
  })

  test('left alone for what only relyd must know', async () => {
    const { oxd_id } = await BentSite.register(wire, op)
    const start = op.asked.length
    await wire.ok('update_site', { oxd_id, login_binding: 'none', acr_values: ['gold'] })
    expect(op.calls(start)).toEqual({})
    expect(await wire.ok('get_site', { oxd_id })).toMatchObject({ login_binding: 'none' })
  })

  test('changed by many at once, each with the token that the one before was given', async () => {
    const site = await BentSite.register(wire, op)
    const { oxd_id } = site
    const names = Array.from({ length: 8 }, (_, at) => `Shop ${at}`)
    await Promise.all(names.map((client_name) => wire.ok('update_site', { oxd_id, client_name })))
    expect(names).toContain((await clientOf(site))['client_name'])
    await site.accepts()
  })

  test('changed by two daemons in turn', async () => {
    await using second = await TestDaemon.start({
      daemon: { state_directory: `${daemon.folder}/state` },
    })
    using other = await Wire.connect(second.socket)
    const site = await BentSite.register(wire, op)
    const { oxd_id } = site
    // So that it is cached there, with the token of now.
    await other.ok('get_site', { oxd_id })
    for (const [at, one] of [wire, other, wire, other].entries()) {
      await one.ok('update_site', { oxd_id, client_name: `Shop ${at}` })
    }
    expect(await other.ok('remove_site', { oxd_id })).toMatchObject({ removed_at_op: true })
    expect(op.clients.size).toBeGreaterThan(0)
    expect(JSON.stringify([...op.clients.values()])).not.toContain('"Shop 3"')
  })

  test('changed by its operator', async () => {
    const { oxd_id } = await BentSite.register(wire, op)
    const site = new BentSite(wire, op, oxd_id)
    await admin.ok('update_site', {
      site: oxd_id,
      client_name: 'Store',
      redirect_uris: [authorization_redirect_uri, 'https://site.example/b'],
    })
    expect(await clientOf(site)).toMatchObject({
      client_name: 'Store',
      redirect_uris: [authorization_redirect_uri, 'https://site.example/b'],
    })
    expect(await admin.refused('update_site', { site: oxd_id, client_secret: 'x' })).toMatchObject({
      error: 'invalid_request',
      details: { field: 'client_secret' },
    })
    await site.accepts()
  })
})

test('P7 P12 the operator gives metadata in a file, when a site is added and changed', async () => {
  const file = join(daemon.folder, 'metadata.json')
  const give = async (members: object | string, ...words: string[]) => {
    writeFileSync(file, typeof members === 'string' ? members : JSON.stringify(members))
    return relyd(['sites', ...words, '--client-metadata', file, '--config', daemon.config])
  }
  const where = ['--op', op.issuer, '--redirect-uri', authorization_redirect_uri]
  const tos_uri = 'https://site.example/terms'
  const added = await give({ tos_uri, metadata: { tier: 1 } }, 'add', 'blog', ...where)
  expect(added).toMatchObject({ status: 0 })
  expect(JSON.parse(op.last('registration').body)).toMatchObject({ tos_uri, tier: 1 })
  const again = await give({ tos_uri, metadata: { tier: 1 } }, 'add', 'blog', ...where)
  expect(again).toMatchObject({ status: 0 })
  const other = await give({ tos_uri }, 'add', 'blog', ...where)
  expect(other.stderr).toContain('has a site blog already, with another settings')
  expect(await give({ metadata: { tier: 2 } }, 'update', 'blog')).toMatchObject({ status: 0 })
  expect(JSON.parse(op.last('client').body)).toMatchObject({ tos_uri, tier: 2 })
  expect((await give('[]', 'update', 'blog')).stderr).toContain('holds no JSON object')
  expect((await give({ tos: 'x' }, 'update', 'blog')).stderr).toContain('tos')
})

describe('C5 a cfg', () => {
  test('says all of a registration, and registers anew once its id is taken out', async () => {
    const cfg = join(daemon.folder, 'site.cfg')
    const text = `[oxd]
socket = ${daemon.socket}
[client]
op_host = ${op.issuer}
authorization_redirect_uri = ${authorization_redirect_uri}
token_endpoint_auth_method = client_secret_post
default_max_age = 3600
require_auth_time = true
contacts = a@site.example, b@site.example
metadata = {"client_name#de": "Laden"}
`
    writeFileSync(cfg, text, { mode: 0o600 })
    const client_ids = new Set<string>()
    const register = async () => {
      await using client = new Client(cfg, { env: {} })
      client_ids.add((await client.getSite()).client_id)
      return client
    }
    await register()
    expect(JSON.parse(op.last('registration').body)).toMatchObject({
      token_endpoint_auth_method: 'client_secret_post',
      default_max_age: 3600,
      require_auth_time: true,
      contacts: ['a@site.example', 'b@site.example'],
      'client_name#de': 'Laden',
    })
    await register()
    expect(client_ids.size).toBe(1)
    // The clean registration: what was written into the file is taken out again.
    writeFileSync(cfg, text)
    await register()
    expect(client_ids.size).toBe(2)
    {
      await using client = new Client(cfg, { env: {} })
      expect(await client.updateSite({ client_name: 'Shop' })).not.toHaveProperty('changed')
      expect(await client.removeSite()).toMatchObject({ removed_at_op: true })
    }
    await register()
    expect(client_ids.size).toBe(3)
  })
})

describe('P8 a change that cannot be made changes nothing:', () => {
  const changes = { client_name: 'Store', scope: ['openid', 'email'] }

  test.each<[name: string, bend: Bend, refused: object]>([
    [
      '400',
      answers(json({ error: 'invalid_client_metadata', error_description: 'no' }, 400)),
      { error: 'op_error', details: { error: 'invalid_client_metadata', http_status: 400 } },
    ],
    ['401', answers(json({}, 401)), { error: 'registration_access_denied', retryable: false }],
    [
      '401 with a challenge',
      answers(json({}, 401, { 'www-authenticate': 'Bearer error="invalid_token"' })),
      { error: 'registration_access_denied', retryable: false },
    ],
    ['403', answers(json({ error: 'insufficient_scope' }, 403)), { error: 'op_error' }],
    ['405 with HTML', answers(html(405)), { error: 'invalid_op_response' }],
    ['302', answers(redirect('/elsewhere')), { error: 'invalid_op_response' }],
    ['500', answers(json({}, 500)), { error: 'op_unreachable', retryable: true }],
    ['HTML', answers(html(200)), { error: 'invalid_op_response' }],
    ['a list', answers(json([])), { error: 'invalid_op_response' }],
    ['10 MB', answers(huge(10_000_000)), { error: 'op_unreachable' }],
    ['no answer', answers(hang), { error: 'op_unreachable' }],
    ['a reset', answers(reset), { error: 'op_unreachable' }],
  ])('%s', async (_, bend, refused) => {
    const steady = await startBent()
    const site = await BentSite.register(wire, steady)
    const { oxd_id } = site
    const before = await wire.ok('get_site', { oxd_id })
    const start = steady.asked.length
    steady.bend({ client: bend })
    const reply = await wire.call('update_site', { oxd_id, ...changes })
    steady.straighten()
    expect(reply).toMatchObject({ status: 'error', data: refused })
    for (const secret of steady.secrets) expect(JSON.stringify(reply.data)).not.toContain(secret)
    expect(steady.calls(start)).toEqual({ client: 1 })
    expect(await wire.ok('get_site', { oxd_id })).toEqual(before)
    await site.accepts()
    await wire.ok('update_site', { oxd_id, ...changes })
    expect(await wire.ok('get_site', { oxd_id })).toMatchObject(changes)
  })

  // The OP has put other tokens in the place of the old ones all the same.
  test.each<[name: string, members: Members]>([
    ['another client_id', { client_id: 'another' }],
    ['a method that the daemon cannot do', { token_endpoint_auth_method: 'tls_client_auth' }],
    ['ID Tokens without signature', { id_token_signed_response_alg: 'none' }],
    ['other redirect URIs', { redirect_uris: ['https://evil.example/'] }],
    ['a secret that has expired', { client_secret_expires_at: 1_000_000_000 }],
  ])('%s; a token that was replaced is kept', async (name, members) => {
    const site = await BentSite.register(wire, op)
    const { oxd_id } = site
    const before = await wire.ok('get_site', { oxd_id })
    op.bend({ client: withMembers(members) })
    const reply = await wire.call('update_site', { oxd_id, ...changes })
    op.straighten()
    expect(reply).toMatchObject({ status: 'error', data: { error: 'invalid_op_response' } })
    expect(await wire.ok('get_site', { oxd_id })).toEqual(before)
    const denied = await wire.call('update_site', { oxd_id, ...changes })
    // What is said of another client is not believed.
    if (name === 'another client_id') {
      expect(denied.data).toMatchObject({ error: 'registration_access_denied' })
    } else {
      expect(denied).toMatchObject({ status: 'ok' })
      await site.accepts()
    }
  })

  test.each<[name: string, params: object, refused: object]>([
    ['what the OP does not offer', { id_token_signed_response_alg: 'PS512' }, {}],
    ['enc without alg', { userinfo_encrypted_response_enc: 'A256GCM' }, {}],
    ['nothing', {}, {}],
    [
      'a redirect URI that is none',
      { authorization_redirect_uri: '/cb' },
      { error: 'invalid_authorization_redirect_uri' },
    ],
  ])('%s', async (_, params, refused) => {
    const { oxd_id } = await BentSite.register(wire, op)
    const start = op.asked.length
    expect(await wire.refused('update_site', { oxd_id, ...params })).toMatchObject({
      error: 'invalid_request',
      ...refused,
    })
    expect(op.calls(start)).toEqual({})
  })

  test.each(['update_site', 'get_site_registration'])(
    '%s without a registration_client_uri',
    async (command) => {
      op.bend({ registration: withMembers({ registration_client_uri: undefined }) })
      const { oxd_id } = await BentSite.register(wire, op)
      op.straighten()
      const params = command === 'update_site' ? { oxd_id, client_name: 'x' } : { oxd_id }
      expect(await wire.refused(command, params)).toMatchObject({
        error: 'invalid_registration_client_url',
        retryable: false,
      })
    },
  )

  test('get_site_registration of a client that somebody issued', async () => {
    op.addClient({
      client_id: 'issued',
      token_endpoint_auth_method: 'none',
      redirect_uris: [authorization_redirect_uri],
    })
    const { oxd_id } = await BentSite.register(wire, op, { client_id: 'issued' })
    expect(await wire.refused('get_site_registration', { oxd_id })).toMatchObject({
      error: 'invalid_registration_client_url',
      error_description: expect.stringContaining('operator issued'),
    })
    const start = op.asked.length
    const further = 'https://site.example/further'
    await wire.ok('update_site', { oxd_id, authorization_redirect_uri: further, scope: ['openid'] })
    expect(op.calls(start)).toEqual({})
    expect(await wire.ok('get_site', { oxd_id })).toMatchObject({
      authorization_redirect_uri: further,
      scope: ['openid'],
    })
  })

  test('of a site that the operator added, by the site', async () => {
    const { oxd_id } = await admin.ok('add_site', {
      name: 'shop',
      op_host: op.issuer,
      redirect_uris: [authorization_redirect_uri],
    })
    const refused = await wire.refused('update_site', { oxd_id, client_name: 'x' })
    expect(refused).toMatchObject({ error: 'invalid_request', details: { field: 'oxd_id' } })
    expect(refused['error_description']).toContain('relyd sites update')
  })
})

test('what the OP makes of a change is told, and used', async () => {
  const site = await BentSite.register(wire, op)
  const { oxd_id } = site
  op.bend({ client: withMembers({ client_name: 'Sh*p', scope: 'openid' }) })
  expect(
    await wire.ok('update_site', { oxd_id, client_name: 'Shit', scope: ['openid', 'email'] }),
  ).toEqual({ oxd_id, changed: expect.arrayContaining(['client_name', 'scope']) })
  op.straighten()
  const { authorization_url } = await wire.ok('get_authorization_url', { oxd_id })
  expect(new URL(authorization_url).searchParams.get('scope')).toBe('openid')
  await site.accepts()
})

describe('P9 M15 a client secret that expires', () => {
  /** Settles once the site's client secret is good for long. */
  async function renewed(oxd_id: string): Promise<Record<string, unknown>> {
    let site: Record<string, unknown> = {}
    await expect
      .poll(
        async () => {
          site = await wire.ok('get_site', { oxd_id })
          return Number(site['client_secret_expires_at']) - Date.now() / 1000
        },
        { timeout: 10_000, interval: 20 },
      )
      .toBeGreaterThan(1000)
    return site
  }

  /** A site whose secret is good for two seconds; the next one for a day. */
  async function register(at: BentOp): Promise<BentSite> {
    at.client_secret_lifetime = 2
    const site = await BentSite.register(wire, at)
    at.client_secret_lifetime = 86_400
    return site
  }

  test('is replaced in time, by an update where the OP gives a new one', async () => {
    const one = await startBent()
    one.renews_secrets = true
    one.rotates_registration_tokens = true
    const site = await register(one)
    const { client_id } = await wire.ok('get_site', { oxd_id: site.oxd_id })
    const begun = await site.begin()
    expect(await renewed(site.oxd_id)).toMatchObject({ client_id })
    expect(one.calls()).toMatchObject({ registration: 1, client: 2 })
    // A login that began before goes on: the client is the same.
    expect(await wire.call('get_tokens_by_callback', begun)).toMatchObject({ status: 'ok' })
    await site.accepts()
    await wire.ok('update_site', { oxd_id: site.oxd_id, client_name: 'Shop' })
  })

  test('is replaced by another registration where it does not', async () => {
    const one = await startBent()
    const site = await register(one)
    const { oxd_id } = site
    const before = await wire.ok('get_site', { oxd_id })
    const begun = await site.begin()
    const after = await renewed(oxd_id)
    expect(after['client_id']).not.toBe(before.client_id)
    expect(one.calls()).toMatchObject({ registration: 2 })
    const refused = await wire.refused('get_tokens_by_callback', begun)
    expect(refused).toMatchObject({ error: 'invalid_state', retryable: false })
    expect(refused['error_description']).toContain('registered anew')
    await site.accepts()
    expect(daemon.log).toContainEqual(
      expect.objectContaining({ msg: 'registration renewed', outcome: 'registered' }),
    )
    const metrics = await (await fetch(`http://127.0.0.1:${daemon.metrics_port}/metrics`)).text()
    expect(metrics).toMatch(/^relyd_registration_renewals_total\{outcome="registered"\} [1-9]/m)
  })

  test('is replaced with the initial access token that the site was registered with', async () => {
    const one = await BentOp.start({ protected_registration: true })
    ops.push(one)
    one.initial_access_tokens.add('the-token-of-the-site')
    one.client_secret_lifetime = 2
    const initial_access_token = 'the-token-of-the-site'
    const first = await BentSite.register(wire, one, { initial_access_token })
    one.client_secret_lifetime = 86_400
    await renewed(first.oxd_id)
    expect(one.calls()).toMatchObject({ registration: 2 })
    // Another one changes to a client that gets a token first.
    one.client_secret_lifetime = 4
    const site = await BentSite.register(wire, one, { initial_access_token })
    one.initial_access_tokens.clear()
    one.addClient({
      client_id: 'registrar',
      client_secret: 'the secret of the registrar',
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [],
      grant_types: ['client_credentials'],
    })
    await wire.ok('update_site', {
      oxd_id: site.oxd_id,
      registration_client_id: 'registrar',
      registration_client_secret: 'the secret of the registrar',
      registration_scope: ['dcr'],
    })
    one.client_secret_lifetime = 86_400
    await renewed(site.oxd_id)
    expect(one.calls()).toMatchObject({ registration: 4, token: 1 })
    await site.accepts()
    const store = join(daemon.folder, 'state/store')
    const files = readdirSync(store).map((name) => readFileSync(join(store, name), 'latin1'))
    for (const secret of [initial_access_token, 'the secret of the registrar']) {
      expect(files.join()).not.toContain(secret)
    }
  })

  test('is replaced by one of two daemons, once', async () => {
    await using second = await TestDaemon.start({
      daemon: { state_directory: `${daemon.folder}/state` },
    })
    using other = await Wire.connect(second.socket)
    const one = await startBent()
    const sites = await Promise.all([register(one), register(one), register(one)])
    one.client_secret_lifetime = 86_400
    for (const { oxd_id } of sites) await renewed(oxd_id)
    expect(one.calls()).toMatchObject({ registration: 6 })
    for (const { oxd_id } of sites) await new BentSite(other, one, oxd_id).accepts()
  })

  test('has expired while the daemon was down: the first command waits for a new one', async () => {
    const one = await startBent()
    await using alone = await TestDaemon.start()
    one.client_secret_lifetime = 1
    using first = await Wire.connect(alone.socket)
    const { oxd_id } = await BentSite.register(first, one)
    await alone.stop()
    one.client_secret_lifetime = 86_400
    const expired = Math.floor(Date.now() / 1000) + 1
    await expect.poll(() => Math.floor(Date.now() / 1000)).toBeGreaterThan(expired)
    await alone.start()
    using wire = await Wire.connect(alone.socket)
    const site = new BentSite(wire, one, oxd_id)
    const login = await site.begin()
    expect(one.calls()).toMatchObject({ registration: 2 })
    expect(await wire.call('get_tokens_by_callback', login)).toMatchObject({ status: 'ok' })
  })

  test('cannot be replaced: it is told, tried again later, and not at every command', async () => {
    const one = await startBent()
    const { oxd_id } = await register(one)
    one.bend({
      registration: answers(json({ error: 'access_denied' }, 403)),
      client: answers(json({ error: 'access_denied' }, 403)),
    })
    const told = expect.objectContaining({
      msg: expect.stringMatching(/^registration not renewed/),
      site: oxd_id.slice(0, 8),
      outcome: 'op_error',
    })
    await expect.poll(() => daemon.log, { timeout: 10_000 }).toContainEqual(told)
    const start = one.asked.length
    const calls = Array.from({ length: 5 }, () =>
      wire.call('introspect_access_token', { oxd_id, access_token: 'x' }),
    )
    await Promise.all(calls)
    one.straighten()
    expect(one.calls(start).registration).toBeUndefined()
    expect(JSON.stringify(daemon.log)).not.toContain('registration_access_token')
  })
})

describe('a real OP that replaces registration access tokens', () => {
  let real: Op

  beforeAll(async () => {
    real = await startOp({
      configuration: {
        features: {
          registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
        },
      },
    })
  })
  afterAll(() => real.close())

  test('P8 oidcc-client-test-dynamic-registration: reads, changes and removes', async () => {
    const { oxd_id } = await wire.ok('register_site', {
      op_host: real.issuer,
      authorization_redirect_uri,
      client_name: 'Shop',
      contacts: ['a@site.example'],
      policy_uri: 'https://site.example/privacy',
    })
    const { client_id } = await wire.ok('get_site', { oxd_id })
    expect(await wire.ok('get_site_registration', { oxd_id })).toMatchObject({
      client_metadata: { client_id, client_name: 'Shop', policy_uri: expect.any(String) },
    })
    for (const client_name of ['Store', 'Laden']) {
      expect(await wire.ok('update_site', { oxd_id, client_name, unset: ['contacts'] })).toEqual({
        oxd_id,
      })
    }
    expect(await real.provider.Client.find(client_id)).toMatchObject({ clientName: 'Laden' })
    const { authorization_url, binding } = await wire.ok('get_authorization_url', { oxd_id })
    const callback = await new EndUser().logIn(authorization_url)
    expect(await wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })).toMatchObject({
      sub: 'alice',
    })
    expect(await wire.ok('remove_site', { oxd_id })).toMatchObject({ removed_at_op: true })
    expect(await real.provider.Client.find(client_id)).toBeUndefined()
  })
})
