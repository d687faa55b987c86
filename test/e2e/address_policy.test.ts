/** What the built daemon calls for a site, and what it leaves alone (ADR 0008). */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  answers,
  BentOp,
  BentSite,
  hang,
  huge,
  redirect,
  withMembers,
} from '../support/bent_op/index.js'
import { hasOpenssl, TestCa } from '../support/certificates.js'
import { ConnectProxy } from '../support/connect_proxy.js'
import { TestDaemon } from '../support/daemon.js'
import { Listener } from '../support/listener.js'
import { Wire } from '../support/wire.js'

const authorization_redirect_uri = 'https://site.example/callback'
const not_allowed = { error: 'op_host_not_allowed', retryable: false }

/** Every way to this host that somebody has tried; none of them may be taken. */
const ours = [
  '127.0.0.1',
  '127.255.255.254',
  '2130706433',
  '0x7f000001',
  '0x7F.0.0.0x1',
  '0177.0.0.1',
  '017700000001',
  '127.1',
  '127.0.0.1.',
  '１２７.０.０.１',
  '127。0。0。1',
  '%31%32%37.0.0.1',
  '0.0.0.0',
  '0',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::ffff:0.0.0.0]',
  '[::127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[2002:7f00:1::]',
  'localhost',
  'LocalHost',
  'ｌocalhost',
]

const elsewhere = [
  '10.0.0.1',
  '172.16.0.1',
  '192.168.0.1',
  '169.254.169.254',
  '0xa9fea9fe',
  '100.64.0.1',
  '192.0.0.8',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '[fd00::1]',
  '[fe80::1]',
  '[ff02::1]',
  '[::ffff:10.0.0.1]',
  '[::ffff:a9fe:a9fe]',
  '[2001:db8::1]',
]

let listener: Listener

beforeAll(async () => {
  listener = await Listener.start()
})

afterEach(() => expect(listener.connections).toBe(0))

afterAll(() => listener[Symbol.asyncDispose]())

describe('a site that names', () => {
  let daemon: TestDaemon
  let wire: Wire

  beforeAll(async () => {
    daemon = await TestDaemon.start({
      daemon: { insecure_op_hosts: '', default_op: `https://127.0.0.2:${listener.port + 1}` },
    })
    wire = await Wire.connect(daemon.socket)
  })

  afterAll(async () => {
    wire[Symbol.dispose]()
    await daemon[Symbol.asyncDispose]()
  })

  /** @returns what the site is told, with the host as it must name it left out */
  async function told(op_host: string): Promise<unknown> {
    const { retryable, error, error_description, details } = await wire.refused('register_site', {
      op_host,
      authorization_redirect_uri,
    })
    const { host } = new URL(op_host)
    return JSON.parse(
      JSON.stringify({ error, error_description, details, retryable }).replaceAll(host, 'HOST'),
    )
  }

  const refused = {
    ...not_allowed,
    error_description:
      'the daemon does not call HOST: its address is not a public one; the operator may name the host in allowed_op_hosts of [realm default]',
    details: { host: 'HOST', option: 'allowed_op_hosts' },
  }

  // The same words for all of them, whether something listens or nothing does.
  test.each(ours)('this host as %s', async (host) => {
    expect(await told(`https://${host}:${listener.port}`)).toEqual(refused)
    expect(await told(`https://${host}:1`)).toEqual(refused)
    expect(await told(`https://${host}:${listener.port}/tenant`)).toEqual(refused)
  })

  test.each(elsewhere)('%s', async (host) => {
    expect(await told(`https://${host}`)).toEqual(refused)
  })

  test.each(['localhost.', 'a.localhost'])(
    'this host as %s, whatever a name server says',
    async (host) => {
      expect(await told(`https://${host}:${listener.port}`)).toEqual(refused)
    },
  )

  test('another port of the default OP', async () => {
    expect(await told(`https://127.0.0.2:${listener.port}`)).toEqual(refused)
  })

  test('the default OP, by default and by its name', async () => {
    for (const named of [{}, { op_host: `127.0.0.2:${listener.port + 1}` }]) {
      expect(
        await wire.refused('register_site', { authorization_redirect_uri, ...named }),
      ).toMatchObject({ error: 'no_connect_discovery_response' })
    }
  })
})

