/** SIGHUP: the running daemon takes relyd.cfg over without losing a connection, and never ends by it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { BentOp, BentSite } from '../support/bent_op/index.js'
import { hasOpenssl, TestCa } from '../support/certificates.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'
import { redirect_uri, registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

const PROGRAM = fileURLToPath(new URL('../../daemon/dist/main.js', import.meta.url))

let op: Op

beforeAll(async () => {
  op = await startOp()
})
afterAll(() => op.close())

function edit({ config }: TestDaemon, change: (text: string) => string): void {
  writeFileSync(config, change(readFileSync(config, 'utf8')))
}

const setDaemon = (line: string) => (text: string) =>
  text.replace('[daemon]\n', `[daemon]\n${line}\n`)
const setRealm = (line: string) => (text: string) =>
  text.replace('[realm default]\n', `[realm default]\n${line}\n`)

/** Sends SIGHUP. @returns the line of the log that tells what came of it */
async function hangUp(daemon: TestDaemon) {
  const lines = () => daemon.log.filter(({ msg }) => /^(not )?reloaded/.test(msg))
  const before = lines().length
  process.kill(daemon.pid, 'SIGHUP')
  await expect.poll(() => lines().length, { interval: 5, timeout: 10_000 }).toBe(before + 1)
  return lines().at(-1)
}

test('a realm that serves no oxd clients any more runs nothing for those that are connected', async () => {
  await using daemon = await startOxdDaemon()
  using wire = await Wire.connect(daemon.socket)
  const oxd_id = await registerIssued(wire, op)
  using client = await OxdWire.connect(daemon.socket)
  await client.ok('get_authorization_url', { oxd_id })
  edit(daemon, (text) => text.replace('oxd_clients = 3.1', ''))
  await hangUp(daemon)
  for (const command of ['get_authorization_url', 'remove_site']) {
    expect(await client.refused(command, { oxd_id })).toEqual({
      error: 'unsupported_operation',
      error_description: expect.stringContaining('oxd_clients'),
    })
  }
  await wire.ok('get_authorization_url', { oxd_id })
})

test('a changed file is taken over by connections that are open, and what cannot be is named', async () => {
  await using daemon = await TestDaemon.start()
  using wire = await Wire.connect(daemon.socket)
  const oxd_id = await registerIssued(wire, op)
  const maxAge = async () => {
    const { set_cookie } = await wire.ok('get_authorization_url', { oxd_id })
    return /Max-Age=(\d+)/.exec(set_cookie)?.[1]
  }
  expect(await maxAge()).toBe('600')
  edit(daemon, setDaemon('login_lifetime = 77\ndatabase = store/other.db'))
  expect(await hangUp(daemon)).toMatchObject({
    level: 40,
    changed: { '[daemon] login_lifetime': { from: '600', to: '77' } },
    needs_restart: ['[daemon] database'],
  })
  expect(await maxAge()).toBe('77')
  // The old one is the operator's last word on the database until the daemon is started again.
  const status = await relyd(['status', '--json', '--config', daemon.config])
  expect(JSON.parse(status.stdout).database).toBe(join(daemon.folder, 'state', 'store', 'relyd.db'))
})

test('a bad file changes nothing, is told with its line, and the daemon goes on', async () => {
  await using daemon = await TestDaemon.start()
  using wire = await Wire.connect(daemon.socket)
  edit(daemon, setDaemon('login_lifetime = 77\nlogin_lifetim = 5'))
  expect(await hangUp(daemon)).toMatchObject({
    level: 50,
    error: `${daemon.config}:3: unknown option "login_lifetim" in [daemon]; did you mean login_lifetime?`,
  })
  const oxd_id = await registerIssued(wire, op)
  const { set_cookie } = await wire.ok('get_authorization_url', { oxd_id })
  expect(set_cookie).toContain('Max-Age=600')
})

