/** The command relyd, as an operator meets it: what it prints, and how it exits. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasOpenssl, type Issued, TestCa } from '../support/certificates.js'
import { TestDaemon } from '../support/daemon.js'
import { canMount } from '../support/required.js'
import { Wire } from '../support/wire.js'

const PROGRAM = fileURLToPath(new URL('../../daemon/dist/main.js', import.meta.url))
const SAMPLE = fileURLToPath(new URL('../../daemon/relyd.cfg', import.meta.url))

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-cli-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

function relyd(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    encoding: 'utf8',
    env: { ...process.env, STATE_DIRECTORY: join(folder, 'state') },
  })
  return { status, stdout, stderr }
}

function config(text: string): string {
  const path = join(folder, `${Math.random()}.cfg`)
  writeFileSync(path, text)
  return path
}

test('check-config finds the sample good, and says what it comes to', () => {
  const { status, stdout } = relyd('check-config', '--config', SAMPLE)
  expect(stdout).toContain('[listener site] unix:/run/relyd/relyd.sock, realm default')
  expect(stdout).toContain(join(folder, 'state/keys/store.key'))
  expect(stdout).not.toContain('UNSAFE')
  expect(status).toBe(0)
})

test('check-config shows what is excepted for an OP, and refuses it with its line', () => {
  const text = `[listener a]\naddress = unix:/x\n[op apple]\nop_host = https://appleid.apple.com\n`
  const good = `${text}response_mode = form_post\nauthorization_parameters = a=1 b=2\n`
  const { status, stdout } = relyd('check-config', '-c', config(good))
  expect(stdout.split('\n')).toEqual(
    expect.arrayContaining([
      '[op apple] https://appleid.apple.com',
      '  authorization_parameters: a=1 b=2',
      '  response_mode: form_post',
      '  client_assertion_audience: issuer',
    ]),
  )
  expect(status).toBe(0)
  const path = config(`${text}response_mode = query\n`)
  const refused = relyd('check-config', '-c', path)
  expect(refused.stderr).toContain(`${path}:5: response_mode must be one of form_post`)
  expect(refused.status).not.toBe(0)
})

test('check-config refuses what serve refuses: keys that any copy of the database would hold too', () => {
  const path = config('[daemon]\nkey_file = store/store.key\n[listener a]\naddress = unix:/x\n')
  const refused = relyd('check-config', '-c', path)
  expect(refused.stderr).toMatch(/^relyd: .* lies in the database's folder .*"key_file".*\n$/)
  expect({ ...refused, stderr: '' }).toEqual({ status: 1, stdout: '', stderr: '' })
})

test.skipIf(!canMount())('serve runs the shipped sample as it is', async () => {
  // In a mount namespace of its own, where /run and /var/lib are empty as on a new host.
  const script =
    'mount -t tmpfs none /run && mount -t tmpfs none /var/lib && exec "$0" "$1" serve --config "$2"'
  const child = spawn('unshare', ['-rm', 'sh', '-c', script, process.execPath, PROGRAM, SAMPLE], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(child, 'exit')
  for await (const line of createInterface(child.stdout)) {
    const { msg, addresses } = JSON.parse(line)
    if (msg !== 'ready') continue
    expect(addresses).toEqual(['unix:/run/relyd/relyd.sock'])
    child.kill('SIGTERM')
  }
  expect((await exit)[0]).toBe(0)
})

test('an unsafe option is pointed at', () => {
  const path = config('[daemon]\ninsecure_op_hosts = 127.0.0.1\n[listener a]\naddress = unix:/x\n')
  expect(relyd('check-config', '-c', path).stdout).toMatch(/UNSAFE.*127\.0\.0\.1/)
  const realm = '[realm default]\nfront_channel_access_tokens = yes\n'
  const opened = config(`[daemon]\n[listener a]\naddress = unix:/x\n${realm}`)
  expect(relyd('check-config', '-c', opened).stdout).toMatch(
    /realm default, UNSAFE: access tokens may pass through browsers/,
  )
})

test('check-config says of a realm with oxd clients what that relaxes, and what is left to do', () => {
  const one = '[listener a]\naddress = tcp:127.0.0.1:8099\n'
  const realm = '[realm default]\noxd_clients = 3.0\n'
  const { status, stdout } = relyd('check-config', '-c', config(one + realm))
  expect(status).toBe(0)
  expect(stdout.split('\n').slice(0, 7)).toEqual([
    '[listener a] tcp:127.0.0.1:8099, realm default, oxd clients (3.0)',
    '[realm default] oxd clients, answered as by oxD 3.0',
    '  UNSAFE: their logins are bound to no browser (login CSRF)',
    '  iss may be missing in a callback, where all sites with its redirect URI use one OP',
    '  no command needs a protection_access_token',
    '  over TCP an oxd_id is a bearer secret: who knows it speaks for its site',
    '  tcp:127.0.0.1:8099 without tcp:[::1]:8099: who tries that for localhost first does not find relyd',
  ])
  const oldest = one + realm.replace('3.0', '2.4')
  expect(relyd('check-config', '-c', config(oldest)).stdout).toContain(
    '  state may be missing in a callback, where one login of the site waits',
  )
  const both = `${one}[listener b]\naddress = tcp:[::1]:8099\n${realm}`
  const guarded = `${both}protect_commands_with_access_token = yes\n`
  const better = relyd('check-config', '-c', config(guarded)).stdout
  expect(better).toContain('  each command needs a protection_access_token; clients other than of')
  expect(better).not.toContain(' without ')
  const unix = config(`[listener a]\naddress = unix:/x\noxd_http = yes\n${realm}`)
  const by_http = relyd('check-config', '-c', unix).stdout
  expect(by_http).not.toMatch(/bearer| without /)
  expect(by_http).toContain(
    '  UNSAFE: HTTP at [listener a]: a program here that posts where others',
  )
})

test.each([
  [
    'a mistyped option',
    '[daemon]\nlog_levle = info\n',
    /:2: unknown option "log_levle".*did you mean log_level\?/,
  ],
  [
    'a wrong value',
    '[daemon]\n\nop_timeout = soon\n',
    /:3: op_timeout must be a whole number from 1 to 60/,
  ],
  ['a mistyped section', '[demon]\n', /:1: unknown section \[demon\].*daemon/],
  ['no listener', '[daemon]\n', /no listener; add a section \[listener site\]/],
  [
    'a public address',
    '[listener a]\naddress = tcp:0.0.0.0:8099\n',
    /:2: address must be a loopback/,
  ],
])('serve and check-config refuse %s with line and cure', (_what, text, message) => {
  const path = config(text)
  for (const command of ['serve', 'check-config']) {
    const { status, stderr } = relyd(command, '-c', path)
    expect(stderr).toMatch(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(status).toBe(1)
  }
})

describe.skipIf(!hasOpenssl())('a listener with TLS', () => {
  let ca: TestCa

  beforeAll(() => {
    ca = new TestCa()
  })

  afterAll(() => ca[Symbol.dispose]())

  function withTls({ certificate, key }: Issued, address = 'tcp:0.0.0.0:8099') {
    return `[listener a]
address = ${address}
tls_certificate = ${certificate}
tls_key = ${key}
tls_client_ca = ${ca.certificate}
certificate_realms = shop.example=shop, blog.example=blog
[realm shop]
tokens = daemon
`
  }

  test('is shown by check-config: its certificate, its clients, and what will expire', () => {
    const server = ca.issue('server', { san: 'DNS:relyd.example', days: [-1, 20] })
    const { status, stdout } = relyd('check-config', '-c', config(withTls(server)))
    expect(stdout).toContain(
      '[listener a] tcp:0.0.0.0:8099, realm shop, tokens stay in the daemon, realm blog\n',
    )
    expect(stdout).toMatch(/TLS certificate .*server\.crt \(DNS:relyd\.example\), valid until 20/)
    expect(stdout).toMatch(/TLS clients of .*ca\.crt\n.*shop\.example: realm shop/)
    expect(stdout).toMatch(/WARNING: tls_certificate: .*server\.crt expires on .*; renew it/)
    expect(status).toBe(0)
  })

  test('is refused by serve and check-config with an expired certificate', () => {
    const expired = ca.issue('expired', { days: [-9, -1] })
    const path = config(withTls(expired, 'tcp:127.0.0.1:0'))
    for (const command of ['serve', 'check-config']) {
      const { status, stderr } = relyd(command, '-c', path)
      expect(stderr).toMatch(
        /^relyd: \[listener a\] tls_certificate: .*expired\.crt has expired on/,
      )
      expect(stderr.trim().split('\n')).toHaveLength(1)
      expect(status).toBe(1)
    }
  })

  test('warns when it starts of what will expire', async () => {
    const { certificate, key } = ca.issue('soon', { days: [-1, 20] })
    await using daemon = await TestDaemon.start({
      sections: withTls({ certificate, key }, 'tcp:127.0.0.1:0'),
    })
    expect(daemon.log).toContainEqual(
      expect.objectContaining({
        level: 40,
        listener: 'a',
        msg: expect.stringMatching(/soon\.crt expires on/),
      }),
    )
  })
})

test('a missing file is named', () => {
  const { status, stderr } = relyd('serve', '-c', join(folder, 'missing.cfg'))
  expect(stderr).toContain('missing.cfg: there is no such file')
  expect(status).toBe(1)
})

test('an unknown command exits with an error and shows where help is', () => {
  const { status, stderr } = relyd('server')
  expect(stderr).toContain('serve')
  expect(stderr).toContain('--help')
  expect(status).toBe(2)
})

test('a database without its key is not opened', async () => {
  await using daemon = await TestDaemon.start()
  await daemon.stop()
  rmSync(join(daemon.folder, 'state/keys'), { recursive: true })
  await expect(daemon.start()).rejects.toThrow(
    /^the daemon ended with 1: relyd: .*state\/keys\/store\.key/,
  )
})

test('the daemon stops also when nobody reads its log any more', async () => {
  await using daemon = await TestDaemon.start()
  daemon.closeLog()
  using wire = await Wire.connect(daemon.socket)
  await wire.ok('ping')
  expect(await daemon.stop()).toBe(0)
})
