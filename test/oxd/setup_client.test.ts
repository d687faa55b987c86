/** setup_client and get_client_token, in a realm whose commands are not protected. */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import {
  type Bend,
  BentOp,
  type BentOpOptions,
  json,
  type Members,
  withMembers,
} from '../support/bent_op/index.js'
import type { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { realmAt, startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'
import { Wire } from '../support/wire.js'

const authorization_redirect_uri = 'http://127.0.0.1:1/callback'
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Of each realm beside the default, the place of its listener. */
const places = { curious: 2, guessed: 3, small: 4, soon: 5 }

let op: Op
let daemon: TestDaemon
let client: OxdWire

beforeAll(async () => {
  op = await startOp({
    configuration: {
      scopes: ['openid', 'profile', 'email', 'oxd'],
      features: { clientCredentials: { enabled: true } },
    },
  })
  daemon = await startOxdDaemon({
    daemon: { default_op: op.issuer, log_level: 'trace' },
    sections: [
      realmAt('curious', '3.1', 'lookups_per_minute = 3'),
      realmAt('guessed', '3.1', 'lookups_per_minute = 4'),
      realmAt('small', '3.1', 'sites = 3'),
      realmAt('soon', '3.1', 'protect_commands_with_access_token = no'),
    ].join(''),
  })
  client = await OxdWire.connect(daemon.socket)
})

afterAll(async () => {
  client[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

function startBentOp(options: BentOpOptions = {}): Promise<BentOp> {
  return BentOp.start({
    ...options,
    metadata: {
      grant_types_supported: ['authorization_code', 'client_credentials'],
      ...options.metadata,
    },
  })
}

function connectTo(realm: keyof typeof places): Promise<OxdWire> {
  return OxdWire.connect(daemon.portOf(places[realm]))
}

function setUp(params: object = {}) {
  return client.ok('setup_client', { authorization_redirect_uri, ...params })
}

async function sites(): Promise<number> {
  return (await daemon.stored()).sites
}

test('registers a site that logs in, and a client whose tokens would protect it', async () => {
  const before = await sites()
  const setup = await setUp({ client_name: 'Shop', setup_client_name: 'Key of the shop' })
  expect(setup).toEqual({
    oxd_id: expect.stringMatching(UUID),
    op_host: op.issuer,
    client_id: expect.any(String),
    client_secret: expect.any(String),
    client_registration_access_token: expect.any(String),
    client_registration_client_uri: expect.stringMatching(`^${op.issuer}/`),
    client_id_issued_at: expect.any(Number),
    client_secret_expires_at: 0,
    setup_client_oxd_id: expect.stringMatching(UUID),
    client_id_of_oxd_id: expect.any(String),
  })
  expect(await sites()).toBe(before + 2)
  const [key, site] = await Promise.all(
    [setup.client_id, setup.client_id_of_oxd_id].map((id) => op.provider.Client.find(id)),
  )
  expect(key?.metadata()).toMatchObject({
    client_name: 'Key of the shop',
    client_secret: setup.client_secret,
    grant_types: expect.arrayContaining(['authorization_code', 'client_credentials']),
    // This OP has no uma_protection.
    scope: 'openid profile email oxd',
  })
  expect(site?.metadata()).toMatchObject({ client_name: 'Shop' })
  expect(site?.metadata().grant_types).not.toContain('client_credentials')

  const { authorization_url } = await client.ok('get_authorization_url', { oxd_id: setup.oxd_id })
  expect(new URL(authorization_url).searchParams.get('client_id')).toBe(setup.client_id_of_oxd_id)
  expect(await new EndUser().logIn(authorization_url)).toContain('code=')
  const log = JSON.stringify(daemon.log)
  expect(log).not.toContain(setup.client_secret)
  expect(log).not.toContain(setup.client_registration_access_token)
})

test('a token has what the client may have, and asks for what it was not given', async () => {
  const { client_id, client_secret } = await setUp()
  const params = { client_id, client_secret, op_host: op.issuer }
  const token = await client.ok('get_client_token', params)
  expect(token).toEqual({
    access_token: expect.any(String),
    expires_in: expect.any(Number),
    refresh_token: null,
    scope: 'openid oxd',
  })
  // As oxd-python says it: with its config for a default, and in any type.
  const spelt = { ...params, op_host: null, scope: 'email', algorithm: null, host: 'localhost' }
  expect(await client.ok('get_client_token', spelt)).toMatchObject({ scope: 'openid email oxd' })
  expect(daemon.output).not.toContain(token.access_token)
})

test('a setup client authenticates as it is registered by now, for whoever knows its secret', async () => {
  await using bent = await startBentOp({
    metadata: {
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: ['ES256'],
    },
  })
  // As oxAuth does, which gives every client a secret.
  const client_secret = 'a secret beside the key, of forty letters'
  bent.bend({ registration: withMembers({ client_secret, client_secret_expires_at: 0 }) })
  const { client_id, ...setup } = await setUp({ op_host: bent.issuer })
  bent.straighten()
  expect(setup.client_secret).toBe(client_secret)
  const at = { op_host: bent.issuer, client_id, authentication_method: 'private_key_jwt' }
  await client.ok('get_client_token', { ...at, client_secret, algorithm: 'RS256', key_id: 'k' })
  expect(bent.last('token').body).toContain('client_assertion=')
  const start = bent.asked.length
  // Nobody else has the daemon authenticate for him.
  expect(
    await client.refused('get_client_token', { ...at, client_secret: 'a guess' }),
  ).toMatchObject({ error: 'invalid_request' })
  expect(bent.calls(start)).toEqual({})
  const { authentication_method: _, ...plain } = at
  const refused = await client.refused('get_client_token', { ...plain, client_secret: 'a guess' })
  expect(refused.error_description).toContain('invalid_client')
})

describe('a client that relyd does not know', () => {
  const own = { client_id: 'own', client_secret: 'its own secret, of the OP' }
  let bent: BentOp

  beforeAll(async () => {
    bent = await startBentOp()
    bent.addClient({ ...own, token_endpoint_auth_method: 'client_secret_basic' } as never)
    bent.addClient({
      ...own,
      client_id: 'posts',
      token_endpoint_auth_method: 'client_secret_post',
    } as never)
  })

  afterAll(() => bent[Symbol.asyncDispose]())

  test('gets its token, and is no site', async () => {
    const before = await sites()
    const at = { ...own, op_host: bent.issuer }
    const token = await client.ok('get_client_token', { ...at, scope: ['one', 'two'] })
    expect(token).toMatchObject({ expires_in: 300, refresh_token: null, scope: 'one two' })
    expect(await client.ok('get_client_token', at)).toMatchObject({ scope: '' })
    expect(new URLSearchParams(bent.last('token').body).has('scope')).toBe(false)
    const posts = { ...at, client_id: 'posts' }
    const method = 'client_secret_post'
    await client.ok('get_client_token', { ...posts, authentication_method: method })
    await client.refused('get_client_token', posts)
    expect(await sites()).toBe(before)
  })

  test('asks no more OPs than the realm may, and none at a private address', async () => {
    using wire = await connectTo('curious')
    const start = bent.asked.length
    const guesses = { ...own, op_host: bent.issuer, client_secret: 'a guess' }
    const codes: string[] = []
    for (let guess = 0; guess < 5; guess += 1) {
      const { error, details } = await wire.refused('get_client_token', guesses)
      codes.push(details?.reason ?? error)
    }
    expect(codes.slice(2)).toEqual(Array(3).fill('quota_exceeded'))
    expect(bent.calls(start).token).toBeLessThan(3)
    expect(
      await client.refused('get_client_token', { ...own, op_host: 'https://10.0.0.1' }),
    ).toMatchObject({ details: { reason: 'op_host_not_allowed' } })
    expect(
      await client.refused('get_client_token', { ...own, op_host: 'http://op.example' }),
    ).toMatchObject({
      error: 'invalid_op_host',
    })
  })
})

describe('a setup client whose secret relyd renews', () => {
  test.each<[how: string, uri: Members, client_ids: number]>([
    ['by an update', {}, 1],
    ['by another registration', { registration_client_uri: undefined }, 2],
  ])('is let in with what its website was told: %s', async (_, members, client_ids) => {
    await using bent = await startBentOp()
    bent.renews_secrets = true
    bent.client_secret_lifetime = 2
    bent.bend({ registration: withMembers(members) })
    const setup = await setUp({ op_host: bent.issuer })
    const { client_id, client_secret, setup_client_oxd_id } = setup
    bent.client_secret_lifetime = 3600
    const renewed = () =>
      daemon.log.filter(
        ({ msg, site }) =>
          msg === 'registration renewed' && site === setup_client_oxd_id.slice(0, 8),
      )
    await expect.poll(renewed, { timeout: 20_000 }).toHaveLength(1)
    const [now] = renewed()
    expect(new Set([client_id, now?.['client_id']]).size).toBe(client_ids)
    // It ends with its secret.
    if (client_ids > 1) bent.clients.delete(client_id)
    // What was told is good, whatever is changed, and nothing else.
    const at = { op_host: bent.issuer, client_id }
    await client.ok('get_client_token', { ...at, client_secret })
    await client.ok('update_site', { oxd_id: setup_client_oxd_id, ui_locales: ['de'] })
    await client.ok('get_client_token', { ...at, client_secret })
    await client.refused('get_client_token', { ...at, client_secret: 'a guess' })
    await client.refused('get_client_token', { ...at, client_id: 'another', client_secret })
    expect(daemon.output).not.toContain(client_secret)
  })
})

test('guesses at secrets are as few as other questions, and keep nobody out who knows his', async () => {
  await using bent = await startBentOp()
  using wire = await connectTo('guessed')
  const { client_id, client_secret } = await wire.ok('setup_client', {
    op_host: bent.issuer,
    authorization_redirect_uri,
  })
  const at = { op_host: bent.issuer, client_id }
  // Who knows it may come as often as he likes.
  for (let time = 0; time < 6; time += 1) {
    await wire.ok('get_client_token', { ...at, client_secret })
  }
  const codeOf = async (guess: string) => {
    const { data } = await wire.call('get_client_token', { ...at, client_secret: guess })
    return data.details?.reason ?? data.error
  }
  const issued = { client_id: 'issued', client_secret: 'of the OP, long enough for anybody' }
  bent.addClient({ ...issued, token_endpoint_auth_method: 'client_secret_post' } as never)
  await wire.ok('setup_client', {
    op_host: bent.issuer,
    authorization_redirect_uri,
    client_token_endpoint_auth_method: 'client_secret_post',
    ...issued,
  })
  for (let guess = 0; guess < 4; guess += 1) await codeOf(`guess ${guess}`)
  expect(await codeOf('one more')).toBe('quota_exceeded')
  expect(await codeOf(client_secret)).toBeUndefined()
  // The OP is the judge of one that was issued: it may have another secret by now, and sees guesses.
  const start = bent.asked.length
  const shown = { ...at, ...issued }
  await wire.ok('get_client_token', shown)
  const guessed = await wire.refused('get_client_token', { ...shown, client_secret: 'a guess' })
  expect(guessed.error_description).toContain('invalid_client')
  expect(bent.calls(start)).toEqual({ token: 2 })
})

test('an OP that registers no scopes that it does not know, and does not say which, sets up a client', async () => {
  await using bent = await startBentOp({ metadata: { scopes_supported: undefined } })
  bent.bend({
    registration: (answer, { body }) =>
      /oxd|uma_protection/.test(JSON.parse(body).scope ?? '')
        ? json({ error: 'invalid_client_metadata' }, 400)
        : answer,
  })
  const { client_id, client_secret } = await setUp({ op_host: bent.issuer })
  const at = { op_host: bent.issuer, client_id, client_secret }
  expect(await client.ok('get_client_token', at)).toMatchObject({ scope: 'openid' })
})

test('the second registration fails: the first is removed again', async () => {
  await using bent = await startBentOp()
  const before = await sites()
  let registrations = 0
  bent.bend({
    registration(answer) {
      registrations += 1
      return registrations === 2 ? json({ error: 'invalid_client_metadata' }, 400) : answer
    },
  })
  await client.refused('setup_client', { op_host: bent.issuer, authorization_redirect_uri })
  // What this OP answered last is not told to anybody.
  expect(bent.calls()).toMatchObject({ registration: 2, client: 1 })
  expect(bent.last('client').method).toBe('DELETE')
  expect(await sites()).toBe(before)
})

test('both registrations are counted', async () => {
  using wire = await connectTo('small')
  const before = await sites()
  await wire.ok('setup_client', { authorization_redirect_uri })
  const refused = await wire.refused('setup_client', { authorization_redirect_uri })
  expect(refused.details).toMatchObject({ quota: 'sites' })
  // Half of one is none.
  expect(await sites()).toBe(before + 2)
})

test('an OP without client credentials, or a client without a secret, sets up nothing', async () => {
  await using plain = await BentOp.start({
    metadata: { grant_types_supported: ['authorization_code'] },
  })
  await using bent = await startBentOp({
    metadata: { token_endpoint_auth_methods_supported: ['client_secret_basic', 'none'] },
  })
  const before = await sites()
  const at = { op_host: plain.issuer, authorization_redirect_uri }
  expect(await client.refused('setup_client', at)).toMatchObject({ error: 'invalid_request' })
  expect(
    await client.refused('setup_client', {
      ...at,
      op_host: bent.issuer,
      client_token_endpoint_auth_method: 'none',
    }),
  ).toMatchObject({
    error: 'invalid_request',
    details: { field: 'client_token_endpoint_auth_method' },
  })
  expect(bent.clients.size).toBe(0)
  expect(await sites()).toBe(before)
})

test('an issued client is both, and nothing is registered', async () => {
  await using bent = await startBentOp({ metadata: { registration_endpoint: undefined } })
  const issued = { client_id: 'issued', client_secret: 'of the OP, long enough for anybody' }
  bent.addClient({ ...issued, token_endpoint_auth_method: 'client_secret_basic' } as never)
  const setup = await setUp({ op_host: bent.issuer, ...issued })
  expect(setup).toMatchObject({
    ...issued,
    client_registration_access_token: '',
    client_registration_client_uri: '',
    client_id_issued_at: expect.any(Number),
    client_secret_expires_at: 0,
    client_id_of_oxd_id: 'issued',
  })
  expect(setup.oxd_id).not.toBe(setup.setup_client_oxd_id)
  const { scope } = await client.ok('get_client_token', { op_host: bent.issuer, ...issued })
  // For it logs people in, too, and their tokens must not be taken for its own.
  expect(scope).toBe('oxd')
  const { client_secret: _, ...secretless } = issued
  expect(
    await client.refused('setup_client', {
      op_host: bent.issuer,
      authorization_redirect_uri,
      ...secretless,
    }),
  ).toMatchObject({ error: 'invalid_request', details: { field: 'client_secret' } })
})

test.each<[who: string, member: object]>([
  ['has a made-up secret', { client_secret: 'made up' }],
  ['may have no tokens of its own', { grant_types: ['authorization_code'] }],
])('an issued client sets up nothing where it %s', async (_, member) => {
  await using bent = await startBentOp({ metadata: { registration_endpoint: undefined } })
  const issued = { client_id: 'issued', client_secret: 'of the OP, long enough for anybody' }
  bent.addClient({
    ...issued,
    token_endpoint_auth_method: 'client_secret_basic',
    ...member,
  } as never)
  const before = await sites()
  const asked = { op_host: bent.issuer, authorization_redirect_uri, ...issued }
  const refused = await client.refused('setup_client', asked)
  expect(refused.error_description).toMatch(/invalid_client|unauthorized_client/)
  expect(await sites()).toBe(before)
})

test("whose setup client is whose stays through the operator's changes, and travels with the sites", async () => {
  await using bent = await startBentOp()
  const issued = { client_id: 'carried', client_secret: 'of the OP, long enough for anybody' }
  bent.addClient({ ...issued, token_endpoint_auth_method: 'client_secret_basic' } as never)
  const setup = await setUp({ op_host: bent.issuer, ...issued })
  using admin = await Wire.connect(daemon.admin_socket)
  const named: [string, string, string][] = [
    ['carried-key', setup.setup_client_oxd_id, 'self'],
    ['carried', setup.oxd_id, setup.setup_client_oxd_id],
  ]
  for (const [name, site] of named) {
    await admin.ok('update_site', { site, name, client_name: 'Carried' })
  }
  const { sites } = await admin.ok('export_sites')
  const carried = sites.map((one: object) => ({ ...one, client_secret: issued.client_secret }))
  await using other = await startOxdDaemon()
  using there = await Wire.connect(other.admin_socket)
  await there.ok('import_sites', { sites: carried })
  expect(await there.ok('export_sites')).toEqual({ sites, left_out: 0 })
  for (const [name, oxd_id, setup_client] of named) {
    const entry = sites.find((one: { name: string }) => one.name === name)
    expect(entry).toMatchObject({ oxd_id, setup_client, client_name: 'Carried' })
  }
})

describe('trap 10: what oxd-python writes to its cfg has no %', () => {
  test.each<[name: string, members: Members]>([
    ['client_secret', { client_secret: 'ab%40c' }],
    ['client_id', { client_id: 'ab%40c' }],
  ])('%s: refused, and nothing stays', async (_, members) => {
    await using bent = await startBentOp()
    const before = await sites()
    bent.bend({ registration: withMembers(members) })
    const asked = { op_host: bent.issuer, authorization_redirect_uri }
    expect(await client.refused('setup_client', asked)).toMatchObject({
      details: { reason: 'invalid_op_response' },
    })
    expect(bent.calls()).toMatchObject({ registration: 1, client: 1 })
    expect(await sites()).toBe(before)
  })

  test.each<[name: string, members: Members]>([
    ['client_registration_client_uri', { registration_client_uri: 'http://127.0.0.1:1/a%40b' }],
    ['client_registration_access_token', { registration_access_token: 'ab%40c' }],
  ])('%s: empty, for relyd has it', async (name, members) => {
    await using bent = await startBentOp()
    bent.bend({ registration: withMembers(members) })
    expect((await setUp({ op_host: bent.issuer }))[name]).toBe('')
  })

  test('an access token: refused', async () => {
    await using bent = await startBentOp()
    const { client_id, client_secret } = await setUp({ op_host: bent.issuer })
    const params = { op_host: bent.issuer, client_id, client_secret }
    bent.bend({ token: withMembers({ access_token: 'ab%40c' }) })
    const refused = await client.refused('get_client_token', params)
    expect(refused.details.reason).toBe('invalid_op_response')
    expect(JSON.stringify(refused)).not.toContain('ab%40c')
    bent.straighten()
    await client.ok('get_client_token', params)
  })
})

test('trap 9: what later clients index is there, also where the OP leaves it out', async () => {
  await using bent = await startBentOp()
  const silent: Bend = withMembers({
    registration_access_token: undefined,
    registration_client_uri: undefined,
    client_id_issued_at: undefined,
  })
  bent.bend({ registration: silent })
  const setup = await setUp({ op_host: bent.issuer })
  expect(setup).toMatchObject({
    client_registration_access_token: '',
    client_registration_client_uri: '',
    client_id_issued_at: expect.any(Number),
  })
  expect(Object.values(setup)).not.toContain(null)
})

test.each([undefined, 0, 0.5])(
  'trap 11: expires_in is a positive whole number, where the OP says %s',
  async (expires_in) => {
    await using bent = await startBentOp()
    const { client_id, client_secret } = await setUp({ op_host: bent.issuer })
    bent.bend({ token: withMembers({ expires_in }) })
    const params = { op_host: bent.issuer, client_id, client_secret }
    expect(await client.ok('get_client_token', params)).toMatchObject({ expires_in: 300 })
  },
)

test('trap 17: with protection off an old token is not looked at, but at register_site, where a good one binds', async () => {
  await using bent = await startBentOp()
  const site = { op_host: bent.issuer, authorization_redirect_uri }
  using wire = await connectTo('soon')
  const { oxd_id, client_id, client_secret } = await wire.ok('setup_client', site)
  const start = bent.asked.length
  for (const protection_access_token of ['stale', 17, null, '']) {
    await wire.ok('get_authorization_url', { oxd_id, protection_access_token })
  }
  const replayed = { client_id, client_secret, protection_access_token: 'stale' }
  const at = { op_host: bent.issuer, ...replayed }
  const { access_token: protection_access_token } = await wire.ok('get_client_token', at)
  expect(bent.calls(start)).toEqual({ token: 1 })
  await wire.ok('register_site', { ...site, protection_access_token: 'stale' })
  // Whoever else's it is: the OP is asked about tokens that relyd got.
  expect(bent.calls(start)).toEqual({ token: 1, registration: 1 })
  await expect
    .poll(() => daemon.log)
    .toContainEqual(
      expect.objectContaining({ level: 40, outcome: 'inactive_protection_access_token' }),
    )
  const bound = (await wire.ok('register_site', { ...site, protection_access_token })).oxd_id
  bent.bend({ introspection: () => json({}, 503) })
  const told = await wire.refused('register_site', { ...site, protection_access_token })
  expect(told.details.reason).toBe('op_unreachable')
  bent.straighten()
  // From now on it must be shown.
  const off = 'protect_commands_with_access_token = no'
  const config = readFileSync(daemon.config, 'utf8')
  writeFileSync(daemon.config, config.replace(off, off.replace('no', 'yes')))
  process.kill(daemon.pid, 'SIGHUP')
  await expect.poll(() => daemon.log.map(({ msg }) => msg)).toContain('reloaded')
  await wire.ok('get_authorization_url', { oxd_id: bound, protection_access_token })
  expect(await wire.refused('get_authorization_url', { oxd_id: bound })).toMatchObject({
    error: 'blank_protection_access_token',
  })
})
