/** `relyd call`: commands of websites and of the operator, and no secret among its arguments. */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readParams } from '../../daemon/src/cli/call_params.js'
import { createProgram } from '../../daemon/src/cli/program.js'
import { commands } from '../../daemon/src/commands/index.js'
import { BentOp, BentSite, withMembers } from '../support/bent_op/index.js'
import { hasOpenssl, TestCa } from '../support/certificates.js'
import { type Ended, relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const PROGRAM = fileURLToPath(new URL('../../daemon/dist/main.js', import.meta.url))
const SECRET = 'hunter2hunter2hunter2'

let op: BentOp
let daemon: TestDaemon
let wire: Wire
let site: BentSite
let session_id: string
let folder: string

beforeAll(async () => {
  op = await BentOp.start()
  daemon = await TestDaemon.start()
  folder = daemon.folder
  wire = await Wire.connect(daemon.socket)
  site = await BentSite.register(wire, op)
  session_id = (await site.accepts()).session_id
})
afterAll(async () => {
  wire?.[Symbol.dispose]()
  await daemon?.[Symbol.asyncDispose]()
  await op?.[Symbol.asyncDispose]()
})

const call = (...args: string[]) => relyd(['call', '-c', daemon.config, ...args])

async function answer(...args: string[]) {
  const { status, stdout, stderr } = await call(...args)
  expect(stderr).toBe('')
  expect(status).toBe(0)
  return JSON.parse(stdout)
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

async function withInput(input: string, ...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [PROGRAM, 'call', '-c', daemon.config, ...args])
  const ended: Ended = { status: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text
  })
  child.stdin.end(input)
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { ...ended, status }
}

describe('what is answered', () => {
  test('is JSON on standard output, of many lines or of one', async () => {
    expect(await answer('ping')).toMatchObject({ version: expect.any(String) })
    const { stdout } = await call('ping', '--compact')
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect((await call('ping')).stdout.split('\n').length).toBeGreaterThan(3)
  })

  test('comes over the socket that was named', async () => {
    const { version } = await answer('ping', '--socket', daemon.socket)
    expect(await answer('ping', '--listener', 'site')).toMatchObject({ version })
    expect(await answer('status', '--admin')).toMatchObject({ pid: daemon.pid })
  })

  test('has secrets where they were asked for', async () => {
    const id = file('session', `${session_id}\n`)
    const session = [`oxd_id=${site.oxd_id}`, `session_id=@${id}`]
    expect(await answer('get_user_info', ...session)).toMatchObject({ claims: { sub: op.sub } })
    const { access_token } = await answer('get_access_token', ...session)
    expect(op.access_tokens).toContain(access_token)
  })

  test('holds nothing that a terminal obeys', async () => {
    const odd = '\u001b[2J\u009b31m\u202e\u{e0001}'
    op.bend({ userinfo: withMembers({ name: odd }) })
    const id = file('session', session_id)
    const { stdout } = await call('get_user_info', `oxd_id=${site.oxd_id}`, `session_id=@${id}`)
    op.straighten()
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(JSON.parse(stdout).claims.name).toBe(odd)
  })
})

