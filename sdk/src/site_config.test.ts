/** A site's cfg is read, oxd-python's included; what is wrong in it is named with its line. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest'
import { hasOpenssl, type Issued, TestCa } from '../../test/support/certificates.js'
import { ConfigError } from './errors.js'
import { readSiteConfig } from './site_config.js'
import { tlsKeys } from './tls_files.js'

const CLIENT = '[client]\nauthorization_redirect_uri = https://site.example/callback\n'
const warn = vi.spyOn(process, 'emitWarning')

beforeEach(() => {
  warn.mockImplementation(() => {})
})

afterEach(() => {
  warn.mockReset()
})

function newCfg(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'relyd-sdk-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'site.cfg')
  writeFileSync(path, text)
  return path
}

function warnings(): string[] {
  return warn.mock.calls.map(([message]) => String(message))
}

test('the sample works as it is, and with every key in it', () => {
  const text = readFileSync(new URL('../../sample.cfg', import.meta.url), 'utf8')
  const config = readSiteConfig(newCfg(text))
  expect(config).toMatchObject({
    address: { path: '/run/relyd/relyd.sock' },
    id: undefined,
    timeout_ms: undefined,
    registration: { authorization_redirect_uri: 'https://site.example/callback' },
  })
  const every = text.replace(/^socket/m, '#').replaceAll(/^#(?! )/gm, '')
  const tls = /^tls_.*\n/gm
  // Those are files that must be there: see below.
  const all = readSiteConfig(newCfg(every.replaceAll(tls, '')))
  expect(Object.keys(all.registration)).toHaveLength(16)
  expect(all.address).toEqual({ host: 'localhost', port: 8099 })
  expect(all.timeout_ms).toBe(10_000)
  expect(every.match(/^tls_\w+/gm)).toEqual([...tlsKeys])
  expect(warnings()).toEqual([])
})

describe.skipIf(!hasOpenssl())('TLS', () => {
  let ca: TestCa
  let site: Issued

  beforeAll(() => {
    ca = new TestCa()
    site = ca.issue('site')
  })

  afterAll(() => ca[Symbol.dispose]())

  test('opens hosts beyond this one, with files that start at the folder of the cfg', () => {
    const path = join(ca.folder, 'site.cfg')
    const lines = 'host = relyd.example\ntls_ca = ca.crt\ntls_certificate = ./site.crt\n'
    writeFileSync(path, `[oxd]\n${lines}tls_key = ${site.key}\n${CLIENT}`)
    expect(readSiteConfig(path).address).toEqual({
      host: 'relyd.example',
      port: 8099,
      tls: { tls_ca: ca.certificate, tls_certificate: site.certificate, tls_key: site.key },
    })
  })

  test.each([
    ['a missing file', { tls_ca: 'none' }, 2, /tls_ca: .*none cannot be read \(ENOENT\); correct/],
    [
      'no CA in it',
      { tls_ca: 'site.key' },
      2,
      /tls_ca: .*must hold the certificate of the daemon's/,
    ],
    ['an empty CA', { tls_ca: 'index.attr' }, 2, /tls_ca: .* in PEM/],
    [
      'no certificate',
      { tls_certificate: 'site.key' },
      3,
      /tls_certificate: .*must hold this site's/,
    ],
    ["another's key", { tls_key: 'ca.key' }, 4, /tls_key: .*must hold the key of .*site\.crt/],
    ['no key', { tls_key: 'site.crt' }, 4, /tls_key: .*must hold the key of/],
  ])('is refused with %s, naming line, file and cure', (_, wrong, line, message) => {
    const path = join(ca.folder, 'site.cfg')
    const keys = { tls_ca: 'ca.crt', tls_certificate: 'site.crt', tls_key: 'site.key', ...wrong }
    const lines = Object.entries(keys).map(([key, value]) => `${key} = ${value}\n`)
    writeFileSync(path, `[oxd]\n${lines.join('')}${CLIENT}`)
    const attempt = () => readSiteConfig(path)
    expect(attempt).toThrow(ConfigError)
    expect(attempt).toThrow(message)
    expect(attempt).toThrow(expect.objectContaining({ path, line }))
  })

  test('and a socket do not go together', () => {
    const path = join(ca.folder, 'site.cfg')
    const lines = 'tls_ca = ca.crt\ntls_certificate = site.crt\ntls_key = site.key\n'
    writeFileSync(path, `[oxd]\nsocket = /x\n${lines}${CLIENT}`)
    expect(() => readSiteConfig(path)).toThrow(/TLS is for TCP: give "host" and "port", or no/)
  })
})

test('a file of oxd-python loads as it is', () => {
  const path = newCfg(`;;;;;;;;;;
; oxD Python - Sample Configuration File ;
;;;;;;;;;;

[oxd]
; oxd hostname, fequently is localhost
host=localhost
port: 8099
id = 788ffb4d-55e6-4964-b9fa-e0dcef72a00a
[client]
authorization_redirect_uri=https://gluu.example.com/callback
op_host=https://op.example.org
logout_redirect_uri=https://gluu.example.com/logout
client_frontchannel_logout_uris=https://gluu.example.com/logout,https://gluu.example.com/user/logout
acr_values=basic,duo
scopes=openid,profile
contacts=admin@example.com,admin2@example.com
grant_types=authorization_code
response_types=
client_name=World's "Simplest" Client; #1
application_type = web
client_jwks_uri=
`)
  expect(readSiteConfig(path)).toEqual({
    path,
    address: { host: 'localhost', port: 8099 },
    id: '788ffb4d-55e6-4964-b9fa-e0dcef72a00a',
    timeout_ms: undefined,
    registration: {
      authorization_redirect_uri: 'https://gluu.example.com/callback',
      op_host: 'https://op.example.org',
      post_logout_redirect_uri: 'https://gluu.example.com/logout',
      acr_values: ['basic', 'duo'],
      contacts: ['admin@example.com', 'admin2@example.com'],
      client_name: 'World\'s "Simplest" Client; #1',
    },
  })
  expect(warnings()).toEqual([
    `${path}:14: "client_frontchannel_logout_uris" is not used by this version of relyd`,
    `${path}:16: "scopes" in [client] is not used; did you mean "scope"?`,
  ])
})

test('lists end at commas and lines, scopes at spaces too', () => {
  const path = newCfg(
    `${CLIENT}scope = openid profile,email\nacr_values = a b,\n  c,,\ncontacts = ,\n`,
  )
  expect(readSiteConfig(path).registration).toMatchObject({
    scope: ['openid', 'profile', 'email'],
    acr_values: ['a b', 'c'],
  })
  expect(readSiteConfig(path).registration).not.toHaveProperty('contacts')
})

test.each([
  ['nothing', '', { host: 'localhost', port: 8099 }],
  ['a host', 'host = ::1\n', { host: '::1', port: 8099 }],
  ['a port', 'port = 9000\n', { host: 'localhost', port: 9000 }],
  ['a socket', 'socket = /run/x.sock\nport =\n', { path: '/run/x.sock' }],
])('the daemon is found by %s', (_, oxd, address) => {
  expect(readSiteConfig(newCfg(`[oxd]\n${oxd}${CLIENT}`)).address).toEqual(address)
})

test('a relative socket path counts from the folder of the cfg', () => {
  const path = newCfg(`[oxd]\nsocket = run/x.sock\n${CLIENT}`)
  expect(readSiteConfig(path).address).toEqual({ path: join(path, '../run/x.sock') })
})

test.each([
  ['', undefined, /\[client\] needs a line "authorization_redirect_uri = /],
  ['[client]\n', 1, /needs a line "authorization_redirect_uri = /],
  [`[oxd]\nport = http\n${CLIENT}`, 2, /"port" must be a number from 1 to 65535, not "http"/],
  [`[oxd]\nport = 70000\n${CLIENT}`, 2, /"port" must be/],
  [`[oxd]\nhost = https://x\n${CLIENT}`, 2, /"host" must be a name or an address/],
  [`[oxd]\nport = 1\nhost = 10.0.0.1\n${CLIENT}`, 3, /"host" is another host.* add tls_ca, tls_c/],
  [`[oxd]\nhost = 127.0.0.1.example\n${CLIENT}`, 2, /"host" is another host/],
  [`[oxd]\nhost = 0.0.0.0\n${CLIENT}`, 2, /"host" is another host/],
  [`[oxd]\ntls_key = x\n${CLIENT}`, 2, /"tls_ca" is missing: TLS needs tls_ca, tls_certificate/],
  [`[oxd]\nsocket = /x\nport = 1\n${CLIENT}`, 3, /named twice, by socket on line 2 .*keep one/],
  [`[oxd]\ntimeout = 10s\n${CLIENT}`, 2, /"timeout" must be a positive number of seconds/],
  [`[oxd]\nid = a\n  port = 1\n${CLIENT}`, 2, /line 3 is indented deeper.*indent all keys alike/],
  ['[client]\nauthorization_redirect_uri = /cb\n', 2, /must be an absolute URI .*not "\/cb"/],
  [`${CLIENT}login_binding = no\n`, 3, /"login_binding" must be required or none/],
  [`${CLIENT}client_token_endpoint_auth_method = x\n`, 3, /must be client_secret_basic or/],
  [`${CLIENT}tokens = no\n`, 3, /"tokens" must be site or daemon/],
  [`${CLIENT}redirect_uris = https://a/, b\n`, 3, /"redirect_uris" must be .*not "b"/],
])('%j is refused, naming line and cure', (text, line, message) => {
  const path = newCfg(text)
  const attempt = () => readSiteConfig(path)
  expect(attempt).toThrow(ConfigError)
  expect(attempt).toThrow(message)
  expect(attempt).toThrow(expect.objectContaining({ path, line }))
})

test('a file that is not there is refused with what to do', () => {
  expect(() => readSiteConfig('/nowhere/site.cfg')).toThrow(ConfigError)
  expect(() => readSiteConfig('/nowhere/site.cfg')).toThrow(/ENOENT.*sample\.cfg/)
})

test('what is not used is warned about, with its line and what it may mean', () => {
  const path = newCfg(
    `[oxd]\nsoket = x\nempty =\n${CLIENT}https_extension = true\ngrant_types = implicit\n[clients]\n`,
  )
  readSiteConfig(path)
  expect(warnings()).toEqual([
    `${path}:8: section [clients] is not used; did you mean "client"?`,
    `${path}:2: "soket" in [oxd] is not used; did you mean "socket"?`,
    `${path}:6: "https_extension" in [client] is not used`,
    `${path}:7: "grant_types" is not used: relyd works as if it were authorization_code`,
  ])
})
