/** What an OP answers to a registration and must have no say in, or says in other words than most. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Bend, BentOp, BentSite, type Members, withMembers } from '../support/bent_op/index.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
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
})

afterAll(async () => {
  wire[Symbol.dispose]()
  admin[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

/** An answer with other members than the OP's own. */
const answering = (members: Members): Bend => withMembers(members)

async function registerWith(members: Members, params: Members = {}): Promise<BentSite> {
  op.bend({ registration: answering(members) })
  try {
    return await BentSite.register(wire, op, params)
  } finally {
    op.straighten()
  }
}

const refusedWith = async (members: Members, params: object = {}) => {
  op.bend({ registration: answering(members) })
  const refused = await wire.refused('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri,
    ...params,
  })
  op.straighten()
  return refused
}

describe("what is relyd's to say, no OP says:", () => {
  test('one site at a hostile OP hides no site from the operator', async () => {
    const { oxd_id } = await registerWith({
      jwks: ['a'],
      apple_team_id: 'TEAM',
      client_assertion_file: '/etc/passwd',
    })
    const { client_metadata } = await wire.ok('get_site_registration', { oxd_id })
    for (const name of ['jwks', 'apple_team_id', 'client_assertion_file']) {
      expect(client_metadata).not.toHaveProperty(name)
    }
    const { sites } = await admin.ok('list_sites')
    expect(sites).toContainEqual(
      expect.objectContaining({ oxd_id, auth_method: 'client_secret_basic' }),
    )
    await admin.ok('export_sites')
    await admin.ok('show_site', { site: oxd_id })
    expect(await wire.ok('get_rp_jwks', { oxd_id })).toEqual({ keys: [] })
    const listed = await relyd(['sites', 'list', '--config', daemon.config])
    expect(listed).toMatchObject({ status: 0, stderr: '' })
  })

  test('nor by what it answers later', async () => {
    const site = await BentSite.register(wire, op)
    op.bend({ client: answering({ jwks: ['a'], apple_team_id: 'TEAM' }) })
    await wire.ok('get_site_registration', { oxd_id: site.oxd_id })
    await wire.ok('update_site', { oxd_id: site.oxd_id, contacts: ['a@site.example'] })
    op.straighten()
    expect(await admin.ok('show_site', { site: site.oxd_id })).toMatchObject({
      auth_method: 'client_secret_basic',
    })
    await site.accepts()
  })
})

describe('an OP that says in words that there is nothing', () => {
  test.each([
    { userinfo_signed_response_alg: 'none' },
    {
      userinfo_signed_response_alg: '',
      userinfo_encrypted_response_alg: '',
      userinfo_encrypted_response_enc: '',
      id_token_encrypted_response_alg: '',
      id_token_encrypted_response_enc: '',
      token_endpoint_auth_signing_alg: '',
      request_object_signing_alg: '',
    },
  ])('serves logins: %o', async (members) => {
    const site = await registerWith(members)
    await site.accepts()
  })
})

describe('no client becomes public that was not asked to:', () => {
  test.each([{}, { token_endpoint_auth_method: 'client_secret_post' }])(
    'a registration asked for with %o',
    async (params) => {
      const clients = op.clients.size
      expect(
        await refusedWith({ token_endpoint_auth_method: 'none', client_secret: undefined }, params),
      ).toMatchObject({
        error: 'invalid_op_response',
        details: { field: 'token_endpoint_auth_method', received: 'none' },
      })
      expect(op.clients.size).toBe(clients)
    },
  )

  test('an update, or what is read', async () => {
    const site = await BentSite.register(wire, op)
    const { oxd_id } = site
    const none = { client: answering({ token_endpoint_auth_method: 'none' }) }
    for (const [command, params] of [
      ['update_site', { contacts: ['a@site.example'] }],
      ['get_site_registration', {}],
    ] as const) {
      op.bend(none)
      expect(await wire.refused(command, { oxd_id, ...params })).toMatchObject({
        error: 'invalid_op_response',
        details: { field: 'token_endpoint_auth_method' },
      })
      op.straighten()
    }
    await site.accepts()
  })

  test('but one that asks for it is', async () => {
    const site = await BentSite.register(wire, op, { token_endpoint_auth_method: 'none' })
    await site.accepts()
    await wire.ok('get_site_registration', { oxd_id: site.oxd_id })
    await wire.ok('update_site', { oxd_id: site.oxd_id, contacts: ['a@site.example'] })
  })
})

test.each(['x'.repeat(4097), undefined, ''])(
  'a registration without a client_id that can be kept is refused (%#)',
  async (client_id) => {
    expect(await refusedWith({ client_id })).toMatchObject({ error: 'invalid_op_response' })
  },
)

test('the operator is told how to forget a site whose OP does not answer', async () => {
  const { oxd_id } = await BentSite.register(wire, op)
  op.bend({ client: () => ({ status: 500, headers: {}, body: '' }) })
  const { error, error_description } = await admin.refused('remove_site', { site: oxd_id })
  expect(error).toBe('remove_site_failed')
  expect(error_description).toContain('keep_at_op')
  const removed = await relyd(['sites', 'remove', oxd_id, '--config', daemon.config])
  op.straighten()
  expect(removed.status).not.toBe(0)
  expect(removed.stderr).toContain('--keep-at-op')
  await admin.ok('remove_site', { site: oxd_id, keep_at_op: true })
})
