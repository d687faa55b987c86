/** A site's cfg is read, oxd-python's included; what is wrong in it is named with its line. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
import { clientKeys, oxdKeys, registrationKeys } from './site_keys.js'
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
  writeFileSync(path, text, { mode: 0o600 })
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
  // Those are files that must be there: see below, and secret_file.test.ts.
  const files = /^(?:tls_|\w+_file).*\n/gm
  const all = readSiteConfig(newCfg(every.replaceAll(files, '')))
  expect(Object.keys(all.registration).sort()).toEqual(Object.keys(registrationKeys).sort())
  const shown = [...text.matchAll(/^#?(\w+) =/gm)].map(([, key]) => key)
  expect(shown.sort()).toEqual([...oxdKeys, ...clientKeys].sort())
  expect(all.address).toEqual({ host: 'localhost', port: 8099 })
  expect(all.timeout_ms).toBe(10_000)
  expect(every.match(/^(?:tls_\w+|\w+_file)/gm)).toEqual([
    ...tlsKeys,
    'idempotency_key_file',
    'client_secret_file',
    'initial_access_token_file',
    'registration_client_secret_file',
  ])
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

describe("oxd-python's files load as they are", () => {
  const corpus = new URL('../../test/cfg/', import.meta.url)
  const loaded = (name: string) => {
    const path = newCfg(readFileSync(new URL(name, corpus), 'utf8'))
    const config = readSiteConfig(path)
    expect(config).toMatchObject({ address: { host: 'localhost', port: 8099 }, given: undefined })
    return { ...config, warned: warnings().map((warning) => warning.replace(path, 'cfg')) }
  }

  test('2.4', () => {
    expect(loaded('oxd_python_2.4.cfg')).toMatchObject({
      id: '98cd5bd6-9e5e-4395-b9ab-6d61b3c1798f',
      registration: {
        authorization_redirect_uri: 'https://shop.example/callback',
        redirect_uris: ['https://shop.example/callback', 'https://shop.example/callback2'],
        post_logout_redirect_uri: 'https://shop.example/bye',
        op_host: 'https://op.example',
        acr_values: ['basic', 'duo'],
        contacts: ['admin@shop.example', 'admin2@shop.example'],
        client_name: 'Sample Client',
      },
      warned: [
        'cfg:17: "client_logout_uris" is oxd\'s and not used: give one address as frontchannel_logout_uri',
        'cfg:21: "scopes" in [client] is not used; did you mean "scope"?',
      ],
    })
  })

  test('3.0', () => {
    expect(loaded('oxd_python_3.0.cfg')).toMatchObject({
      registration: {
        post_logout_redirect_uri: 'https://shop.example/bye',
        scope: ['openid', 'profile', 'email', 'uma_protection'],
        ui_locales: ['en', 'de'],
        sector_identifier_uri: 'https://shop.example/sector.json',
      },
      warned: [
        'cfg:10: "client_logout_uris" is oxd\'s and not used: give one address as frontchannel_logout_uri',
        expect.stringMatching(/^cfg:7: "application_type" is not used: a native application/),
      ],
    })
  })

  test('3.1', () => {
    expect(loaded('oxd_python_3.1.cfg')).toMatchObject({
      registration: {
        client_id: '@!4AF5.78F3.D253.8D5D!0001!F3C7.2B4B!0008!2A18',
        client_secret: '31d7-4a39;fe#02',
      },
      warned: [
        'cfg:4: "https_extension" is oxd\'s and not used: relyd is reached by "socket", or by "host" and "port"',
        'cfg:11: "client_frontchannel_logout_uris" is oxd\'s and not used: give one address as frontchannel_logout_uri',
        'cfg:12: "claims_redirect_uri" is not used by this version of relyd',
        expect.stringMatching(/^cfg:19: "client_registration_access_token" is oxd's and not used/),
        expect.stringMatching(/^cfg:20: "client_registration_client_uri" is oxd's and not used/),
        expect.stringMatching(/^cfg:21: "client_id_issued_at" is oxd's and not used/),
        expect.stringMatching(/^cfg:22: "protection_access_token" is oxd's and not used/),
        expect.stringMatching(/^cfg:15: "grant_types" is not used: relyd's logins use/),
      ],
    })
  })

  test('the development branch', () => {
    expect(loaded('oxd_python_dev.cfg')).toMatchObject({
      registration: { client_secret: '8c#7;f=1:2', op_discovery_path: '/.well-known' },
      warned: [2, 3, 12, 13, 14, 17, 18].map((line) => expect.stringContaining(`cfg:${line}: `)),
    })
  })

  test('written by Python, with values that refer to others', () => {
    expect(loaded('written_by_python.cfg')).toMatchObject({
      registration: {
        authorization_redirect_uri: 'https://shop.example/callback',
        scope: ['openid', 'profile', 'email'],
      },
      warned: [],
    })
  })
})

test('[DEFAULT] counts for both sections, also for one without a header', () => {
  const path = newCfg(
    '[DEFAULT]\nsocket = /run/%(name)s.sock\nname = x\nclient_name = Shop\ntypo = 1\n' +
      'authorization_redirect_uri =\n  https://site.example/callback\n',
  )
  expect(readSiteConfig(path)).toMatchObject({
    address: { path: '/run/x.sock' },
    registration: {
      authorization_redirect_uri: 'https://site.example/callback',
      client_name: 'Shop',
    },
  })
  expect(warnings()).toEqual([`${path}:5: "typo" in [DEFAULT] is not used`])
})

test('what Python reads, but hardly as it was meant, is warned about', () => {
  const path = newCfg(
    `[oxd] id = 1\nhost = a\nhost = localhost\n${CLIENT}scope = openid\n [x]\n[oxd]\nport = 1\n`,
  )
  expect(readSiteConfig(path)).toMatchObject({ address: { host: 'localhost', port: 1 } })
  expect(warnings()).toEqual([
    `${path}:1: a section is written [name], alone on its line; until then the rest is not read`,
    `${path}:3: "host" is given twice, first on line 2; keep one; until then the last one counts`,
    `${path}:7: a section's header [x] must not be indented deeper than the key above it; until then it continues the value of "scope"`,
    `${path}:8: section [oxd] is given twice, first on line 1; keep one; until then both count`,
  ])
})

test('a client_secret that others may read is warned about, wherever it stands', () => {
  const path = newCfg(`${CLIENT}client_id = x\nclient_secret = y\n`)
  expect(readSiteConfig(path).registration).toHaveProperty('client_secret', 'y')
  expect(warnings()).toEqual([])
  chmodSync(path, 0o644)
  readSiteConfig(path)
  readSiteConfig(path)
  expect(warnings()).toEqual([
    expect.stringMatching(/:4: every user of this host may read the client_secret; "chmod o= /),
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
  [`[oxd]\nport = 0x50\n${CLIENT}`, 2, /"port" must be/],
  [`[oxd]\ntimeout = 0\n${CLIENT}`, 2, /"timeout" must be a positive number of seconds, not "0"/],
  [`[oxd]\nid = a\n  port = 1\n${CLIENT}`, 2, /"id" takes one line.*indent all keys alike/],
  [`[oxd]\nid = a%b\n${CLIENT}`, 2, /"id" has a single %; write %% for it/],
  [`[oxd]\nid = %(b)s\n${CLIENT}`, 2, /"id" refers to a key, which is neither in its section nor/],
  [`[oxd]\nid = %(id)s\n${CLIENT}`, 2, /"id" refers to itself/],
  [`${CLIENT}client_name = a\n  b\n`, 3, /"client_name" takes one line/],
  [`${CLIENT}op_host = ftp://op\n`, 3, /"op_host" must be an OP's address such as/],
  [`${CLIENT}op_host = https://op/?x=y\n`, 3, /"op_host" must be .* without user, query and frag/],
  [`${CLIENT}client_secret = x\n`, 3, /"client_secret" belongs to a "client_id": give that too/],
  [`${CLIENT}post_logout_redirect_uri = x\n`, 3, /"post_logout_redirect_uri" must be an absolute/],
  [`${CLIENT}logout_redirect_uri = x\n`, 3, /"logout_redirect_uri" must be an absolute URI/],
  ['[client]\nauthorization_redirect_uri = app://cb\n', 2, /must be an absolute URI such as https/],
  ['[client]\nauthorization_redirect_uri = https://a/#b\n', 2, /without #, not "https:\/\/a\/#b"/],
  ['[client]\nauthorization_redirect_uri = /cb\n', 2, /must be an absolute URI .*not "\/cb"/],
  [`${CLIENT}login_binding = no\n`, 3, /"login_binding" must be required or none/],
  [`${CLIENT}client_token_endpoint_auth_method = x\n`, 3, /must be client_secret_basic or/],
  [`${CLIENT}token_endpoint_auth_method = x\n`, 3, /must be client_secret_basic or/],
  [`${CLIENT}default_max_age = 1h\n`, 3, /"default_max_age" must be a whole number/],
  [`${CLIENT}require_auth_time = yes\n`, 3, /"require_auth_time" must be true or false/],
  [`${CLIENT}metadata = [1]\n`, 3, /"metadata" must be a JSON object such as/],
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
  const path = newCfg(`[oxd]\nsoket = x\nempty =\n${CLIENT}htpps = true\n[clients]\n`)
  readSiteConfig(path)
  expect(warnings()).toEqual([
    `${path}:7: section [clients] is not used; did you mean "client"?`,
    `${path}:2: "soket" in [oxd] is not used; did you mean "socket"?`,
    `${path}:6: "htpps" in [client] is not used`,
  ])
})

describe('values of oxd’s samples', () => {
  const LOCAL = '[client]\nauthorization_redirect_uri = http://localhost:3000/callback\n'

  test.each<[name: string, text: string, taken: object]>([
    ['application_type = web', CLIENT, { application_type: 'web' }],
    ['application_type = native', LOCAL, { application_type: 'native' }],
    [
      'application_type = native',
      `${LOCAL}redirect_uris = http://127.0.0.1/a, http://[::1]:99/b\n`,
      { application_type: 'native' },
    ],
    ['grant_types = authorization_code', CLIENT, { grant_types: ['authorization_code'] }],
    [
      'grant_types = authorization_code, implicit, refresh_token',
      CLIENT,
      { grant_types: ['authorization_code', 'implicit', 'refresh_token'] },
    ],
  ])('%s counts where it fits', (line, text, taken) => {
    expect(readSiteConfig(newCfg(text + line)).registration).toMatchObject(taken)
    expect(warnings()).toEqual([])
  })

  test.each<[line: string, text: string, place: string]>([
    ['application_type = native', CLIENT, ':3:'],
    ['application_type = native', `${LOCAL}redirect_uris = https://site.example/\n`, ':4:'],
    ['grant_types = authorization_code,client_credentials', CLIENT, ':3:'],
    ['grant_types = password', CLIENT, ':3:'],
  ])('%s is left out with a warning where it does not', (line, text, place) => {
    const path = newCfg(text + line)
    const { registration } = readSiteConfig(path)
    expect(registration).not.toHaveProperty('grant_types')
    expect(registration).not.toHaveProperty('application_type')
    const key = line.split(' ')[0]
    expect(warnings()).toEqual([expect.stringContaining(`${path}${place} "${key}" is not used: `)])
  })

  test('a variable is named', () => {
    const env = { RELYD_GRANT_TYPES: 'client_credentials' }
    const path = newCfg(CLIENT)
    expect(readSiteConfig(path, env).registration).not.toHaveProperty('grant_types')
    expect(warnings()).toEqual([expect.stringContaining(`${path}: RELYD_GRANT_TYPES: `)])
  })
})
