/** The SDK and a daemon on another host: a login over TLS, and what a developer is told when there is none. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import { join } from 'node:path'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { Connection } from '../../sdk/src/connection.js'
import { Client } from '../../sdk/src/index.js'
import { hasOpenssl, type Issued, TestCa } from '../support/certificates.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'

/** Places of the listeners in the configuration. */
const TLS = 2
const SMALL = 3

describe.skipIf(!hasOpenssl())('over TLS', () => {
  let op: Op
  let ca: TestCa
  let daemon: TestDaemon
  let site: Issued
  let cfgs = 0

  beforeAll(async () => {
    op = await startOp()
    ca = new TestCa()
    const server = ca.issue('server', { san: 'IP:127.0.0.1', usage: 'serverAuth' })
    site = ca.issue('site', { san: 'DNS:shop.example', usage: 'clientAuth' })
    daemon = await TestDaemon.start({
      sections: `[listener remote]
address = tcp:127.0.0.1:0
tls_certificate = ${server.certificate}
tls_key = ${server.key}
tls_client_ca = ${ca.certificate}
certificate_realms = shop.example=shop
[listener small]
address = tcp:127.0.0.1:0
tls_certificate = ${server.certificate}
tls_key = ${server.key}
tls_client_ca = ${ca.certificate}
connections = 1
`,
    })
  })

  afterAll(async () => {
    await daemon[Symbol.asyncDispose]()
    ca[Symbol.dispose]()
    await op.close()
  })

  /** A client whose cfg has these in [oxd], over what would work. */
  function newClient(oxd: Record<string, string | number> = {}): Client {
    const keys = {
      host: '127.0.0.1',
      port: daemon.portOf(TLS),
      tls_ca: ca.certificate,
      tls_certificate: site.certificate,
      tls_key: site.key,
      ...oxd,
    }
    cfgs += 1
    const cfg = join(daemon.folder, `site${cfgs}.cfg`)
    const lines = Object.entries(keys).map(([key, value]) => `${key} = ${value}\n`)
    writeFileSync(
      cfg,
      `[oxd]\n${lines.join('')}[client]\nop_host = ${op.issuer}\nauthorization_redirect_uri = http://site.example/callback\n`,
    )
    const client = new Client(cfg)
    onTestFinished(() => client.close())
    return client
  }

  /** Something else that speaks TLS. */
  async function listen(
    { certificate, key }: Issued,
    accept = (_: TLSSocket) => {},
    options: TlsOptions = {},
  ) {
    const files = { cert: readFileSync(certificate), key: readFileSync(key) }
    const server = createServer({ ...files, ...options }, accept).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    return server.address() as AddressInfo
  }

  function identity({ certificate, key }: Issued) {
    return { tls_certificate: certificate, tls_key: key }
  }

  async function refusal(client: Client): Promise<string> {
    const error = await client.getAuthorizationUrl().then(
      () => new Error('not refused'),
      (error) => error,
    )
    expect(error).toMatchObject({
      name: 'TransportError',
      code: 'ERR_UNREACHABLE',
      outcome: 'not_executed',
    })
    return error.message
  }

  test('a login by the typed methods', async () => {
    const client = newClient()
    const { authorization_url, set_cookie } = await client.getAuthorizationUrl()
    const login = await client.getTokensByCallback({
      callback: await new EndUser().logIn(authorization_url),
      cookie: set_cookie.split(';', 1)[0],
    })
    expect(login.sub).toBe('alice')
    await expect
      .poll(() => daemon.log)
      .toContainEqual(expect.objectContaining({ command: 'get_tokens_by_callback', realm: 'shop' }))
  })

  test.each<[what: string, make: () => Issued]>([
    ['expired', () => ca.issue('expired', { san: 'DNS:shop.example', days: [-9, -1] })],
    ['for servers', () => ca.issue('server2', { san: 'DNS:shop.example', usage: 'serverAuth' })],
    ['of an unlisted name', () => ca.issue('unlisted', { san: 'DNS:blog.example' })],
  ])('a certificate %s is named', async (_, make) => {
    const refused = make()
    expect(await refusal(newClient(identity(refused)))).toMatch(
      new RegExp(`does not accept the certificate ${refused.certificate}.*tls_client_ca`),
    )
  })

  test('no command goes out before a reply shows that the certificate was accepted', async () => {
    let sent = ''
    const { port } = await listen(ca.issue('honest', { san: 'IP:127.0.0.1' }), (socket) => {
      socket.on('data', (chunk) => {
        sent += chunk.toString('latin1')
        // Slow to refuse, as a daemon under load may be.
        setTimeout(() => socket.destroy(), 50)
      })
    })
    await refusal(newClient({ port }))
    expect(sent).toMatch(/ping/)
    expect(sent).not.toMatch(/register_site|get_authorization_url/)
  })

  test('a peer that leaves the handshake unanswered is given up, and at once with the client', async () => {
    const mute = createNetServer().listen(0, '127.0.0.1')
    await once(mute, 'listening')
    onTestFinished(() => void mute.close())
    const { port } = mute.address() as AddressInfo
    const files = { tls_ca: ca.certificate, ...identity(site) }
    const connection = new Connection({ host: '127.0.0.1', port, tls: files }, 30_000, {
      open_ms: 50,
      silence_ms: 50,
      patience: { unmet: 200, lost: 200, stopping: 200 },
    })
    const call = connection.call('ping', {}, 'safe')
    await expect(call).rejects.toMatchObject({ code: 'ERR_UNREACHABLE', outcome: 'not_executed' })
    await expect(call).rejects.toThrow(/does not answer: a firewall .* or relyd hangs/)
    await connection.close()
    const client = newClient({ port })
    const accepted = once(mute, 'connection')
    const pending = client.ping()
    await accepted
    await Promise.all([
      client.close(),
      expect(pending).rejects.toMatchObject({ code: 'ERR_CLOSED', outcome: 'not_executed' }),
    ])
  })

  test('a listener that is full says so, and no command was sent', async () => {
    const port = daemon.portOf(SMALL)
    const first = newClient({ port })
    await first.ping()
    await expect(newClient({ port }).getAuthorizationUrl()).rejects.toThrow(
      /relyd refused the connection: 1 connections are open, the most that .*\[listener small\]/,
    )
    await first.close()
  })

  test('a daemon of another CA is not talked to', async () => {
    using other = new TestCa('/CN=Other CA')
    const message = await refusal(newClient({ tls_ca: other.certificate }))
    expect(message).toContain(`is not of the CA in ${other.certificate}`)
  })

  test('a daemon of another name is not talked to', async () => {
    const message = await refusal(newClient({ host: 'localhost' }))
    expect(message).toMatch(/certificate of localhost:\d+ is not for localhost; correct "host"/)
  })

  test('a daemon whose certificate has expired is not talked to', async () => {
    const expired = ca.issue('expired_server', { san: 'IP:127.0.0.1', days: [-9, -1] })
    const { port } = await listen(expired)
    expect(await refusal(newClient({ port }))).toMatch(/not valid now.*renew relyd's tls_certif/)
  })

  test('a peer that has no TLS 1.3 is not talked to', async () => {
    const old = ca.issue('old', { san: 'IP:127.0.0.1' })
    const { port } = await listen(old, () => {}, { maxVersion: 'TLSv1.2' })
    expect(await refusal(newClient({ port }))).toMatch(/does not speak TLS 1\.3; is it relyd's\?/)
  })

  test('a port without TLS is told apart', async () => {
    expect(await refusal(newClient({ port: daemon.port }))).toMatch(
      /does not speak TLS: relyd's listener there needs tls_certificate/,
    )
  })

  test('without its keys in the cfg the port of TLS is hinted at', async () => {
    const client = newClient({ tls_ca: '', tls_certificate: '', tls_key: '' })
    await expect(client.ping()).rejects.toThrow(/listener there has TLS.*needs tls_ca/)
  })

  test('a renewed certificate serves the next connection, a lost one is named', async () => {
    const certificate = join(daemon.folder, 'renewed.crt')
    copyFileSync(site.certificate, certificate)
    const client = newClient({ tls_certificate: certificate })
    await client.ping()
    await daemon.stop()
    const { certificate: renewed, key } = ca.issue('renewed', { san: 'DNS:shop.example' })
    copyFileSync(renewed, certificate)
    await daemon.start()
    // Its port is the kernel's choice again.
    const again = newClient({ tls_certificate: certificate, tls_key: key })
    await again.ping()
    await again.close()
    const third = newClient({ tls_certificate: certificate, tls_key: key })
    rmSync(certificate)
    expect(await refusal(third)).toMatch(`tls_certificate: ${certificate} cannot be read (ENOENT)`)
  })

  test('the certificates of docs/tls.md serve as it says', async () => {
    const page = readFileSync(new URL('../../docs/tls.md', import.meta.url), 'utf8')
    const blocks = (language: string) =>
      [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, text]) =>
        (text as string).replaceAll('relyd.example.com', 'localhost'),
      )
    await using other = new TestDaemon({
      sections: (blocks('ini')[0] as string)
        .replaceAll('/etc/relyd/tls', '{folder}')
        .replace('0.0.0.0:8099', '127.0.0.1:0'),
    })
    execFileSync('sh', ['-ec', blocks('sh').join('')], { cwd: other.folder, stdio: 'pipe' })
    await other.start()
    const cfg = join(other.folder, 'site.cfg')
    writeFileSync(
      cfg,
      `${(blocks('ini')[1] as string).replace('8099', String(other.portOf(TLS)))}[client]\nauthorization_redirect_uri = http://site.example/callback\n`,
    )
    await using client = new Client(cfg)
    expect(await client.ping()).toEqual({ version: expect.any(String) })
    const mode = statSync(join(other.folder, 'relyd.key')).mode & 0o777
    expect(mode).toBe(0o600)
  })
})
