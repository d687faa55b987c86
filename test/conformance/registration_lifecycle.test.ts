/** A registration that is read, changed and removed (RFC 7592). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import {
  type BentClient,
  BentOp,
  BentSite,
  expectNoSecrets,
  type Members,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { Wire } from '../support/wire.js'

const authorization_redirect_uri = 'https://site.example/callback'

let daemon: TestDaemon
let wire: Wire
let admin: Wire
let op: BentOp

beforeAll(async () => {
  daemon = await TestDaemon.start()
  wire = await Wire.connect(daemon.socket)
  admin = await Wire.connect(daemon.admin_socket)
  op = await BentOp.start()
  op.rotates_registration_tokens = true
})

afterAll(async () => {
  wire[Symbol.dispose]()
  admin[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

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
    for (const [params, field] of [
      [{ client_name: 'New', unset: ['client_name'] }, 'unset'],
      [{}, 'params'],
    ] as const) {
      expect(await admin.refused('update_site', { site: oxd_id, ...params })).toMatchObject({
        error: 'invalid_request',
        details: { field },
      })
    }
    expect((await clientOf(site))['client_name']).toBe('Store')
    await site.accepts()
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
