/** protect_commands_with_access_token: who may command a site of oxd clients, and who may not. */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { oxdCommands } from '../../daemon/src/oxd/commands/index.js'
import type { OxdCommand } from '../../daemon/src/oxd/oxd_command.js'
import { type Op, startOp } from '../../demosite/src/op.js'
import { json } from '../support/bent_op/answers.js'
import { BentOp, type Members, withMembers } from '../support/bent_op/index.js'
import type { TestDaemon } from '../support/daemon.js'
import { realmAt, startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'
import { Wire } from '../support/wire.js'

const authorization_redirect_uri = 'https://site.example/callback'

/** Of each realm beside the default, the place of its listener. */
const places = { modest: 2, many: 3 }

let op: Op
let daemon: TestDaemon
let client: OxdWire
/** Whether the OP tells a client of others' tokens. */
let tells_all: boolean

beforeAll(async () => {
  op = await startOp({
    configuration: {
      scopes: ['openid', 'profile', 'email', 'oxd', 'uma_protection'],
      features: {
        clientCredentials: { enabled: true },
        introspection: {
          enabled: true,
          allowedPolicy: (_ctx, { clientId }, token) => tells_all || token.clientId === clientId,
        },
      },
    },
  })
  const protect = 'protect_commands_with_access_token = yes'
  daemon = await startOxdDaemon(
    {
      daemon: { default_op: op.issuer },
      sections: [
        realmAt('modest', '3.1', `lookups_per_minute = 3\n${protect}`),
        realmAt('many', '3.1', `lookups_per_minute = 4\n${protect}`),
      ].join(''),
    },
    '3.1',
    protect,
  )
  client = await OxdWire.connect(daemon.socket)
})

beforeEach(() => {
  tells_all = true
})

afterAll(async () => {
  client[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

/** A site with its setup client, and a token of that. */
async function setUp(params: object = {}) {
  const setup = await client.ok('setup_client', { authorization_redirect_uri, ...params })
  const { oxd_id, client_id, client_secret, op_host } = setup
  const { access_token } = await client.ok('get_client_token', {
    client_id,
    client_secret,
    op_host,
  })
  return { ...setup, protected: { oxd_id, protection_access_token: access_token as string } }
}

/** A token that a client got of the OP by itself. */
async function ownToken(
  { client_id, client_secret }: Record<string, string>,
  scope: string,
  endpoint = `${op.issuer}/token`,
) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope }),
  })
  const { access_token } = (await response.json()) as { access_token: string }
  return access_token
}

test('a token of its setup client commands a site, again and again', async () => {
  const { protected: site } = await setUp()
  const { authorization_url } = await client.ok('get_authorization_url', site)
  expect(authorization_url).toContain(op.issuer)
  expect(authorization_url).not.toContain(site.protection_access_token)
  await client.ok('get_authorization_url', site)
  await client.ok('update_site', { ...site, client_name: 'Shop' })
  expect(await client.ok('remove_site', site)).toEqual({ oxd_id: site.oxd_id })
})