test('what the next start would refuse is refused at once', async () => {
  await using daemon = await TestDaemon.start()
  edit(daemon, setDaemon('login_lifetime = 77\nkey_file = store/store.key'))
  expect(await hangUp(daemon)).toMatchObject({
    level: 50,
    error: expect.stringMatching(/^The key file .* lies in the database's folder/),
  })
})

test('log_level and drain_timeout hold from then on', async () => {
  await using daemon = await TestDaemon.start()
  using wire = await Wire.connect(daemon.socket)
  edit(daemon, setDaemon('log_level = warn\ndrain_timeout = 0'))
  await hangUp(daemon)
  const lines = daemon.log.length
  await wire.ok('ping')
  expect(daemon.log.length).toBe(lines)
  const begun = wire.call('ping')
  expect(await daemon.stop()).toBe(0)
  await begun.catch(() => {})
  expect(daemon.log.slice(lines)).toEqual([
    expect.objectContaining({ msg: 'cut, as drain_timeout was over' }),
  ])
})

describe('a host that is taken from allowed_op_hosts', () => {
  test.skipIf(!hasOpenssl())(
    'is called no more, though connections to it are open and its documents known',
    async () => {
      using ca = new TestCa()
      await using bent = await BentOp.start({ alg: 'ES256', tls: ca.server('localhost') })
      const { host } = new URL(bent.issuer)
      await using daemon = await TestDaemon.start({
        daemon: { insecure_op_hosts: '' },
        sections: `[realm default]\nallowed_op_hosts = ${host}\n`,
        env: { NODE_EXTRA_CA_CERTS: ca.certificate },
      })
      using wire = await Wire.connect(daemon.socket)
      const site = await BentSite.register(wire, bent)
      const { session_id } = await site.accepts()
      const begun = await site.begin()
      const asked = bent.asked.length
      edit(daemon, (text) => text.replace(`allowed_op_hosts = ${host}`, ''))
      expect(await hangUp(daemon)).toMatchObject({
        changed: { '[realm default] allowed_op_hosts': { from: host, to: 'none' } },
      })
      const { oxd_id } = site
      const refusals = await Promise.all([
        wire.refused('get_user_info', { oxd_id, session_id }),
        wire.refused('get_tokens_by_callback', begun),
        wire.refused('get_authorization_url', { oxd_id }),
      ])
      for (const { error } of refusals) expect(error).toBe('op_host_not_allowed')
      expect(bent.asked.length).toBe(asked)
      edit(daemon, setRealm(`allowed_op_hosts = ${host}`))
      await hangUp(daemon)
      await site.accepts()
    },
  )
})

test('tokens = daemon holds at once, also for logins that have begun', async () => {
  await using daemon = await TestDaemon.start()
  using wire = await Wire.connect(daemon.socket)
  const { oxd_id } = await wire.ok('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri: redirect_uri,
  })
  const logIn = async (change: () => Promise<unknown>) => {
    const { authorization_url, binding } = await wire.ok('get_authorization_url', { oxd_id })
    const callback = await new EndUser().logIn(authorization_url)
    await change()
    return wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
  }
  const before = await logIn(async () => {})
  expect(before).toHaveProperty('access_token')
  const after = await logIn(async () => {
    edit(daemon, setRealm('tokens = daemon'))
    await hangUp(daemon)
  })
  expect(Object.keys(after).filter((name) => name.endsWith('_token'))).toEqual([])
  // The sessions of before live on, by their id.
  for (const { session_id } of [before, after]) {
    expect((await wire.ok('get_user_info', { oxd_id, session_id })).claims.sub).toBe('alice')
  }
})

