/** `relyd doctor` and OPs that are broken in every way, and sites whose registrations are. */
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { answers, BentOp, BentSite, html, withMembers } from '../support/bent_op/index.js'
import { hasOpenssl, TestCa } from '../support/certificates.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { type Examined, examine, expectFinding } from '../support/doctor.js'
import { freePort } from '../support/free_port.js'
import { Wire } from '../support/wire.js'

describe.skipIf(!hasOpenssl())('OPs', () => {
  const ca = new TestCa()
  const other_ca = new TestCa('/CN=Another CA')
  const trust = { NODE_EXTRA_CA_CERTS: ca.certificate }
  let daemon: TestDaemon
  let config: string

  beforeAll(async () => {
    daemon = await TestDaemon.start({ daemon: { insecure_op_hosts: '' }, env: trust })
    // What lies at loopback may be called, as an OP in the operator's own network.
    config = join(daemon.folder, 'own.cfg')
    const text = readFileSync(daemon.config, 'utf8')
    const allowed = '[realm default]\nallowed_op_hosts = localhost, 127.0.0.1, nowhere.invalid'
    writeFileSync(config, text.replace('[realm default]', allowed))
  })
  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]()
    ca[Symbol.dispose]()
    other_ca[Symbol.dispose]()
  })

  const look = (...ops: string[]): Promise<Examined> => examine(config, ['--op', ...ops], trust)

  /** An OP with the certificate that is issued for this. */
  async function opWith(
    authority: TestCa,
    name: string,
    days: [number, number] = [-1, 100],
    san = 'DNS:localhost',
  ): Promise<BentOp> {
    const { key, certificate } = authority.issue(name, { san, usage: 'serverAuth', days })
    const tls = { key: readFileSync(key), cert: readFileSync(certificate) }
    const op = await BentOp.start({ tls })
    onTestFinished(() => op[Symbol.asyncDispose]())
    return op
  }

  test('each trouble is told apart, with its cure', async () => {
    const expired = await opWith(ca, 'expired', [-9, -1])
    const foreign = await opWith(other_ca, 'foreign')
    const misnamed = await opWith(ca, 'misnamed', [-1, 100], 'DNS:op.example')
    const sorry = await opWith(ca, 'sorry')
    sorry.bend({ discovery: answers(html()) })
    const renamed = await opWith(ca, 'renamed')
    renamed.bend({ discovery: withMembers({ issuer: 'https://op.example' }) })
    const keyless = await opWith(ca, 'keyless')
    keyless.bend({ jwks: answers(html(500)) })
    const good = await opWith(ca, 'good')
    const plain = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void plain.close())
    await once(plain, 'listening')
    const without_tls = `https://127.0.0.1:${(plain.address() as AddressInfo).port}`
    const refusing = `https://localhost:${await freePort()}`

    const all = [expired, foreign, misnamed, sorry, renamed, keyless, good].map((op) => op.issuer)
    const others = [
      without_tls,
      refusing,
      'https://nowhere.invalid',
      'https://10.0.0.1',
      'http://localhost',
    ]
    const examined = await look(...all, ...others)
    const named = (op: string, what: RegExp, cure: RegExp) =>
      expectFinding(examined, { severity: 'fault', about: `OP ${op}`, what, cure })
    named(
      expired.issuer,
      /TLS certificate has expired/,
      /renew its certificate.*clock of this host/,
    )
    named(foreign.issuer, /CA that is not trusted here/, /NODE_EXTRA_CA_CERTS/)
    named(misnamed.issuer, /certificate is for another name/, /name the OP as its certificate does/)
    named(sorry.issuer, /not JSON|does not answer OpenID Connect metadata/, /curl -v/)
    named(renamed.issuer, /says that its issuer is https:\/\/op\.example/, /to the letter/)
    named(keyless.issuer, /its keys cannot be used/, /jwks_uri/)
    named(without_tls, /speaks no TLS/, /host and port/)
    named(refusing, /connection refused/, /whether it runs/)
    named('https://nowhere.invalid', /name does not resolve|no name server/, /resolv\.conf/)
    named('https://10.0.0.1', /its address is not a public one/, /allowed_op_hosts/)
    named('http://localhost', /must be an https address/, /https:/)
    const ops = examined.findings.filter(({ check }) => check === 'ops')
    expect(ops).toHaveLength(all.length + others.length - 1)
  })

  test("a clock that is not the OP's", async () => {
    const now = Date.now()
    const ahead = await opWith(ca, 'ahead')
    const behind = await opWith(ca, 'behind')
    const kept = await opWith(ca, 'kept')
    const date = (seconds: number, age = '0') => ({
      discovery: (answer: {
        headers: Record<string, string>
        status: number
        body: object | string | Buffer
      }) => ({
        ...answer,
        headers: { ...answer.headers, date: new Date(now + seconds * 1000).toUTCString(), age },
      }),
    })
    ahead.bend(date(600))
    behind.bend(date(-30))
    // Of a cache that has had it for an hour.
    kept.bend(date(-3600, '3600'))
    const examined = await look(ahead.issuer, behind.issuer, kept.issuer)
    expectFinding(examined, {
      severity: 'fault',
      about: `OP ${ahead.issuer}`,
      what: /this host's clock is (59\d|600) seconds behind the OP's, and logins fail/,
      cure: /timedatectl set-ntp true/,
    })
    expectFinding(examined, {
      severity: 'warning',
      about: `OP ${behind.issuer}`,
      what: /clock is (29|3\d) seconds ahead of the OP's; from 60 on logins fail/,
      cure: /timedatectl set-ntp true/,
    })
    expect(examined.findings.filter(({ check }) => check === 'ops')).toHaveLength(2)
  })

  test('a proxy that is not there', async () => {
    const op = await opWith(ca, 'proxied')
    const proxy = `http://127.0.0.1:${await freePort()}`
    const path = join(daemon.folder, 'proxied.cfg')
    writeFileSync(
      path,
      readFileSync(config, 'utf8').replace('[daemon]', `[daemon]\nproxy = ${proxy}`),
    )
    expectFinding(await examine(path, ['--op', op.issuer], trust), {
      severity: 'fault',
      about: `OP ${op.issuer}`,
      what: new RegExp(`connection refused\\) \\(through the proxy ${proxy}\\)`),
      cure: /./,
    })
  })
})

