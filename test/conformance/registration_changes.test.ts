/** Changes of a registration that fail, and leave it as it was (RFC 7592 2.2). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  answers,
  type Bend,
  BentOp,
  BentSite,
  type Calls,
  expectNoSecrets,
  hang,
  html,
  huge,
  json,
  type Members,
  redirect,
  refusesCommand,
  reset,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const authorization_redirect_uri = 'https://site.example/callback'

let daemon: TestDaemon
let wire: Wire
let op: BentOp
/** One whose registration access tokens stay. */
let steady: BentOp

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { op_timeout: 1 } })
  wire = await Wire.connect(daemon.socket)
  op = await BentOp.start()
  op.rotates_registration_tokens = true
  steady = await BentOp.start()
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op, steady)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
  await steady[Symbol.asyncDispose]()
})

/** What a site may know of its registration stays as it is, and the next login is good. */
async function refuses(
  site: BentSite,
  params: Members,
  refused: Members,
  { bend, calls = bend ? { client: 1 } : {} }: { bend?: Bend; calls?: Calls } = {},
): Promise<void> {
  const { oxd_id } = site
  const before = await wire.ok('get_site', { oxd_id })
  await refusesCommand(wire, site.op, ['update_site', { oxd_id, ...params }], {
    refused,
    calls,
    ...(bend && { bends: { client: bend } }),
  })
  expect(await wire.ok('get_site', { oxd_id })).toEqual(before)
  await site.accepts()
}

describe('P8 a change that cannot be made changes nothing:', () => {
  const changes = { client_name: 'Store', scope: ['openid', 'email'] }

  test.each<[name: string, bend: Bend, refused: Members]>([
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
    [
      'P24 200 with an error',
      answers(json({ error: 'invalid_client_metadata' })),
      { error: 'op_error', details: { error: 'invalid_client_metadata', http_status: 200 } },
    ],
    ['405 with HTML', answers(html(405)), { error: 'invalid_op_response' }],
    ['302', answers(redirect('/elsewhere')), { error: 'invalid_op_response' }],
    ['500', answers(json({}, 500)), { error: 'op_unreachable', retryable: true }],
    ['HTML', answers(html(200)), { error: 'invalid_op_response' }],
    ['a list', answers(json([])), { error: 'invalid_op_response' }],
    ['10 MB', answers(huge(10_000_000)), { error: 'op_unreachable' }],
    ['no answer', answers(hang), { error: 'op_unreachable' }],
    ['a reset', answers(reset), { error: 'op_unreachable' }],
  ])('%s', async (_, bend, refused) => {
    const site = await BentSite.register(wire, steady)
    const { oxd_id } = site
    await refuses(site, changes, refused, { bend })
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
    const [member = ''] = Object.keys(members)
    const invalid = {
      error: 'invalid_op_response',
      spec: expect.any(String),
      details: { member: expect.stringMatching(new RegExp(`^${member}$`)) },
    }
    await refuses(site, changes, invalid, { bend: withMembers(members) })
    // What is said of another client is not believed.
    if (name === 'another client_id') {
      await refuses(
        site,
        changes,
        { error: 'registration_access_denied' },
        { calls: { client: 1 } },
      )
    } else {
      await wire.ok('update_site', { oxd_id, ...changes })
      await site.accepts()
    }
  })

  test.each<[name: string, params: Members, refused: Members]>([
    ['what the OP does not offer', { id_token_signed_response_alg: 'PS512' }, {}],
    ['enc without alg', { userinfo_encrypted_response_enc: 'A256GCM' }, {}],
    ['nothing', {}, { details: { field: 'params' } }],
    [
      'a name that is given and taken away',
      { client_name: 'New', unset: ['client_name'] },
      { details: { field: 'unset' } },
    ],
    [
      'a redirect URI that is none',
      { authorization_redirect_uri: '/cb' },
      { error: 'invalid_authorization_redirect_uri' },
    ],
  ])('%s', async (_, params, refused) => {
    const site = await BentSite.register(wire, op)
    await refuses(site, params, { error: 'invalid_request', ...refused })
  })

  test.each(['update_site', 'get_site_registration'])(
    '%s without a registration_client_uri',
    async (command) => {
      op.bend({ registration: withMembers({ registration_client_uri: undefined }) })
      const site = await BentSite.register(wire, op)
      op.straighten()
      const { oxd_id } = site
      const params = command === 'update_site' ? { oxd_id, client_name: 'x' } : { oxd_id }
      await refusesCommand(wire, op, [command, params], {
        refused: { error: 'invalid_registration_client_url', retryable: false },
      })
      await site.accepts()
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
    using admin = await Wire.connect(daemon.admin_socket)
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