test('reloads in a row, under load, cost no command', async () => {
  await using daemon = await TestDaemon.start({ record: false })
  using wire = await Wire.connect(daemon.socket, 'msgpack')
  const oxd_id = await registerIssued(wire, op)
  const lifetimes = new Set<string>()
  const ask = async () => {
    const { set_cookie } = await wire.ok('get_authorization_url', { oxd_id })
    lifetimes.add(String(/Max-Age=(\d+)/.exec(set_cookie)?.[1]))
  }
  const text = readFileSync(daemon.config, 'utf8')
  for (let n = 0; n < 20; n += 1) {
    const load = Promise.all(Array.from({ length: 32 }, ask))
    writeFileSync(
      daemon.config,
      setDaemon(`login_lifetime = ${100 + n}\nop_timeout = ${1 + n}`)(text),
    )
    // Two signals before the first is seen count as one, as signals do.
    process.kill(daemon.pid, 'SIGHUP')
    process.kill(daemon.pid, 'SIGHUP')
    await load
  }
  // The last one comes after the last file, whatever became one with another before.
  const last = () => JSON.stringify(daemon.log.filter(({ msg }) => msg === 'reloaded'))
  await expect.poll(last, { timeout: 10_000 }).toContain('"to":"119"')
  await ask()
  expect(lifetimes.size).toBeGreaterThan(2)
  expect([...lifetimes]).toContain('119')
})

test('one during the start is answered after it, and one during the stop ends nothing', async () => {
  await using daemon = new TestDaemon()
  const child = spawn(process.execPath, [PROGRAM, 'serve', '--config', daemon.config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const told: string[] = []
  const lines = createInterface(child.stdout)
  const isReady = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      const { msg } = JSON.parse(line)
      told.push(msg)
      // The store is opened first, the sockets later.
      if (msg === 'store open') child.kill('SIGHUP')
      if (msg.startsWith('reloaded')) resolve()
    })
  })
  await isReady
  expect(told.indexOf('reloaded')).toBeGreaterThan(told.indexOf('ready'))
  // Its connection keeps the daemon for a moment.
  using _wire = await Wire.connect(daemon.socket)
  child.kill('SIGTERM')
  await expect.poll(() => told, { timeout: 10_000 }).toContain('stopping')
  child.kill('SIGHUP')
  const [code] = await once(child, 'close')
  expect(code).toBe(0)
  expect(told).toContain('not reloaded, as the daemon is stopping')
})

test.skipIf(!hasOpenssl())(
  'TLS files are read anew; those that cannot serve refuse the whole',
  async () => {
    using ca = new TestCa()
    const wanted = { san: 'DNS:localhost, IP:127.0.0.1', usage: 'serverAuth' } as const
    const [first, second] = [ca.issue('first', wanted), ca.issue('second', wanted)]
    const client = ca.client(ca.issue('shop', { san: 'DNS:shop.example', usage: 'clientAuth' }))
    const install = (
      { folder }: TestDaemon,
      { certificate, key }: { certificate: string; key: string },
    ) => {
      copyFileSync(certificate, join(folder, 'relyd.crt'))
      copyFileSync(key, join(folder, 'relyd.key'))
    }
    await using daemon = new TestDaemon({
      sections: `[listener remote]\naddress = tcp:127.0.0.1:0\ntls_certificate = {folder}/relyd.crt\ntls_key = {folder}/relyd.key\ntls_client_ca = ${ca.certificate}\n`,
    })
    install(daemon, first)
    await daemon.start()
    const shown = async () => {
      const socket = connectTls({ port: daemon.portOf(2), host: '127.0.0.1', ...client })
      await once(socket, 'secureConnect')
      const { serialNumber } = socket.getPeerCertificate()
      socket.destroy()
      return serialNumber
    }
    const before = await shown()
    install(daemon, second)
    expect(await hangUp(daemon)).toMatchObject({ certificates: ['remote'], changed: {} })
    const after = await shown()
    expect(after).not.toBe(before)

    copyFileSync(first.key, join(daemon.folder, 'relyd.key'))
    edit(daemon, setDaemon('login_lifetime = 77'))
    expect(await hangUp(daemon)).toMatchObject({
      level: 50,
      error: expect.stringContaining('[listener remote] tls_key'),
    })
    expect(await shown()).toBe(after)
    // Who shows no certificate is as unwelcome as before.
    using anybody = await Wire.connect({
      port: daemon.portOf(2),
      tls: { ca: client.ca },
    }).catch(() => ({ closed: Promise.resolve(), [Symbol.dispose]() {} }))
    await anybody.closed
  },
)