test('sites whose registrations will not do', async () => {
  await using op = await BentOp.start()
  await using second = await BentOp.start()
  await using daemon = await TestDaemon.start()
  using wire = await Wire.connect(daemon.socket)
  const register = (at: BentOp, host: string) =>
    BentSite.register(wire, at, { authorization_redirect_uri: host })
  await register(op, 'http://plain.example/callback')
  await register(op, 'http://localhost:3000/callback')
  await register(op, 'https://shared.example/callback')
  await register(second, 'https://shared.example/callback')
  const now = Math.floor(Date.now() / 1000)
  op.bend({ registration: withMembers({ client_secret_expires_at: now + 5 * 86_400 }) })
  const expiring = await register(op, 'https://expiring.example/callback')
  op.straighten()
  const add = async (name: string, ...args: string[]) => {
    const where = ['--op', op.issuer, '--redirect-uri', `http://${name}.example/callback`]
    const { stderr } = await relyd(['sites', 'add', name, ...where, ...args, '-c', daemon.config])
    expect(stderr).toContain('without TLS')
  }
  await add('issued', '--client-id', 'issued', '--auth-method', 'none')
  await add('registered')

  const examined = await examine(daemon.config)
  const named = (
    severity: 'fault' | 'warning' | 'note',
    about: RegExp,
    what: RegExp,
    cure: RegExp,
  ) => expectFinding(examined, { severity, about, what, cure })
  named('fault', /^site plain\.example /, /without TLS/, /relyd call remove_site/)
  named('fault', /^site issued /, /without TLS/, /relyd sites update issued --redirect-uri URI$/)
  named('fault', /^site registered /, /without TLS/, /: relyd sites remove registered, and relyd/)
  named('note', /^site localhost:3000 /, /browser's own computer/, /development only/)
  named(
    'note',
    /^realm default$/,
    /2 OPs come back to https:\/\/shared\.example\/callback/,
    /get_tokens_by_callback/,
  )
  named('note', /^site expiring\.example /, /client secret expires on 20.*renews/, /journalctl/)
  const text = JSON.stringify(examined)
  for (const secret of [...op.secrets, ...second.secrets, expiring.oxd_id])
    expect(text).not.toContain(secret)
})