describe('S37 an OP whose metadata names', () => {
  let daemon: TestDaemon
  let wire: Wire
  let op: BentOp

  beforeAll(async () => {
    daemon = await TestDaemon.start()
    wire = await Wire.connect(daemon.socket)
  })

  afterAll(async () => {
    wire[Symbol.dispose]()
    await daemon[Symbol.asyncDispose]()
  })

  beforeEach(async () => {
    op = await BentOp.start({ alg: 'ES256' })
    return () => op[Symbol.asyncDispose]()
  })

  const called = [
    ...['token_endpoint', 'jwks_uri', 'userinfo_endpoint', 'registration_endpoint'],
    ...['revocation_endpoint', 'introspection_endpoint'],
  ]
  const visited = ['authorization_endpoint', 'end_session_endpoint']
  const hosts = ['[::1]', '127.0.0.2', '0x7f.2', '[::ffff:127.0.0.2]', '10.0.0.1']

  /** At registration, not at somebody's first login. */
  async function refuses(member: string, host: string): Promise<void> {
    op.bend({ discovery: withMembers({ [member]: `https://${host}:${listener.port}/there` }) })
    const params = { op_host: op.issuer, authorization_redirect_uri }
    const data = await wire.refused('register_site', params)
    expect(data).toMatchObject(not_allowed)
    expect(data.error_description).toContain(new URL(`https://${host}:${listener.port}`).host)
    op.straighten()
    await (await BentSite.register(wire, op)).accepts()
  }

  test.each(called.flatMap((member) => [...hosts, 'localhost'].map((host) => [member, host])))(
    '%s at %s',
    async (member, host) => {
      await refuses(member as string, host as string)
    },
  )

  test.each(visited.flatMap((member) => hosts.map((host) => [member, host])))(
    '%s at %s',
    async (member, host) => {
      await refuses(member as string, host as string)
    },
  )

  test('an address of a registration that could never be removed', async () => {
    for (const host of ['[::1]', 'localhost']) {
      const registration_client_uri = `https://${host}:${listener.port}/client`
      op.bend({ registration: withMembers({ registration_client_uri }) })
      const params = { op_host: op.issuer, authorization_redirect_uri }
      expect(await wire.refused('register_site', params)).toMatchObject(not_allowed)
    }
  })

  test('aliases of its endpoints for clients with a certificate, which nobody uses', async () => {
    const there = `https://127.0.0.2:${listener.port}`
    op.bend({
      discovery: withMembers({ mtls_endpoint_aliases: { token_endpoint: there } }),
      registration: withMembers({ use_mtls_endpoint_aliases: true }),
    })
    const site = await BentSite.register(wire, op)
    op.straighten()
    await site.accepts()
  })

  test('a way to us by a redirect, from any endpoint', async () => {
    const there = answers(redirect(`https://127.0.0.2:${listener.port}/there`))
    const params = { op_host: op.issuer, authorization_redirect_uri }
    op.bend({ discovery: there })
    expect(await wire.refused('register_site', params)).toMatchObject({
      error: 'no_connect_discovery_response',
    })
    op.bend({ registration: there })
    expect(await wire.refused('register_site', params)).toMatchObject({
      error: 'invalid_op_response',
    })
    op.straighten()
    const site = await BentSite.register(wire, op)
    const { session_id } = await site.accepts()
    op.bend({ userinfo: there })
    const { oxd_id } = site
    await wire.refused('get_user_info', { oxd_id, session_id })
    op.straighten()
    const { data } = await site.attempt({ bends: { token: there } })
    expect(data).toMatchObject({ error: 'invalid_op_response' })
    op.rotate()
    const rotated = await site.attempt({ bends: { jwks: there } })
    expect(rotated.data).toMatchObject({ error: 'invalid_op_response' })
    op.bend({ client: there })
    expect(await wire.refused('remove_site', { oxd_id })).toMatchObject({
      error: 'remove_site_failed',
    })
  })
})

describe.skipIf(!hasOpenssl())('an OP at a private address with TLS', () => {
  let ca: TestCa
  let tls: { key: Buffer; cert: Buffer }

  beforeAll(() => {
    ca = new TestCa()
    tls = ca.server('localhost')
  })

  afterAll(() => ca[Symbol.dispose]())

  /** A daemon that trusts the OP's certificate. */
  function start(allowed: string, sections = ''): Promise<TestDaemon> {
    return TestDaemon.start({
      daemon: { insecure_op_hosts: '' },
      sections: `[realm default]\nallowed_op_hosts = ${allowed}\n${sections}`,
      env: { NODE_EXTRA_CA_CERTS: ca.certificate },
    })
  }

  test('that the operator names in one realm is nobody in another, whatever is known of it', async () => {
    await using op = await BentOp.start({ alg: 'ES256', tls })
    const { host } = new URL(op.issuer)
    await using daemon = await start(
      host,
      '[listener other]\naddress = unix:{folder}/other.sock\nrealm = other',
    )
    using wire = await Wire.connect(daemon.socket)
    await (await BentSite.register(wire, op)).accepts()
    using other = await Wire.connect(join(daemon.folder, 'other.sock'))
    const before = op.asked.length
    const data = await other.refused('register_site', {
      op_host: op.issuer,
      authorization_redirect_uri,
      client_id: 'issued',
      client_secret: 'a secret that nobody uses',
    })
    expect(data).toMatchObject(not_allowed)
    expect(data.error_description).toContain('allowed_op_hosts of [realm other]')
    expect(op.asked.length).toBe(before)
  })

  test('P45 that the operator names: logins by a CA of its own; named no more: every command says so, and nothing is sent', async () => {
    await using op = await BentOp.start({ alg: 'ES256', tls })
    const { host } = new URL(op.issuer)
    await using daemon = await start(host)
    const wire = await Wire.connect(daemon.socket)
    const site = await BentSite.register(wire, op)
    const { session_id } = await site.accepts()
    const begun = await site.begin()
    wire[Symbol.dispose]()
    await daemon.stop()

    writeFileSync(
      daemon.config,
      readFileSync(daemon.config, 'utf8').replace(host, `${host.slice(0, -1)}`),
    )
    await daemon.start()
    using later = await Wire.connect(daemon.socket)
    const start_of_it = op.asked.length
    const { oxd_id } = site
    expect(await later.refused('get_tokens_by_callback', begun)).toMatchObject(not_allowed)
    expect(await later.refused('get_user_info', { oxd_id, session_id })).toMatchObject(not_allowed)
    expect(await later.refused('remove_site', { oxd_id })).toMatchObject(not_allowed)
    expect(await later.ok('get_site', { oxd_id })).toMatchObject({ oxd_id })
    // A copy of the OP's documents is known, which must not tell that somebody may call it.
    expect(
      await later.refused('register_site', {
        op_host: op.issuer,
        authorization_redirect_uri,
        client_id: 'issued',
        client_secret: 'secret',
      }),
    ).toMatchObject(not_allowed)
    expect(op.asked.length).toBe(start_of_it)
    expect(JSON.stringify(daemon.log)).not.toContain('"outcome":"internal_error"')
  })
})