describe('refused', () => {
  test.each([{}, { protection_access_token: null }, { protection_access_token: ' ' }])(
    'without a token: %o',
    async (blank) => {
      const { oxd_id } = await setUp()
      const code = { error: 'blank_protection_access_token' }
      expect(await client.refused('get_authorization_url', { oxd_id, ...blank })).toMatchObject(
        code,
      )
      // Nor is anybody told which sites there are.
      const nobodys = { oxd_id: crypto.randomUUID(), ...blank }
      expect(await client.refused('get_authorization_url', nobodys)).toMatchObject(code)
    },
  )

  test('where the setup client of the site is gone', async () => {
    const { setup_client_oxd_id, protected: site } = await setUp()
    await client.ok('remove_site', { ...site, oxd_id: setup_client_oxd_id })
    expect(await client.refused('get_authorization_url', site)).toMatchObject({
      error: 'no_setup_client_for_oxd_id',
    })
  })

  test('with a token that the OP never issued, or has forgotten', async () => {
    const setup = await setUp()
    const { protected: site, client_id, client_secret } = setup
    const inactive = { error: 'inactive_protection_access_token' }
    const forged = { ...site, protection_access_token: 'forged' }
    expect(await client.refused('get_authorization_url', forged)).toMatchObject(inactive)
    await client.ok('get_authorization_url', site)
    await fetch(`${op.issuer}/token/revocation`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` },
      body: new URLSearchParams({ token: site.protection_access_token }),
    })
    expect(await client.refused('get_authorization_url', site)).toMatchObject(inactive)
  })

  test('with a token that lacks the scope oxd, where the setup client was registered with it', async () => {
    const setup = await setUp()
    const token = await ownToken(setup, 'openid')
    expect(
      await client.refused('get_authorization_url', {
        oxd_id: setup.oxd_id,
        protection_access_token: token,
      }),
    ).toMatchObject({ error: 'protection_access_token_insufficient_scope' })
  })

  test("with a neighbour's token, whatever the command", async () => {
    const victim = await setUp()
    const neighbour = await setUp()
    const { protection_access_token } = neighbour.protected
    for (const oxd_id of [victim.oxd_id, victim.setup_client_oxd_id]) {
      for (const command of ['get_authorization_url', 'remove_site']) {
        expect(await client.refused(command, { oxd_id, protection_access_token })).toMatchObject({
          error: 'invalid_protection_access_token',
        })
      }
    }
    await client.ok('get_authorization_url', victim.protected)
    // An OP that says nothing of others' tokens.
    tells_all = false
    expect(
      await client.refused('get_authorization_url', {
        ...victim.protected,
        protection_access_token,
      }),
    ).toMatchObject({ error: 'inactive_protection_access_token' })
    await client.ok('get_authorization_url', victim.protected)
  })

  test("with a token of the site's own client", async () => {
    const { protected: site } = await setUp()
    const { client_id } = await client.ok('get_rp', site).then(({ node }) => node)
    const token = new op.provider.ClientCredentials({
      client: (await op.provider.Client.find(client_id)) as never,
      scope: 'openid oxd',
    })
    const protection_access_token = await token.save()
    expect(
      await client.refused('get_authorization_url', { ...site, protection_access_token }),
    ).toMatchObject({ error: 'invalid_protection_access_token' })
  })
})

test('an OP that does not say whose the token is, or cannot be asked, protects no less', async () => {
  await using bent = await BentOp.start({
    metadata: {
      grant_types_supported: ['authorization_code', 'client_credentials'],
      scopes_supported: ['openid', 'profile', 'email'],
    },
  })
  const { protected: site } = await setUp({ op_host: bent.issuer })
  await client.ok('get_authorization_url', site)
  for (const [introspection, error] of [
    [withMembers({ client_id: undefined }), 'invalid_introspection_response'],
    [withMembers({ client_id: 'another' }), 'invalid_protection_access_token'],
    [withMembers({ active: false }), 'inactive_protection_access_token'],
    [withMembers({ exp: 1 }), 'inactive_protection_access_token'],
    [() => json({ active: 'yes' }), 'invalid_op_response'],
    [() => json({}, 503), 'op_unreachable'],
  ] as const) {
    bent.bend({ introspection })
    const refused = await client.refused('get_authorization_url', site)
    expect(refused.details?.reason ?? refused.error).toBe(error)
  }
  bent.straighten()
  await client.ok('get_authorization_url', site)
})

describe('register_site', () => {
  test('without a token registers nothing', async () => {
    expect(await client.refused('register_site', { authorization_redirect_uri })).toMatchObject({
      error: 'blank_protection_access_token',
    })
  })

  test.each([true, false])('binds the site to the client of its token: %s', async (all) => {
    tells_all = all
    const { protected: first } = await setUp()
    const neighbour = await setUp()
    const { protection_access_token } = first
    const { oxd_id } = await client.ok('register_site', {
      authorization_redirect_uri,
      protection_access_token,
    })
    expect(oxd_id).not.toBe(first.oxd_id)
    await client.ok('get_authorization_url', { oxd_id, protection_access_token })
    // What else is changed, the site stays bound.
    await client.ok('update_site', { oxd_id, protection_access_token, client_name: 'Second' })
    await client.ok('get_authorization_url', { oxd_id, protection_access_token })
    tells_all = true
    expect(
      await client.refused('get_authorization_url', { ...neighbour.protected, oxd_id }),
    ).toMatchObject({ error: 'invalid_protection_access_token' })
  })

  test('takes a token that another daemon got', async () => {
    const setup = await setUp()
    const protection_access_token = await ownToken(setup, 'oxd')
    const { oxd_id } = await client.ok('register_site', {
      authorization_redirect_uri,
      protection_access_token,
    })
    await client.ok('get_authorization_url', { oxd_id, protection_access_token })
  })

  test('wants the scope oxd, as every command does', async () => {
    const protection_access_token = await ownToken(await setUp(), 'openid')
    expect(
      await client.refused('register_site', {
        authorization_redirect_uri,
        protection_access_token,
      }),
    ).toMatchObject({ error: 'protection_access_token_insufficient_scope' })
  })

  test('has OPs asked about no more tokens than the realm may ask', async () => {
    using wire = await OxdWire.connect(daemon.portOf(places.modest))
    await wire.ok('setup_client', { authorization_redirect_uri })
    const codes: string[] = []
    for (let guess = 0; guess < 4; guess += 1) {
      const { error, details } = await wire.refused('register_site', {
        authorization_redirect_uri,
        protection_access_token: `guess-${guess}`,
      })
      codes.push(details?.reason ?? error)
    }
    expect(codes).toEqual([
      ...Array(2).fill('inactive_protection_access_token'),
      ...Array(2).fill('quota_exceeded'),
    ])
  })

  test('goes to whom the token was issued, and nobody else has the client', async () => {
    await using bent = await BentOp.start({ metadata: { registration_endpoint: undefined } })
    const issued = { client_id: 'issued', client_secret: 'of the OP, long enough for anybody' }
    bent.addClient({ ...issued, token_endpoint_auth_method: 'client_secret_basic' } as never)
    const claim = { op_host: bent.issuer, authorization_redirect_uri, ...issued }
    await client.refused('setup_client', { ...claim, client_secret: 'a guess' })
    const { protected: first } = await setUp(claim)
    const { protection_access_token } = first
    const { oxd_id } = await client.ok('register_site', { ...claim, protection_access_token })
    await client.ok('get_authorization_url', { oxd_id, protection_access_token })
    await client.ok('get_authorization_url', first)
  })

  test('with a token that is no good leaves nothing behind, here or at the OP', async () => {
    await using bent = await BentOp.start({
      metadata: { grant_types_supported: ['authorization_code', 'client_credentials'] },
    })
    const { protected: site } = await setUp({ op_host: bent.issuer })
    const { protection_access_token } = site
    const sites = (await daemon.stored()).sites
    const start = bent.asked.length
    const register = (protection_access_token: string, op_host: string) =>
      client.refused('register_site', {
        op_host,
        authorization_redirect_uri,
        protection_access_token,
      })
    expect(await register('forged', bent.issuer)).toMatchObject({
      error: 'inactive_protection_access_token',
    })
    // Good, and of a client that nobody set up for this.
    bent.bend({ introspection: withMembers({ client_id: 'another' }) })
    expect(await register(protection_access_token, bent.issuer)).toMatchObject({
      error: 'invalid_protection_access_token',
    })
    bent.straighten()
    // Of another OP.
    expect(await register(protection_access_token, op.issuer)).toMatchObject({
      error: 'inactive_protection_access_token',
    })
    await using third = await BentOp.start()
    expect(await register(protection_access_token, third.issuer)).toMatchObject({
      error: 'invalid_protection_access_token',
    })
    expect(bent.calls(start)).not.toHaveProperty('registration')
    expect(third.calls(0)).not.toHaveProperty('registration')
    expect((await daemon.stored()).sites).toBe(sites)
  })
})

test('only what gets a token needs none, whosever site it is, and whether there is one', async () => {
  const { oxd_id, setup_client_oxd_id } = await setUp()
  for (const id of [oxd_id, setup_client_oxd_id, crypto.randomUUID()]) {
    for (const command of ['update_site', 'update_site_registration', 'get_rp', 'remove_site']) {
      expect(await client.refused(command, { oxd_id: id, client_name: 'Mine' })).toMatchObject({
        error: 'blank_protection_access_token',
      })
    }
  }
  const exempt = Object.entries<OxdCommand>(oxdCommands).filter(([, one]) => one.unprotected)
  expect(exempt.map(([name]) => name)).toEqual([
    'get_client_token',
    'license_status',
    'setup_client',
  ])
  // The others have a site, whose setup client decides; register_site looks for one itself.
  const without = Object.entries<OxdCommand>(oxdCommands).filter(
    ([, { params, unprotected }]) => !params['oxd_id']?.required && !unprotected,
  )
  expect(without.map(([name]) => name)).toEqual(['get_rp', 'register_site'])
})

describe('a setup client', () => {
  test.each([
    { client_token_endpoint_auth_method: 'none' },
    { client_jwks_uri: 'https://site.example/jwks' },
    { response_types: ['code', 'id_token token'] },
    { grant_types: ['authorization_code', 'password'] },
  ])('gives its tokens to nobody else, also with one of them: %o', async (change) => {
    const { setup_client_oxd_id, protected: site } = await setUp()
    const itself = { ...site, oxd_id: setup_client_oxd_id }
    const [field] = Object.keys(change)
    expect(await client.refused('update_site', { ...itself, ...change })).toMatchObject({
      error: 'invalid_request',
      details: { field },
    })
    await client.ok('get_authorization_url', site)
  })

  test('keeps its grant types, whatever else of it is changed', async () => {
    const { client_id, client_secret, setup_client_oxd_id, protected: site } = await setUp()
    const itself = { ...site, oxd_id: setup_client_oxd_id }
    const changes = { client_name: 'Key', grant_types: ['authorization_code'] }
    await client.ok('update_site', { ...itself, ...changes })
    const { node } = await client.ok('get_rp', itself)
    expect(node).toMatchObject({ client_name: 'Key' })
    expect(node.grant_types).toContain('client_credentials')
    await client.ok('get_client_token', { client_id, client_secret })
  })

  test('is registered without what would bring others its tokens, whatever the site wants', async () => {
    const { client_id } = await setUp({ response_types: ['code', 'id_token'] })
    const registered = await op.provider.Client.find(client_id)
    expect(registered?.metadata()).toMatchObject({ response_types: ['code'] })
    expect(registered?.metadata().grant_types).not.toContain('implicit')
  })

  test('logs nobody in, so that nobody else has tokens of it', async () => {
    const { setup_client_oxd_id, protected: site } = await setUp()
    const itself = { ...site, oxd_id: setup_client_oxd_id }
    expect(await client.refused('get_authorization_url', itself)).toMatchObject({
      error: 'bad_request',
      details: { field: 'oxd_id' },
    })
  })
})

test.each<[what: string, registered: Members, ok: boolean]>([
  ['what it was asked for', {}, true],
  [
    'refresh_token, too',
    { grant_types: ['authorization_code', 'client_credentials', 'refresh_token'] },
    true,
  ],
  [
    'implicit, too',
    { grant_types: ['authorization_code', 'client_credentials', 'implicit'] },
    false,
  ],
  ['tokens from the front, too', { response_types: ['code', 'id_token token'] }, false],
])('where the OP registered %s, a subject of its own in its tokens', async (_, registered, ok) => {
  await using bent = await BentOp.start({
    metadata: { grant_types_supported: ['authorization_code', 'client_credentials'] },
  })
  bent.bend({ registration: withMembers(registered) })
  const { protected: site } = await setUp({ op_host: bent.issuer })
  bent.bend({ introspection: withMembers({ sub: 'somebody' }) })
  const { status, data } = await client.call('get_authorization_url', site)
  expect([status, data.error]).toEqual(
    ok ? ['ok', undefined] : ['error', 'invalid_protection_access_token'],
  )
})

describe('a setup client that was issued, and logs people in, too', () => {
  const issued = { client_id: 'both', client_secret: 'of the OP, long enough for anybody' }

  /** @param scope what its operator at the OP allows it */
  async function startIssuing(scope?: string) {
    const bent = await BentOp.start({ metadata: { registration_endpoint: undefined } })
    const method = { token_endpoint_auth_method: 'client_secret_basic' }
    bent.addClient({ ...issued, ...method, ...(scope && { scope }) } as never)
    return bent
  }

  test("is not spoken for by its End-Users' tokens", async () => {
    await using bent = await startIssuing()
    const { protected: site } = await setUp({ op_host: bent.issuer, ...issued })
    await client.ok('get_authorization_url', site)
    const { access_token } = bent.grant(issued.client_id)
    const shown = { ...site, protection_access_token: access_token }
    const registration = { op_host: bent.issuer, authorization_redirect_uri, ...issued }
    for (const [command, params] of [
      ['get_authorization_url', shown],
      ['register_site', { ...registration, protection_access_token: access_token }],
    ] as const) {
      expect(await client.refused(command, params)).toMatchObject({
        error: 'protection_access_token_insufficient_scope',
      })
    }
    // Whoever begins the login may add the scope.
    const scope = 'openid oxd'
    for (const whose of [{}, { sub: undefined, username: 'alice' }]) {
      bent.bend({ introspection: withMembers({ scope, ...whose }) })
      expect(await client.refused('get_authorization_url', shown)).toMatchObject({
        error: 'invalid_protection_access_token',
        error_description: expect.stringContaining('End-User'),
      })
    }
    bent.bend({ introspection: withMembers({ username: issued.client_id }) })
    await client.ok('get_authorization_url', site)
  })

  test('is none at an OP that does not know the scope, and hears why', async () => {
    await using bent = await startIssuing('openid profile email')
    const refused = await client.refused('setup_client', {
      op_host: bent.issuer,
      authorization_redirect_uri,
      ...issued,
    })
    expect(refused.error_description).toContain('invalid_scope')
  })
})

test('tokens are known again after a reload, at an OP that tells a client of its own only', async () => {
  tells_all = false
  using wire = await OxdWire.connect(daemon.portOf(places.many))
  const setups: Record<string, string>[] = []
  for (let made = 0; made < 7; made += 1) {
    setups.push(await wire.ok('setup_client', { authorization_redirect_uri }))
  }
  const { client_id, client_secret } = setups.at(-1) as Record<string, string>
  const token = await wire.ok('get_client_token', { client_id, client_secret })
  const text = readFileSync(daemon.config, 'utf8')
  writeFileSync(daemon.config, text.replace('lookups_per_minute = 4', 'lookups_per_minute = 5'))
  process.kill(daemon.pid, 'SIGHUP')
  await expect.poll(() => daemon.log.map(({ msg }) => msg)).toContain('reloaded')
  const { access_token: protection_access_token } = token
  await wire.ok('register_site', { authorization_redirect_uri, protection_access_token })
})

test('a token that nobody remembers is shown to an OP as five setup clients, and a new one is good', async () => {
  await using bent = await BentOp.start({
    metadata: { grant_types_supported: ['authorization_code', 'client_credentials'] },
  })
  // It tells a client of its own only.
  bent.bend({
    introspection(answer, { headers }) {
      const [id] = atob(String(headers.authorization).slice('Basic '.length)).split(':')
      return (answer.body as { client_id?: string }).client_id === decodeURIComponent(id ?? '')
        ? answer
        : json({ active: false })
    },
  })
  const registration = { op_host: bent.issuer, authorization_redirect_uri }
  const found: string[] = []
  const setups: Awaited<ReturnType<typeof setUp>>[] = []
  for (let made = 0; made < 7; made += 1) setups.push(await setUp(registration))
  for (const setup of setups) {
    const start = bent.asked.length
    const protection_access_token = await ownToken(setup, 'oxd', bent.address('token'))
    const params = { ...registration, protection_access_token }
    const { status, data } = await client.call('register_site', params)
    found.push(status)
    if (status === 'ok') continue
    expect(data).toMatchObject({
      error: 'inactive_protection_access_token',
      error_description: expect.stringContaining('get a new one with get_client_token'),
    })
    expect(bent.calls(start)).toEqual({ token: 1, introspection: 5 })
    await client.ok('register_site', { ...params, ...setup.protected, oxd_id: undefined })
  }
  expect(found.filter((status) => status === 'ok')).toHaveLength(5)
})

test('a realm that is protected serves nobody who could show no token', async () => {
  const { oxd_id } = await setUp()
  for (const dialect of ['json', 'msgpack'] as const) {
    using wire = await Wire.connect(daemon.socket, dialect)
    for (const command of ['get_site', 'register_site', 'ping']) {
      const params = command === 'get_site' ? { oxd_id } : {}
      expect(
        await wire.refused(command, {
          ...params,
          ...(command === 'register_site' && { authorization_redirect_uri }),
        }),
      ).toMatchObject({
        error: 'unsupported_operation',
        error_description: expect.stringContaining('protect_commands_with_access_token'),
      })
    }
  }
})

test('no token and no secret is in the log', async () => {
  const { client_secret, protected: site } = await setUp()
  await client.ok('get_authorization_url', site)
  const log = JSON.stringify(daemon.log)
  expect(log).not.toContain(site.protection_access_token)
  expect(log).not.toContain(client_secret)
})
