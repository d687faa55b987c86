/** TCP with TLS: who gets through the handshake, which realm a certificate speaks for, and what is left of the others. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import {
  hasOpenssl,
  type Issued,
  rawDnsName,
  TestCa,
  type Wanted,
} from '../support/certificates.js'
import { closed } from '../support/closed.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { registerIssued } from '../support/site.js'
import { type DialectName, type Identity, Wire } from '../support/wire.js'

/** Places of the listeners in the configuration. */
const ONE_REALM = 2
const BY_NAME = 3

const ping = '{"id":1,"command":"ping"}\n'

describe.skipIf(!hasOpenssl())('a listener with TLS', () => {
  let op: Op
  let ca: TestCa
  let daemon: TestDaemon
  let shop: Issued

  beforeAll(async () => {
    op = await startOp()
    ca = new TestCa()
    const server = ca.issue('server', { san: 'DNS:localhost, IP:127.0.0.1', usage: 'serverAuth' })
    shop = ca.issue('shop', { san: 'DNS:shop.example', usage: 'clientAuth' })
    const files = `tls_certificate = ${server.certificate}\ntls_key = ${server.key}\ntls_client_ca = ${ca.certificate}`
    daemon = await TestDaemon.start({
      sections: `[listener remote]
address = tcp:127.0.0.1:0
${files}
[listener by_name]
address = tcp:127.0.0.1:0
${files}
certificate_realms = shop.example = shop, blog.example=blog, Old Shop=shop, www.shop.example=shop
`,
    })
  })

  afterAll(async () => {
    await daemon[Symbol.asyncDispose]()
    ca[Symbol.dispose]()
    await op.close()
  })

  function connectAs(identity: Issued, listener = ONE_REALM, dialect: DialectName = 'json') {
    return Wire.connect({ port: daemon.portOf(listener), tls: ca.client(identity) }, dialect)
  }

  /** Connects and sends a ping. @returns what came back, until the daemon closed */
  async function tryAs(
    tls: Identity,
    listener = ONE_REALM,
  ): Promise<{ reply: string; code: string }> {
    const socket = connectTls({ host: '127.0.0.1', port: daemon.portOf(listener), ...tls })
    let reply = ''
    let code = 'closed'
    socket.on('secureConnect', () => socket.write(ping))
    socket.on('data', (chunk) => {
      reply += chunk
      socket.end()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      code = error.code ?? ''
    })
    // Not once(): an error before would reject it.
    await new Promise((resolve) => socket.on('close', resolve))
    return { reply, code }
  }

  function refusals(listener: string) {
    return daemon.log.filter(({ msg, listener: of }) => msg === 'TLS refused' && of === listener)
  }

  /** Resolves when a refusal with this reason follows those that were in the log before. */
  async function refusedWith(listener: string, before: number, reason: RegExp) {
    await expect
      .poll(() => refusals(listener).slice(before))
      .toContainEqual(expect.objectContaining({ reason: expect.stringMatching(reason) }))
  }

  test.each<DialectName>(['json', 'msgpack'])('logs a user in over %s', async (dialect) => {
    using wire = await connectAs(shop, ONE_REALM, dialect)
    expect((wire.socket as TLSSocket).getProtocol()).toBe('TLSv1.3')
    const { oxd_id } = await wire.ok('register_site', {
      op_host: op.issuer,
      authorization_redirect_uri: 'https://site.example/callback',
    })
    const login = await wire.ok('get_authorization_url', { oxd_id })
    const { sub } = await wire.ok('get_tokens_by_callback', {
      oxd_id,
      callback: await new EndUser().logIn(login.authorization_url),
      binding: login.binding,
    })
    expect(sub).toBe('alice')
  })

  test('answers who half-closes after a request', async () => {
    const socket = connectTls({
      host: '127.0.0.1',
      port: daemon.portOf(ONE_REALM),
      ...ca.client(shop),
    })
    await once(socket, 'secureConnect')
    socket.end(ping)
    let reply = ''
    for await (const chunk of socket) reply += chunk
    expect(JSON.parse(reply)).toMatchObject({ id: 1, status: 'ok' })
  })

  test('does not take a session up again: its certificate is looked at each time', async () => {
    const options = { host: '127.0.0.1', port: daemon.portOf(ONE_REALM), ...ca.client(shop) }
    const first = connectTls(options)
    const session = once(first, 'session')
    first.once('secureConnect', () => first.write(ping))
    const [ticket] = await session
    first.destroy()
    const second = connectTls({ ...options, session: ticket })
    await once(second, 'secureConnect')
    expect(second.isSessionReused()).toBe(false)
    second.destroy()
  })

  test.each<[what: string, wanted: Wanted, reason: RegExp]>([
    ['an expired one', { days: [-9, -1], usage: 'clientAuth' }, /^CERT_HAS_EXPIRED$/],
    ['one of tomorrow', { days: [1, 9], usage: 'clientAuth' }, /^CERT_NOT_YET_VALID$/],
    ['one for servers', { usage: 'serverAuth' }, /^INVALID_PURPOSE$/],
  ])('refuses as a certificate %s', async (_, wanted, reason) => {
    const before = refusals('remote').length
    const identity = ca.issue('wrong', { san: 'DNS:shop.example', ...wanted })
    expect((await tryAs(ca.client(identity))).reply).toBe('')
    await refusedWith('remote', before, reason)
  })

  test('refuses who has none', async () => {
    const before = refusals('remote').length
    expect(await tryAs(ca.client())).toEqual({
      reply: '',
      code: expect.stringMatching(/CERTIFICATE_REQUIRED|ECONNRESET|EPIPE/),
    })
    await refusedWith('remote', before, /DID_NOT_RETURN_A_CERTIFICATE/)
  })

  test.each(['/CN=Another CA', '/CN=Test CA'])(
    'refuses a certificate of a foreign CA that is called %s',
    async (subject) => {
      using foreign = new TestCa(subject)
      const identity = foreign.issue('shop', { san: 'DNS:shop.example', usage: 'clientAuth' })
      const before = refusals('remote').length
      const { cert, key } = foreign.client(identity)
      const { reply } = await tryAs({ ...ca.client(), ...(cert && key && { cert, key }) })
      expect(reply).toBe('')
      await refusedWith('remote', before, /SELF_SIGNED|UNABLE_TO|SIGNATURE/)
    },
  )

  test('refuses TLS 1.2', async () => {
    const before = refusals('remote').length
    const tls = { ...ca.client(shop), maxVersion: 'TLSv1.2' as const }
    expect(await tryAs(tls)).toEqual({ reply: '', code: expect.stringMatching(/PROTOCOL_VERSION/) })
    await refusedWith('remote', before, /UNSUPPORTED_PROTOCOL/)
  })

  test('refuses plain TCP, and logs none of its bytes', async () => {
    const before = refusals('remote').length
    const socket = connect(daemon.portOf(ONE_REALM), '127.0.0.1')
    socket.on('error', () => {})
    socket.write('{"command":"words of a stranger"}\n')
    let reply = ''
    socket.on('data', (chunk) => {
      reply += chunk.toString('latin1')
    })
    await closed(socket)
    expect(reply).not.toContain('relyd')
    await refusedWith('remote', before, /^ERR_SSL_\w+$/)
    expect(JSON.stringify(daemon.log)).not.toContain('stranger')
  })

  test('is no harm to a listener without: a hello is refused there in words', async () => {
    expect((await tryAs({ ...ca.client(shop) }, 1)).reply).toBe('')
    const socket = connect(daemon.port, '127.0.0.1')
    socket.end(Buffer.from('16030100f8010000f40303', 'hex'))
    let reply = ''
    for await (const chunk of socket) reply += chunk
    expect(JSON.parse(reply)).toMatchObject({ status: 'error', data: { error: 'invalid_frame' } })
    using wire = await Wire.connect({ port: daemon.port })
    await wire.ok('ping')
  })

  test('bounds handshakes as it bounds connections: strangers hold no more places', async () => {
    await using small = await startAnother('connections = 1')
    const port = small.portOf(ONE_REALM)
    // Three of one connection, as realms have shares, and fifty that would be told.
    const silent = Array.from({ length: 60 }, () => connect(port, '127.0.0.1'))
    for (const socket of silent) socket.on('error', () => {})
    await expect.poll(() => silent.filter(({ closed }) => closed).length).toBe(7)
    for (const socket of silent) socket.destroy()
    await expect
      .poll(async () => {
        using wire = await Wire.connect({ port, tls: ca.client(shop) })
        const { status } = await wire.call('ping')
        return status
      })
      .toBe('ok')
  })

  test("gives each certificate's name its realm", async () => {
    const blog = ca.issue('blog', { san: 'DNS:other.example, DNS:BLOG.example' })
    using wire = await connectAs(shop, BY_NAME)
    using other = await connectAs(blog, BY_NAME)
    const oxd_id = await registerIssued(wire, op)
    expect((await wire.ok('get_site', { oxd_id })).oxd_id).toBe(oxd_id)
    const { request_id: _, ...never } = await other.refused('get_site', { oxd_id: 'never' })
    const foreign = await other.refused('get_site', { oxd_id })
    expect(foreign).toEqual({ ...never, request_id: expect.any(String) })
    using third = await connectAs(ca.issue('old', { subject: '/CN=old shop' }), BY_NAME)
    await third.ok('get_site', { oxd_id })
  })

  test.each<[what: string, wanted: Wanted]>([
    ['another name', { san: 'DNS:evil.example' }],
    ['a name below a listed one', { san: 'DNS:a.shop.example' }],
    ['a wildcard', { san: 'DNS:*.shop.example' }],
    [
      'a listed name as CN beside other names',
      { subject: '/CN=shop.example', san: 'DNS:e.example' },
    ],
    ['a listed name as CN beside an address', { subject: '/CN=shop.example', san: 'IP:10.0.0.1' }],
    ['a listed name in a URI', { san: 'URI:https://shop.example, email:shop.example@e.example' }],
    // CVE-2021-44532: one name that reads like two once it is text.
    ['a comma in its name', { san: rawDnsName('evil.example, DNS:shop.example') }],
    ['quotes in its name', { san: rawDnsName('evil.example", DNS:"shop.example') }],
    ['a NUL in its name', { san: rawDnsName('shop.example\0.evil.example') }],
    ['a line feed in its CN', { subject: '/CN=evil\nCN=old shop' }],
    ['names of two realms', { san: 'DNS:shop.example, DNS:blog.example' }],
  ])('refuses a certificate with %s', async (_, wanted) => {
    const before = refusals('by_name').length
    const identity = ca.issue('unlisted', wanted)
    expect((await tryAs(ca.client(identity), BY_NAME)).reply).toBe('')
    await refusedWith('by_name', before, /^name_not_in_certificate_realms$/)
  })

  test('is closed by a stopping daemon whatever state its connections are in', async () => {
    await using stopping = await startAnother()
    const port = stopping.portOf(ONE_REALM)
    const silent = connect(port, '127.0.0.1')
    const halfway = connect(port, '127.0.0.1')
    for (const socket of [silent, halfway]) socket.on('error', () => {})
    halfway.write(Buffer.from('16030100f8010000f40303', 'hex'))
    using idle = await Wire.connect({ port, tls: ca.client(shop) })
    await idle.ok('ping')
    const ends = [silent, halfway].map(closed)
    expect(await stopping.stop()).toBe(0)
    await Promise.all([...ends, idle.closed])
    expect(stopping.log.filter(({ level }) => level >= 50)).toEqual([])
    expect(stopping.log.at(-1)?.msg).toBe('stopped')
  })

  test('answers while it drains, and tells those under way to come again', async () => {
    await using stopping = await startAnother()
    using wire = await Wire.connect({ port: stopping.portOf(ONE_REALM), tls: ca.client(shop) })
    await wire.ok('ping')
    const replies = Array.from({ length: 50 }, () => wire.call('ping'))
    const stopped = stopping.stop()
    const outcomes = (await Promise.all(replies)).map(({ status, data }) => data.error ?? status)
    expect(outcomes.filter((one) => one !== 'ok' && one !== 'shutting_down')).toEqual([])
    expect(await stopped).toBe(0)
  })

  function startAnother(line = ''): Promise<TestDaemon> {
    const server = ca.issue('another', { san: 'IP:127.0.0.1' })
    return TestDaemon.start({
      sections: `[listener remote]
address = tcp:127.0.0.1:0
tls_certificate = ${server.certificate}
tls_key = ${server.key}
tls_client_ca = ${ca.certificate}
${line}
`,
    })
  }
})