describe('parameters', () => {
  test('are typed as the command declares them', async () => {
    const { authorization_url } = await answer(
      'get_authorization_url',
      `oxd_id=${site.oxd_id}`,
      'scope=openid',
      'scope=email',
      'max_age=60',
      'custom_parameters={"audience":"a=b"}',
      'login_hint=@@alice',
    )
    const { searchParams } = new URL(authorization_url)
    expect(Object.fromEntries(searchParams)).toMatchObject({
      scope: 'openid email',
      max_age: '60',
      audience: 'a=b',
      login_hint: '@alice',
    })
  })

  test('of a list may be JSON; of standard input, or of a file, they may be secret', async () => {
    const { stdout } = await withInput(
      `{"oxd_id":"${site.oxd_id}","session_id":"${session_id}"}`,
      'get_user_info',
      '--json',
      '-',
    )
    expect(JSON.parse(stdout)).toMatchObject({ claims: { sub: op.sub } })
    const piped = await withInput(
      `${session_id}\n`,
      'get_user_info',
      `oxd_id=${site.oxd_id}`,
      'session_id=@-',
    )
    expect(JSON.parse(piped.stdout)).toMatchObject({ claims: { sub: op.sub } })
    expect(
      await answer('get_authorization_url', `oxd_id=${site.oxd_id}`, 'scope=["openid","phone"]'),
    ).toMatchObject({ authorization_url: expect.stringContaining('scope=openid%20phone') })
  })

  const marked = Object.entries(commands).flatMap(([name, { params }]) =>
    Object.entries(params).flatMap(([param, field]) =>
      'secret' in field && field.secret ? [[name, param]] : [],
    ),
  )

  test('that are secret by their declaration are refused as arguments, each of them', async () => {
    expect(marked.length).toBeGreaterThan(10)
    for (const [name, param] of marked) {
      const read = () =>
        readParams(commands[name as keyof typeof commands].params, [`${param}=${SECRET}`])
      expect(read).toThrow(new RegExp(`^${param} may hold a secret((?!${SECRET}).)*$`))
    }
  })

  test.each<[string, string[], RegExp]>([
    [
      'a secret',
      ['get_user_info', `session_id=${SECRET}`],
      /session_id may hold a secret.*key=@FILE, key=@- or --json -/,
    ],
    [
      'a callback with a code',
      ['get_tokens_by_callback', `callback=/cb?code=${SECRET}`],
      /callback may hold a secret/,
    ],
    ['a cookie', ['get_tokens_by_callback', `cookie=relyd=${SECRET}`], /cookie may hold a secret/],
    ['an unknown command', ['get_usr_info'], /did you mean get_user_info\?/],
    ['an unknown parameter', ['get_user_info', `sesion_id=${SECRET}`], /did you mean session_id\?/],
    ['no parameter', ['get_user_info', SECRET], /written key=value/],
    ['a wrong number', ['get_authorization_url', 'max_age=soon'], /max_age must be a whole number/],
    ['a wrong word', ['end_session', 'revoke_tokens=yes'], /revoke_tokens must be true or false/],
    ['no JSON', ['get_authorization_url', `claims={"${SECRET}`], /claims is not JSON/],
    ['one twice', ['get_user_info', 'oxd_id=a', 'oxd_id=b'], /oxd_id is given twice/],
    [
      'a missing file',
      ['get_user_info', 'session_id=@/nowhere'],
      /cannot read \/nowhere \(ENOENT\)/,
    ],
    ["a command of the operator's", ['status'], /add --admin/],
    ["a website's, as the operator", ['ping', '--admin'], /leave --admin out/],
    [
      'a listener of TCP',
      ['ping', '--listener', 'tcp'],
      /no listener tcp on a Unix socket \(it has site\); .*--cfg/,
    ],
  ])('%s is refused before anything is sent', async (_, args, why) => {
    // In this process, for there are many; one whole run is below.
    const words = ['call', '-c', daemon.config, ...args]
    const refused = await createProgram()
      .parseAsync(words, { from: 'user' })
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ exit_code: 2, message: expect.stringMatching(why) })
    expect(String(refused)).not.toContain(SECRET)
  })

  test('a refusal goes to standard error, with the exit code of wrong usage', async () => {
    const { status, stdout, stderr } = await call('get_user_info', `session_id=${SECRET}`)
    expect(stderr).toMatch(/^relyd: session_id may hold a secret/)
    expect(stderr).not.toContain(SECRET)
    expect(stdout).toBe('')
    expect(status).toBe(2)
    const two = await call('ping', '--listener', 'site', '--socket', '/x')
    expect(two).toMatchObject({ status: 2, stderr: expect.stringContaining('cannot be used with') })
  })
})

describe('what the daemon refuses', () => {
  test('is told on standard error, with its code', async () => {
    const { status, stdout, stderr } = await call('get_site', 'oxd_id=nobody')
    expect(stderr).toMatch(/^relyd: invalid_oxd_id: /)
    expect(stdout).toBe('')
    expect(status).toBe(1)
  })

  test('a daemon that is not there has an exit code of its own', async () => {
    const { status, stderr } = await call('ping', '--socket', join(folder, 'none.sock'))
    expect(stderr).toMatch(/^relyd: relyd is not running: nobody listens on .*none\.sock/)
    expect(status).toBe(3)
  })
})

describe("over a website's cfg", () => {
  test('the site is registered, and its id added', async () => {
    const cfg = file(
      'site.cfg',
      `[oxd]\nsocket = ${daemon.socket}\n[client]\nop_host = ${op.issuer}\nauthorization_redirect_uri = https://cfg.example/callback\n`,
    )
    expect(await answer('get_site', '--cfg', cfg)).toMatchObject({ issuer: op.issuer })
    const { oxd_id } = await answer('register_site', '--cfg', cfg)
    expect(readFileSync(cfg, 'utf8')).toContain(oxd_id)
    const { stderr } = await call('get_site', '--cfg', cfg, 'oxd_id=x')
    expect(stderr).toMatch(/oxd_id is not a parameter/)
    const refused = await call('get_user_info', '--cfg', cfg, `session_id=@${file('none', 'x')}`)
    expect(refused.stderr).toMatch(/^relyd: \w+: /)
    expect(refused.status).toBe(1)
  })

  test.skipIf(!hasOpenssl())(
    'TCP with TLS is spoken',
    async () => {
      using ca = new TestCa()
      const server = ca.issue('server', { san: 'DNS:localhost' })
      const client = ca.issue('client', { usage: 'clientAuth' })
      await using remote = await TestDaemon.start({
        sections: `[listener far]\naddress = tcp:127.0.0.1:0\ntls_certificate = ${server.certificate}
tls_key = ${server.key}\ntls_client_ca = ${ca.certificate}`,
      })
      const cfg = file(
        'far.cfg',
        `[oxd]\nhost = localhost\nport = ${remote.portOf(2)}\ntls_ca = ${ca.certificate}\ntls_certificate = ${client.certificate}\ntls_key = ${client.key}\n[client]\nauthorization_redirect_uri = https://far.example/callback\n`,
      )
      expect(await answer('ping', '--cfg', cfg)).toMatchObject({ version: expect.any(String) })
      await remote.stop()
      const { status, stderr } = await call('ping', '--cfg', cfg)
      expect(stderr).toMatch(/^relyd: cannot reach relyd: /)
      expect(status).toBe(3)
    },
    60_000,
  )
})
