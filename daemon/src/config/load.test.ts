/** relyd.cfg: every option loads, and whoever mistypes one is told where and what. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { optionsOf } from '../op/op_options.js'
import { StartError } from '../start_error.js'
import type { Config } from './config.js'
import { loadConfig, readConfig } from './load.js'
import { daemonOptions, sections } from './options.js'
import { sampleConfig } from './sample.js'

const shipped = fileURLToPath(new URL('../../relyd.cfg', import.meta.url))
const listener = '[listener site]\naddress = unix:/run/relyd/relyd.sock\n'

function read(text: string, environment: NodeJS.ProcessEnv = {}): Config {
  return readConfig(text, '/etc/relyd.cfg', environment)
}

function refusal(text: string): string {
  try {
    read(text)
  } catch (error) {
    if (error instanceof StartError) return error.message
    throw error
  }
  throw new Error('not refused')
}

/** The sample's options and sections, with their comment marks taken away. */
function uncommented(sample: string): string {
  return sample.replace(/^#(?=[a-z_]+ = |\[)/gm, '')
}

describe('the sample', () => {
  test('works as it is, with nothing but defaults', () => {
    const { listeners, daemon, realms } = read(sampleConfig())
    expect(listeners).toHaveLength(1)
    expect(listeners[0]).toMatchObject({ name: 'site', realm: 'default', mode: 0o660 })
    expect(daemon).toEqual(read(listener).daemon)
    expect(realms.get('default')).toMatchObject({
      name: 'default',
      tokens: 'site',
      allowed_op_hosts: [],
    })
    expect(daemon.insecure_op_hosts).toBeUndefined()
  })

  test('shows every option, and loads with all of them', () => {
    const text = uncommented(sampleConfig())
    for (const { options } of Object.values(sections)) {
      for (const name of Object.keys(options)) {
        expect(text).toMatch(new RegExp(`^${name} = \\S`, 'm'))
      }
    }
    const { daemon, listeners, realms } = read(text)
    for (const name of Object.keys(daemonOptions)) expect(daemon).toHaveProperty(name)
    expect(listeners.map(({ tls }) => tls?.key)).toEqual([
      undefined,
      '/etc/relyd/tls/relyd.key',
      undefined,
      undefined,
    ])
    expect([...realms.keys()]).toEqual(['default', 'shop', 'blog', 'oxd'])
    expect(realms.get('oxd')?.oxd_clients).toBe('3.1')
    expect(Object.values(daemon)).not.toContain(undefined)
    expect(daemon.insecure_op_hosts).toEqual(['127.0.0.1'])
  })

  test('marks what is unsafe, and sets none of it', () => {
    for (const { options } of Object.values(sections)) {
      for (const [name, option] of Object.entries(options)) {
        if (!('unsafe' in option)) continue
        expect(sampleConfig()).toMatch(new RegExp(`UNSAFE:[^=]+\n#${name} = `))
      }
    }
  })

  test.skipIf(!existsSync(shipped))('is the one that is shipped', () => {
    expect(readFileSync(shipped, 'utf8')).toBe(sampleConfig())
  })
})

describe('values', () => {
  test('are read as what they are', () => {
    const { daemon, listeners, realms } = read(
      [
        '[daemon]',
        'op_timeout = 7',
        'insecure_op_hosts = 127.0.0.1,  localhost\top.test',
        'default_op = https://op.example/#not-a-comment',
        'log_level: warn',
        'proxy = http://Proxy.Example:3128/',
        '[listener a]',
        'address = tcp:[::1]:8099',
        'realm = shop',
        '[listener b-2]',
        'address = unix:/tmp/a b.sock',
        'mode = 600',
        '[realm shop]',
        'tokens = daemon',
        'front_channel_access_tokens = yes',
        'sites = 7',
        'pending_logins_per_site = 8',
        'pending_logins = 9',
        'allowed_op_hosts = OP.Example., op.example:08443 [FD00:0::1]:443, 0x0a.1',
      ].join('\n'),
    )
    expect(daemon).toMatchObject({
      op_timeout: 7,
      insecure_op_hosts: ['127.0.0.1', 'localhost', 'op.test'],
      default_op: 'https://op.example/#not-a-comment',
      log_level: 'warn',
      proxy: 'http://proxy.example:3128',
    })
    expect(listeners).toMatchObject([
      {
        name: 'a',
        address: { kind: 'tcp', host: '::1', port: 8099, text: 'tcp:[::1]:8099' },
        mode: 0o660,
        realm: 'shop',
      },
      {
        name: 'b-2',
        address: { kind: 'unix', path: '/tmp/a b.sock', text: 'unix:/tmp/a b.sock' },
        mode: 0o600,
        realm: 'default',
      },
    ])
    expect([...realms.values()]).toMatchObject([
      {
        name: 'shop',
        tokens: 'daemon',
        front_channel_access_tokens: true,
        allowed_op_hosts: ['op.example', 'op.example:8443', '[fd00::1]:443', '10.0.0.1'],
        quotas: { sites: 7, pending_logins: { site: 8, realm: 9 } },
      },
      { name: 'default', tokens: 'site', front_channel_access_tokens: false },
    ])
  })

  test('that are empty are the default', () => {
    const { daemon } = read(`[daemon]\nop_timeout =\ndefault_op =\n${listener}`)
    expect(daemon.op_timeout).toBe(Number(daemonOptions.op_timeout.default))
    expect(daemon.default_op).toBeUndefined()
  })

  test.each([
    ['op_timeout', '0', 'a whole number from 1 to 60'],
    ['op_timeout', '61', 'a whole number from 1 to 60'],
    ['op_timeout', '1.5', 'a whole number'],
    ['op_timeout', '1e1', 'a whole number'],
    ['op_timeout', '0x10', 'a whole number'],
    ['op_timeout', '-1', 'a whole number'],
    ['op_timeout', '10s', 'a whole number'],
    ['login_lifetime', '29', 'a whole number from 30'],
    ['session_lifetime', 'a day', 'a whole number from 60'],
    ['op_refresh', '9', 'a whole number from 10'],
    ['drain_timeout', '601', 'a whole number from 0 to 600'],
    ['log_level', 'Info', 'one of fatal, error, warn, info'],
    ['log_format', 'text', 'one of auto, json, pretty'],
    ['metrics_address', 'tcp:0.0.0.0:9464', 'a TCP port of loopback'],
    ['metrics_address', 'tcp:host.example:9464', 'a TCP port of loopback'],
    ['metrics_address', 'unix:/run/metrics.sock', 'a TCP port of loopback'],
  ])('%s = %s is refused with its line', (name, value, wanted) => {
    expect(refusal(`# one\n${listener}\n[daemon]\n${name} = ${value}\n`)).toMatch(
      new RegExp(`^/etc/relyd\\.cfg:6: ${name} must be ${wanted}`),
    )
  })

  test.each([
    'https://op.example',
    'op.example/path',
    '10.0.0.0/8',
    '*.op.example',
    'user@op.example',
    'op.example:99999',
    'op.example:',
    'fd00::1',
    '[fd00::1',
    '1.2.3.4.5',
  ])('allowed_op_hosts = %s is refused with its line', (value) => {
    expect(refusal(`${listener}\n[realm default]\nallowed_op_hosts = op.example, ${value}\n`)).toBe(
      `/etc/relyd.cfg:5: allowed_op_hosts must list hosts such as op.example.com, op.example.com:8443 or [fd00::1], not ${value}`,
    )
  })

  test.each([
    ['proxy.example:3128', 'must be http://host:port'],
    ['socks5://proxy.example:1080', 'must be http://host:port'],
    ['http://proxy.example:3128/path', 'must be http://host:port'],
    ['http://user:hunter2@proxy.example:3128', 'must not hold a user or password'],
  ])('proxy = %s is refused with its line', (value, wanted) => {
    const message = refusal(`${listener}\n[daemon]\nproxy = ${value}\n`)
    expect(message).toContain(`/etc/relyd.cfg:5: proxy ${wanted}`)
    expect(message).not.toContain('hunter2')
  })

  test.each([
    ['mode', '0999', 'an octal mode'],
    ['mode', '660u', 'an octal mode'],
    ['mode', '01777', 'an octal mode'],
    ['mode', '66', 'an octal mode'],
  ])('%s = %s is refused with its line', (name, value, wanted) => {
    expect(refusal(`${listener}${name} = ${value}\n`)).toMatch(
      new RegExp(`^/etc/relyd\\.cfg:3: ${name} must be ${wanted}`),
    )
  })

  test('of a realm are refused with their line', () => {
    expect(refusal(`${listener}[realm default]\ntokens = none\n`)).toBe(
      '/etc/relyd.cfg:4: tokens must be one of site, daemon',
    )
  })
})

describe('a listener’s address', () => {
  const at = (address: string) => `[listener a]\naddress = ${address}\n`

  test.each([
    ['tcp:127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['tcp:127.9.8.7:65535', { host: '127.9.8.7', port: 65_535 }],
    ['tcp:localhost:8099', { host: 'localhost', port: 8099 }],
    ['tcp:[::1]:8099', { host: '::1', port: 8099 }],
    [`unix:/${'a'.repeat(106)}`, { path: `/${'a'.repeat(106)}` }],
  ])('may be %s', (address, wanted) => {
    expect(read(at(address)).listeners[0]?.address).toMatchObject(wanted)
  })

  test.each([
    ['tcp:0.0.0.0:8099', 'a loopback address, or one with TLS and client certificates: add tls_'],
    ['tcp:[::]:8099', 'a loopback address'],
    ['tcp:192.168.1.1:8099', 'a loopback address'],
    ['tcp:site.example:8099', 'a loopback address'],
    ['tcp:127.0.0.1.evil.example:8099', 'a loopback address'],
    ['tcp:localhost.evil.example:8099', 'a loopback address'],
    ['tcp:128.0.0.1:8099', 'a loopback address'],
    ['tcp:127.0.0.999:8099', 'a loopback address'],
    ['tcp:[::ffff:8.8.8.8]:8099', 'a loopback address'],
    ['tcp:::8099', 'unix:/path/of/socket or tcp:'],
    ['tcp:::1:8099', 'unix:/path/of/socket or tcp:'],
    ['tcp:a b:8099', 'unix:/path/of/socket or tcp:'],
    ['tcp:127.0.0.1:65536', 'unix:/path/of/socket or tcp:'],
    ['tcp:127.0.0.1', 'unix:/path/of/socket or tcp:'],
    ['tcp:127.0.0.1:http', 'unix:/path/of/socket or tcp:'],
    ['127.0.0.1:8099', 'unix:/path/of/socket or tcp:'],
    ['/run/relyd.sock', 'unix:/path/of/socket or tcp:'],
    ['unix:', 'a path'],
    [`unix:/${'a'.repeat(107)}`, 'more than 107 bytes'],
    [`unix:/${'ä'.repeat(54)}`, 'more than 107 bytes'],
  ])('may not be %s', (address, why) => {
    const message = refusal(at(address))
    expect(message).toMatch(/^\/etc\/relyd\.cfg:2: address /)
    expect(message).toContain(why)
  })

  test('must be there', () => {
    expect(refusal('\n[listener a]\nmode = 600\n')).toBe(
      '/etc/relyd.cfg:2: [listener a] needs address = unix:/run/relyd/relyd.sock',
    )
  })
})

describe('the key file', () => {
  let credentials: string

  beforeEach(() => {
    credentials = mkdtempSync(join(tmpdir(), 'relyd-credentials-'))
  })
  afterEach(() => rmSync(credentials, { recursive: true }))

  function keyFile(text = ''): string {
    const environment = { CREDENTIALS_DIRECTORY: credentials }
    return read(`[daemon]\n${text}\n${listener}`, environment).daemon.key_file
  }

  test("is the unit's credential, if there is one of that name", () => {
    expect(keyFile()).toBe('/var/lib/relyd/keys/store.key')
    writeFileSync(join(credentials, 'store.key'), '')
    expect(keyFile()).toBe(join(credentials, 'store.key'))
  })

  test('is the one that the configuration names, credential or not', () => {
    writeFileSync(join(credentials, 'store.key'), '')
    expect(keyFile('key_file = /etc/mine')).toBe('/etc/mine')
  })
})

describe('oxd_http', () => {
  const realm = '[realm default]\noxd_clients = 3.1\n'
  const at = (value: string, lines = 'address = unix:/run/a.sock') =>
    `[listener a]\n${lines}\noxd_http = ${value}\n${realm}`

  test('is off, on, or on with names of this host', () => {
    const names = (text: string) => read(text).listeners[0]?.oxd_http
    expect(names(listener)).toBeUndefined()
    expect(names(at('no'))).toBeUndefined()
    expect(names(at('yes'))).toEqual([])
    expect(names(at('OXD.example.com, other'))).toEqual(['oxd.example.com', 'other'])
  })

  test.each([
    [at('https://oxd.example.com'), '3: oxd_http must be yes, no, or names of hosts'],
    [at('oxd.example.com:8443'), '3: oxd_http must be yes, no, or names of hosts'],
    [at('*'), '3: oxd_http must be yes, no, or names of hosts'],
    [at('yes').replace(realm, ''), '3: oxd_http is for a realm with oxd_clients'],
    [
      at('yes', 'address = tcp:0.0.0.0:8099\ntls_certificate = a\ntls_key = b\ntls_client_ca = c'),
      '6: oxd_http is for a Unix socket or loopback without TLS',
    ],
    [at('yes', 'address = tcp:0.0.0.0:8099'), '2: address must be a loopback address'],
  ])('is refused elsewhere: %s', (text, why) => {
    expect(refusal(text)).toContain(`/etc/relyd.cfg:${why}`)
  })
})

describe('TLS', () => {
  const files = 'tls_certificate = tls/a.crt\ntls_key = /etc/a.key\ntls_client_ca = ca.crt\n'
  const at = (address: string, lines: string) => `[listener a]\naddress = ${address}\n${lines}`

  test.each(['tcp:0.0.0.0:8099', 'tcp:[::]:8099', 'tcp:relyd.example:8099', 'tcp:[::1]:0'])(
    'opens %s, with paths that start at the state directory',
    (address) => {
      const { listeners, realms } = read(`[daemon]\nstate_directory = /srv\n${at(address, files)}`)
      expect(listeners[0]?.tls).toEqual({
        certificate: '/srv/tls/a.crt',
        key: '/etc/a.key',
        client_ca: '/srv/ca.crt',
        realms: undefined,
      })
      expect([...realms.keys()]).toEqual(['default'])
    },
  )

  test('serves the realms that its certificates are mapped to, and not its own', () => {
    const { listeners, realms } = read(
      at(
        'tcp:0.0.0.0:1',
        `${files}certificate_realms = Shop.Example = shop,  old shop=shop, b_2=blog,\n[realm shop]\ntokens = daemon\n`,
      ),
    )
    expect([...(listeners[0]?.tls?.realms ?? [])]).toEqual([
      ['shop.example', 'shop'],
      ['old shop', 'shop'],
      ['b_2', 'blog'],
    ])
    expect([...realms.values()]).toMatchObject([
      { name: 'shop', tokens: 'daemon' },
      { name: 'blog', tokens: 'site' },
    ])
  })

  const some = 'works with all of tls_certificate, tls_key and tls_client_ca only'
  test.each([
    ['one file', 'tcp:0.0.0.0:1', 'tls_key = a\n', `3: tls_key ${some}`],
    [
      'two files',
      'tcp:127.0.0.1:1',
      'tls_client_ca = a\ntls_certificate = b\ntls_key =\n',
      `4: tls_certificate ${some}`,
    ],
    [
      'names without files',
      'tcp:127.0.0.1:1',
      'certificate_realms = a=b\n',
      `3: certificate_realms ${some}`,
    ],
    [
      'a Unix socket',
      'unix:/x',
      files,
      "3: tls_certificate is for TCP: a Unix socket's mode and group say who may connect",
    ],
    [
      'two ways to choose a realm',
      'tcp:127.0.0.1:1',
      `${files}realm = a\ncertificate_realms = a=b\n`,
      '6: realm is not served where certificate_realms is given; keep one of the two',
    ],
  ])('is refused with %s', (_, address, lines, wanted) => {
    expect(refusal(at(address, lines))).toBe(`/etc/relyd.cfg:${wanted}`)
  })

  test.each([
    ['shop.example', 'must be NAME=REALM'],
    ['*.example=shop', 'must be NAME=REALM'],
    // OpenSSL would take it for every name that ends so.
    ['.example=shop', 'must be NAME=REALM'],
    ['shop.example=Shop', 'must be NAME=REALM'],
    ['a=b=c', 'must be NAME=REALM'],
    ['=shop', 'must be NAME=REALM'],
    [',', 'must be NAME=REALM'],
    ['a=b, A=c', 'has A twice; keep one'],
  ])('does not know certificate_realms = %s', (value, why) => {
    const message = refusal(at('tcp:127.0.0.1:1', `${files}certificate_realms = ${value}\n`))
    expect(message).toContain('/etc/relyd.cfg:6: certificate_realms ')
    expect(message).toContain(why)
  })
})

describe('an OP', () => {
  const op = (lines: string) => `${listener}[op one]\n${lines}`
  const host = 'op_host = https://op.example\n'

  test('has what its section says, found by how sites name it', () => {
    const { ops } = read(
      op(
        [
          'op_host = login.example/organizations/v2.0/.well-known/openid-configuration',
          'issuer = https://login.example/{tenantid}/v2.0',
          'tenants = 11111111-2222-3333-4444-555555555555, 99999999-2222-3333-4444-555555555555',
          'authorization_parameters = access_type=offline prompt=consent hd=a%20b',
          'response_mode = form_post',
          'logout_endpoint = https://login.example/logout?a=b',
          'logout_return_parameter = returnTo',
          'trusted_audiences = https://api.example, other',
          'userinfo_method = POST',
          'claims_providers = https://claims.example/, https://more.example',
          'client_assertion_audience = token_endpoint',
          '[op two]',
          'op_host = https://op.example/',
        ].join('\n'),
      ),
    )
    expect([...ops.keys()]).toEqual([
      'https://login.example/organizations/v2.0',
      'https://op.example',
    ])
    expect(ops.get('https://login.example/organizations/v2.0')).toEqual({
      name: 'one',
      op_host: 'https://login.example/organizations/v2.0',
      issuer: 'https://login.example/{tenantid}/v2.0',
      tenants: ['11111111-2222-3333-4444-555555555555', '99999999-2222-3333-4444-555555555555'],
      authorization_parameters: { access_type: 'offline', prompt: 'consent', hd: 'a b' },
      response_mode: 'form_post',
      logout_endpoint: 'https://login.example/logout?a=b',
      logout_return_parameter: 'returnTo',
      trusted_audiences: ['https://api.example', 'other'],
      userinfo_method: 'POST',
      claims_providers: ['https://claims.example/', 'https://more.example'],
      client_assertion_audience: 'token_endpoint',
    })
  })

  test.each([
    ['', '3: [op one] needs op_host = https://op.example.com'],
    ['op_host = https://op.example?x', 'op_host must be the address of an OP'],
    ['op_host = http://op.example', 'op_host must be an https address'],
    [`${host}[op two]\nop_host = https://op.example/`, '6: op_host is that of [op one] too'],
    [`${host}issuer = https://op.example/{tenant}/v2.0`, '5: issuer may hold {tenantid} once'],
    [`${host}issuer = https://op.example/{tenantid}/{tenantid}`, 'may hold {tenantid} once'],
    [`${host}issuer = https://{tenantid}.example/`, 'as a part of its path'],
    [`${host}issuer = https://op.example/x{tenantid}`, 'as a part of its path'],
    [`${host}issuer = http://op.example`, '5: issuer must be an https address'],
    [`${host}issuer = op.example`, 'issuer must be an https address'],
    [`${host}issuer = https://op.example/{tenantid}`, 'say in tenants whose users may log in'],
    [`${host}tenants = 11111111-2222-3333-4444-555555555555`, 'works with an issuer that has'],
    [`${host}tenants = contoso.onmicrosoft.com`, 'must list ids such as'],
    [`${host}tenants = *`, 'must list ids such as'],
    [`${host}authorization_parameters = access_type`, 'must be NAME=VALUE'],
    [`${host}authorization_parameters = a=%zz`, 'must be NAME=VALUE'],
    [`${host}authorization_parameters = a=1 a=2`, 'has a twice'],
    [`${host}authorization_parameters = redirect_uri=https://evil.example`, 'each login decides'],
    [`${host}authorization_parameters = response_mode=query`, 'each login decides'],
    [`${host}authorization_parameters = scope=openid`, 'each login decides'],
    [`${host}authorization_parameters = prompt=none`, 'each login decides'],
    [`${host}response_mode = fragment`, 'response_mode must be one of form_post'],
    [`${host}logout_endpoint = /logout`, 'logout_endpoint must be an https address'],
    [`${host}logout_endpoint = http://op.example/logout`, 'must be an https address'],
    [`${host}logout_return_parameter = returnTo`, 'works with logout_endpoint only'],
    [
      `${host}logout_endpoint = https://op.example/x\nlogout_return_parameter = client_id`,
      '6: logout_return_parameter cannot be client_id',
    ],
    [`${host}client_assertion_audience = both`, 'must be one of issuer, token_endpoint'],
    [`${host}isuer = https://op.example`, 'did you mean issuer?'],
  ])('is not taken with %j', (lines, words) => {
    const message = refusal(op(lines))
    expect(message).toMatch(/^\/etc\/relyd\.cfg:\d+: /)
    expect(message).toContain(words)
  })

  test('is the one of its sites whether its path ends with a slash or not', () => {
    for (const [written, named] of [
      ['https://op.example/realms/a/', 'https://op.example/realms/a'],
      ['https://op.example/realms/a', 'https://op.example/realms/a/'],
    ] as const) {
      const { ops } = read(op(`op_host = ${written}\nresponse_mode = form_post\n`))
      expect(optionsOf(ops, named)).toMatchObject({ name: 'one', response_mode: 'form_post' })
      expect(optionsOf(ops, 'https://op.example/realms')).toBeUndefined()
      const twice = `op_host = ${written}\n[op two]\nop_host = ${named}\n`
      expect(() => read(op(twice))).toThrow('is that of [op one] too')
    }
  })

  test('may have what the documentation says of the big ones', () => {
    const docs = fileURLToPath(new URL('../../../docs/', import.meta.url))
    const pages = readdirSync(docs, { recursive: true, encoding: 'utf8' })
    const texts = pages.filter((page) => page.endsWith('.md')).map((page) => join(docs, page))
    const sections = texts.flatMap((page) => [
      ...readFileSync(page, 'utf8').matchAll(/^ {4}\[op \w+\]\n(?: {4}\S.*\n)+/gm),
    ])
    expect(sections.length).toBeGreaterThan(5)
    for (const [section] of sections) {
      const text = section.replace(/^ {4}/gm, '').replaceAll('…', 'https://op.example')
      expect(read(`${listener}${text}`).ops.size).toBe(1)
    }
  })

  test('may be without TLS where the operator waived that', () => {
    const text = `[daemon]\ninsecure_op_hosts = 127.0.0.1\n${op('op_host = http://127.0.0.1:8080')}`
    expect([...read(text).ops.keys()]).toEqual(['http://127.0.0.1:8080'])
  })
})

describe('names', () => {
  test.each([
    [
      'an option mistyped',
      `${listener}[daemon]\nop_timout = 5\n`,
      '4: unknown option "op_timout" in [daemon]; did you mean op_timeout?',
    ],
    [
      'an option like no other',
      `${listener}[daemon]\nquux = 5\n`,
      '4: unknown option "quux" in [daemon]',
    ],
    [
      'an option of another section',
      `${listener}log_level = info\n`,
      '3: unknown option "log_level" in [listener site]',
    ],
    [
      'an option of Object.prototype',
      `${listener}[daemon]\nconstructor = 1\n`,
      '4: unknown option "constructor" in [daemon]',
    ],
    ['a section mistyped', '[deamon]\n', '1: unknown section [deamon]; did you mean daemon?'],
    ['a section like no other', '[quux]\n', '1: unknown section [quux]'],
    ['a section of Object.prototype', '[constructor]\n', '1: unknown section [constructor]'],
    ['a listener without name', '[listener]\n', '1: [listener] must be written [listener NAME]'],
    ['a daemon with one', '[daemon one]\n', '1: [daemon one] must be written [daemon]'],
    ['a name with spaces', '[listener a b]\n', '1: [listener a b] must be written [listener NAME]'],
    [
      'a name that would not do in a path',
      '[listener ../a]\n',
      '1: the name of [listener ../a] may have lower-case letters, digits, - and _ only',
    ],
    [
      'a realm that nobody serves',
      `${listener}[realm shop]\n`,
      '3: no listener serves the realm shop',
    ],
    ['a line without =', `${listener}mode 600\n`, /^3: expected "key = value"/],
    ['an option twice', `${listener}mode = 600\nMODE = 660\n`, /^4: "mode" is given twice/],
  ])('%s', (_, text, wanted) => {
    const message = refusal(text)
    expect(message.startsWith('/etc/relyd.cfg:')).toBe(true)
    const rest = message.slice('/etc/relyd.cfg:'.length)
    if (typeof wanted === 'string') expect(rest).toBe(wanted)
    else expect(rest).toMatch(wanted)
  })

  test("of listener and realm are not the operator's own", () => {
    expect(refusal('[listener admin]\naddress = tcp:127.0.0.1:0\n')).toBe(
      '/etc/relyd.cfg:1: the name of [listener admin] is the operator\'s own name, "admin"; choose another',
    )
    expect(refusal(`${listener}realm = admin\n`)).toContain('choose another')
  })

  test('of a realm obey the same rule in a listener', () => {
    expect(refusal(`${listener}realm = Shop\n`)).toBe(
      '/etc/relyd.cfg:3: realm may have lower-case letters, digits, - and _ only',
    )
  })

  test('no listener at all is told with the lines to add', () => {
    expect(refusal('[daemon]\n')).toBe(
      '/etc/relyd.cfg: there is no listener; add a section [listener site] with address = unix:/run/relyd/relyd.sock',
    )
  })
})

describe('paths', () => {
  const daemon = (lines: string, environment: NodeJS.ProcessEnv = {}) =>
    read(`[daemon]\n${lines}\n${listener}`, environment).daemon

  test('start at the state directory', () => {
    expect(daemon('')).toMatchObject({
      state_directory: '/var/lib/relyd',
      database: '/var/lib/relyd/store/relyd.db',
      key_file: '/var/lib/relyd/keys/store.key',
    })
    expect(daemon('state_directory = /srv/x\ndatabase = a.db')).toMatchObject({
      state_directory: '/srv/x',
      database: '/srv/x/a.db',
      key_file: '/srv/x/keys/store.key',
    })
  })

  test('start at the one that systemd made, where the file names none', () => {
    const environment = { STATE_DIRECTORY: '/var/lib/private/relyd' }
    expect(daemon('', environment)).toMatchObject({
      state_directory: '/var/lib/private/relyd',
      database: '/var/lib/private/relyd/store/relyd.db',
    })
    expect(daemon('state_directory = /srv/x', environment).state_directory).toBe('/srv/x')
    expect(daemon('', { STATE_DIRECTORY: '' }).state_directory).toBe('/var/lib/relyd')
  })

  test('that are whole stay as they are', () => {
    expect(daemon('key_file = /etc/relyd/store.key').key_file).toBe('/etc/relyd/store.key')
  })
})

describe('the file', () => {
  test('that is not there is named, with the option that names another', () => {
    expect(() => loadConfig('/nowhere/relyd.cfg', {})).toThrow(
      new StartError(
        "/nowhere/relyd.cfg: there is no such file; name the daemon's configuration with --config",
      ),
    )
  })

  test('is read from its path', () => {
    const folder = mkdtempSync(join(tmpdir(), 'relyd-config-'))
    try {
      const path = join(folder, 'relyd.cfg')
      writeFileSync(path, `\uFEFF${listener}`)
      expect(loadConfig(path, {})).toMatchObject({ path, listeners: [{ name: 'site' }] })
      expect(() => loadConfig(folder, {})).toThrow(/cannot be read \(EISDIR\)/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
