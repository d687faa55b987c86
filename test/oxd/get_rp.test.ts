/** get_rp as oxd clients know it, and a registration at a real OP from its beginning to its end. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'

const authorization_redirect_uri = 'https://site.example/callback'

let op: Op
let daemon: TestDaemon
let client: OxdWire

beforeAll(async () => {
  op = await startOp({
    configuration: { extraClientMetadata: { properties: ['claims_redirect_uris'] } },
  })
  daemon = await startOxdDaemon({ daemon: { default_op: op.issuer } })
  client = await OxdWire.connect(daemon.socket)
})

afterAll(async () => {
  client[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

test("a site is registered, shown by oxd's names, changed and removed at the OP", async () => {
  const { oxd_id } = await client.ok('register_site', {
    authorization_redirect_uri,
    post_logout_redirect_uri: 'https://site.example/bye',
    redirect_uris: ['https://site.example/other'],
    scope: ['openid', 'email'],
    acr_values: ['gold'],
    contacts: ['admin@site.example'],
    claims_redirect_uri: 'https://site.example/claims',
    client_name: 'Shop',
    client_token_endpoint_auth_method: 'client_secret_post',
    client_frontchannel_logout_uris: ['https://site.example/out'],
  })
  const { node } = await client.ok('get_rp', { oxd_id })
  expect(node).toMatchObject({
    oxd_id,
    op_host: op.issuer,
    authorization_redirect_uri,
    redirect_uris: [authorization_redirect_uri, 'https://site.example/other'],
    post_logout_redirect_uri: 'https://site.example/bye',
    logout_redirect_uri: 'https://site.example/bye',
    claims_redirect_uri: ['https://site.example/claims'],
    front_channel_logout_uri: ['https://site.example/out'],
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
    scope: ['openid', 'email'],
    acr_values: ['gold'],
    contacts: ['admin@site.example'],
    client_name: 'Shop',
    application_type: 'web',
    token_endpoint_auth_method: 'client_secret_post',
  })
  const at_op = await op.provider.Client.find(node.client_id)
  expect(at_op?.metadata()).toMatchObject({
    client_name: 'Shop',
    redirect_uris: node.redirect_uris,
    claims_redirect_uris: ['https://site.example/claims'],
  })

  await client.ok('update_site', { oxd_id, client_name: 'Store' })
  expect(await op.provider.Client.find(node.client_id)).toMatchObject({ clientName: 'Store' })
  const changed = { ...node, client_name: 'Store' }
  expect(await client.ok('get_rp', { oxd_id })).toEqual({ node: changed })

  await client.ok('remove_site', { oxd_id })
  expect(await op.provider.Client.find(node.client_id)).toBeUndefined()
})

test('what opens something is null, for the site and for others', async () => {
  const { oxd_id } = await client.ok('register_site', { authorization_redirect_uri })
  const { node } = await client.ok('get_rp', { oxd_id })
  for (const name of ['client_secret', 'client_registration_access_token', 'pat', 'id_token']) {
    expect(node).toHaveProperty(name, null)
  }
  const at_op = await op.provider.Client.find(node.client_id)
  const secret = at_op?.clientSecret as string
  expect(secret).toMatch(/\S{20}/)
  expect(JSON.stringify(node)).not.toContain(secret)
})

test('sites are listed to the operator only', async () => {
  const { oxd_id } = await client.ok('register_site', { authorization_redirect_uri })
  for (const params of [{ list: true }, { list: true, oxd_id }]) {
    const reply = await client.call('get_rp', params)
    expect(reply).toMatchObject({
      status: 'error',
      data: {
        error: 'invalid_request',
        error_description: expect.stringContaining('relyd sites list'),
      },
    })
    expect(JSON.stringify(reply)).not.toContain(oxd_id)
  }
  expect(await client.refused('get_rp')).toMatchObject({ error: 'bad_request' })
  expect(await client.refused('get_rp', { oxd_id: 'nobody', list: false })).toMatchObject({
    error: 'invalid_oxd_id',
  })
})

test('scopes that the OP neither advertises nor takes are left out', async () => {
  const { oxd_id } = await client.ok('register_site', {
    authorization_redirect_uri,
    scope: ['openid', 'email', 'uma_protection', 'user_name'],
  })
  expect(await client.ok('get_rp', { oxd_id })).toMatchObject({
    node: { scope: ['openid', 'email'] },
  })
  await client.ok('update_site', { oxd_id, scope: ['openid', 'phone', 'clientinfo'] })
  expect(await client.ok('get_rp', { oxd_id })).toMatchObject({
    node: { scope: ['openid', 'phone'] },
  })
  const refused = await client.refused('register_site', {
    authorization_redirect_uri,
    scope: ['uma_protection'],
  })
  expect(refused).toMatchObject({ details: { error: 'invalid_client_metadata' } })
})