describe('behind a proxy', () => {
  let daemon: TestDaemon
  let wire: Wire
  let proxy: ConnectProxy
  let op: BentOp

  beforeAll(async () => {
    proxy = await ConnectProxy.start()
    op = await BentOp.start({ alg: 'ES256' })
    daemon = await TestDaemon.start({ daemon: { proxy: proxy.address, op_timeout: 2 } })
    wire = await Wire.connect(daemon.socket)
  })

  afterAll(async () => {
    wire[Symbol.dispose]()
    await daemon[Symbol.asyncDispose]()
    await op[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
  })

  beforeEach(() => {
    proxy.manner = 'connect'
  })

  test('the operator’s own OPs are called through it', async () => {
    const site = await BentSite.register(wire, op)
    await site.accepts()
    expect(new Set(proxy.asked)).toEqual(new Set([new URL(op.issuer).host]))
  })

  test.each(['op.example', '8.8.8.8', 'localhost', '[::1]', '10.0.0.1', '0x7f.2'])(
    '%s is nobody that the operator named, and the proxy is not asked',
    async (host) => {
      const before = proxy.asked.length
      const op_host = `https://${host}:${listener.port}`
      const data = await wire.refused('register_site', { op_host, authorization_redirect_uri })
      expect(data).toMatchObject(not_allowed)
      expect(data.error_description).toContain('behind a proxy it sees no addresses')
      expect(data.error_description).toContain('allowed_op_hosts of [realm default]')
      expect(proxy.asked.length).toBe(before)
    },
  )

  test('metadata leads nowhere else; the browser goes where it likes', async () => {
    await using other = await BentOp.start({ alg: 'ES256' })
    const token_endpoint = 'https://op.example/token'
    other.bend({ discovery: withMembers({ token_endpoint }) })
    const params = { op_host: other.issuer, authorization_redirect_uri }
    expect(await wire.refused('register_site', params)).toMatchObject(not_allowed)
    const authorization_endpoint = 'https://login.example/authorize'
    other.bend({ discovery: withMembers({ authorization_endpoint }) })
    const { oxd_id } = await wire.ok('register_site', params)
    const { authorization_url } = await wire.ok('get_authorization_url', { oxd_id })
    expect(authorization_url).toContain(authorization_endpoint)
  })

  test.each(['refuse', 'drop', 'hang'] as const)(
    'that does %s: no answer of the OP, in time',
    async (manner) => {
      await using other = await BentOp.start({ alg: 'ES256' })
      proxy.manner = manner
      const params = { op_host: other.issuer, authorization_redirect_uri }
      const started = performance.now()
      const data = await wire.refused('register_site', params)
      expect(data).toMatchObject({ error: 'no_connect_discovery_response', retryable: true })
      expect(data.error_description).toContain('through the proxy')
      expect(performance.now() - started).toBeLessThan(5000)
      // No second try: undici makes them without end when a connection breaks.
      const { host } = new URL(other.issuer)
      expect(proxy.asked.filter((one) => one === host)).toHaveLength(1)
      proxy.manner = 'connect'
      await (await BentSite.register(wire, other)).accepts()
    },
  )

  test.each([
    ['10 MB', huge(10_000_000)],
    ['no answer', hang],
  ])('the limits hold: %s', async (_, answer) => {
    const site = await BentSite.register(wire, op)
    const { data } = await site.attempt({ bends: { token: answers(answer) } })
    expect(data).toMatchObject({ error: 'op_unreachable' })
    await site.accepts()
  })
})

test('proxies of the environment are not looked at', async () => {
  await using proxy = await ConnectProxy.start()
  await using op = await BentOp.start({ alg: 'ES256' })
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy']
  const env = Object.fromEntries(names.map((name) => [name, proxy.address]))
  await using daemon = await TestDaemon.start({ env: { ...env, NODE_USE_ENV_PROXY: '1' } })
  using wire = await Wire.connect(daemon.socket)
  await (await BentSite.register(wire, op)).accepts()
  expect(proxy.asked).toEqual([])
})
