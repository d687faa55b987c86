/** Environment variables take the place of a cfg's keys, and say so when they are wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Environment } from './environment.js'
import { ConfigError } from './errors.js'
import { readSiteConfig } from './site_config.js'
import { clientKeys, oxdKeys } from './site_keys.js'

const REDIRECT = 'https://site.example/callback'
const warn = vi.spyOn(process, 'emitWarning')

beforeEach(() => {
  warn.mockImplementation(() => {})
})

afterEach(() => {
  warn.mockReset()
})

function newCfg(oxd = '', client = ''): string {
  const folder = mkdtempSync(join(tmpdir(), 'relyd-sdk-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'site.cfg')
  const text = `[oxd]\n${oxd}[client]\nauthorization_redirect_uri = ${REDIRECT}\n${client}`
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

test('every key has a variable, and an empty one counts as absent', () => {
  const client = {
    RELYD_AUTHORIZATION_REDIRECT_URI: 'https://env.example/cb',
    RELYD_OP_HOST: 'https://op.env.example',
    RELYD_OP_DISCOVERY_PATH: '/x',
    RELYD_POST_LOGOUT_REDIRECT_URI: 'https://env.example/bye',
    RELYD_REDIRECT_URIS: 'https://env.example/a, https://env.example/b',
    RELYD_SCOPE: 'openid email',
    RELYD_ACR_VALUES: 'a,b',
    RELYD_UI_LOCALES: 'de',
    RELYD_CLAIMS_LOCALES: 'de',
    RELYD_CONTACTS: 'a@env.example',
    RELYD_CLIENT_NAME: ' 100% "Shop" ; #1 ',
    RELYD_CLIENT_ID: 'shop',
    RELYD_CLIENT_SECRET: '%(x)s',
    RELYD_TOKEN_ENDPOINT_AUTH_METHOD: 'client_secret_post',
    RELYD_LOGIN_BINDING: 'none',
    RELYD_TOKENS: 'daemon',
  }
  const path = newCfg('timeout = 1\n', 'client_name = Shop\nlogout_redirect_uri = https://a/\n')
  const env = { ...client, RELYD_ID: 'abc', RELYD_TIMEOUT: '2', RELYD_SOCKET: 'x.sock' }
  const config = readSiteConfig(path, env)
  expect(config).toMatchObject({
    address: { path: join(path, '../x.sock') },
    id: 'abc',
    timeout_ms: 2000,
    registration: {
      authorization_redirect_uri: 'https://env.example/cb',
      post_logout_redirect_uri: 'https://env.example/bye',
      redirect_uris: ['https://env.example/a', 'https://env.example/b'],
      scope: ['openid', 'email'],
      client_name: '100% "Shop" ; #1',
      client_secret: '%(x)s',
    },
  })
  expect(Object.keys(config.registration)).toHaveLength(Object.keys(client).length)
  expect(readSiteConfig(path, { RELYD_TIMEOUT: '', RELYD_CLIENT_NAME: ' ' })).toMatchObject({
    timeout_ms: 1000,
    registration: { client_name: 'Shop' },
  })
  expect(readSiteConfig(path, {})).toEqual(readSiteConfig(path, { PATH: '/', OXD_ID: 'x' }))
  expect(warn).not.toHaveBeenCalled()
})

test('process.env is what counts unless another is given', () => {
  vi.stubEnv('RELYD_TIMEOUT', '7')
  onTestFinished(() => {
    vi.unstubAllEnvs()
  })
  expect(readSiteConfig(newCfg()).timeout_ms).toBe(7000)
  expect(readSiteConfig(newCfg(), {}).timeout_ms).toBeUndefined()
})

test.each<[string, string, Environment, object]>([
  ['a socket', 'host = ::1\nport = 9\n', { RELYD_SOCKET: '/x' }, { path: '/x' }],
  ['a host', 'socket = /x\n', { RELYD_HOST: '::1' }, { host: '::1', port: 8099 }],
  ['a port', 'socket = /x\n', { RELYD_PORT: '9' }, { host: 'localhost', port: 9 }],
  ['a port alone', 'host = ::1\nport = 8\n', { RELYD_PORT: '9' }, { host: '::1', port: 9 }],
  [
    'no port of a service',
    '',
    { RELYD_PORT: 'tcp://10.0.0.1:80' },
    { host: 'localhost', port: 8099 },
  ],
])('%s takes the place of the address in the cfg', (_, oxd, env, address) => {
  const { variables: _variables, ...rest } = readSiteConfig(newCfg(oxd), env).address
  expect(rest).toEqual(address)
})

test('an id or a key takes the place of both in the cfg', () => {
  const path = newCfg('id = a\nidempotency_key = b\n')
  expect(readSiteConfig(path, {})).toMatchObject({ id: 'a', given: undefined })
  expect(readSiteConfig(path, { RELYD_ID: 'c' })).toMatchObject({
    id: 'c',
    given: { id: 'c', variable: 'RELYD_ID' },
  })
  expect(readSiteConfig(path, { RELYD_IDEMPOTENCY_KEY: 'd' })).toMatchObject({
    id: undefined,
    given: { idempotency_key: 'd', variable: 'RELYD_IDEMPOTENCY_KEY' },
  })
})

test('a faulty value in the cfg does no harm where a variable takes its place', () => {
  const path = newCfg(
    'host = %(nowhere)s\nid = 5%\n',
    'client_id = shop\nclient_secret = a%b\nclient_name = %(shop)s, 5%\nshop = The Shop\n',
  )
  const env = {
    RELYD_CLIENT_NAME: 'Shop',
    RELYD_CLIENT_SECRET_FILE: path,
    RELYD_IDEMPOTENCY_KEY: 'k',
    RELYD_SOCKET: '/x',
  }
  expect(() => readSiteConfig(path, env)).toThrow(/RELYD_CLIENT_SECRET_FILE: .* must hold one line/)
  const { RELYD_CLIENT_SECRET_FILE: _, ...others } = env
  expect(() => readSiteConfig(path, others)).toThrow(/"client_secret" has a single %/)
  expect(readSiteConfig(path, { ...others, RELYD_CLIENT_SECRET: 'b' })).toMatchObject({
    address: { path: '/x' },
    id: undefined,
    registration: { client_secret: 'b', client_name: 'Shop' },
  })
  // Nor is "shop" said to be of no use, which it has as soon as the variable is gone.
  expect(warn).not.toHaveBeenCalled()
})

describe('a client in the cfg', () => {
  const client = 'client_id = shop\nclient_secret = s\n'

  test('keeps its secret from another one that the environment names', () => {
    const path = newCfg('', client)
    const { registration } = readSiteConfig(path, { RELYD_CLIENT_ID: 'blog' })
    expect(registration).toMatchObject({ client_id: 'blog' })
    expect(registration).not.toHaveProperty('client_secret')
    expect(warn.mock.calls.map(([message]) => message)).toEqual([
      expect.stringContaining(`${path}:5: the client_secret is not used, as RELYD_CLIENT_ID names`),
    ])
  })

  test('gives way to another one with its secret, without a word', () => {
    const env = { RELYD_CLIENT_ID: 'blog', RELYD_CLIENT_SECRET: 't' }
    for (const secret of ['client_secret = s\n', 'client_secret_file = nowhere\n']) {
      const path = newCfg('', `client_id = shop\n${secret}`)
      expect(readSiteConfig(path, env).registration).toMatchObject({
        client_id: 'blog',
        client_secret: 't',
      })
    }
    expect(warn).not.toHaveBeenCalled()
  })

  test.each([
    ['another OP', 'op_host = https://a.example\n', 'the "op_host" on line 4'],
    ['an OP while the file leaves it to relyd', '', 'the file, which has no "op_host"'],
  ])('is not sent to %s that the environment names', (_, op, named) => {
    const path = newCfg('', `${op || '\n'}${client}`)
    const env = { RELYD_OP_HOST: 'https://b.example' }
    expect(() => readSiteConfig(path, env)).toThrow(ConfigError)
    expect(() => readSiteConfig(path, env)).toThrow(
      `${path}: RELYD_OP_HOST: names another OP than ${named}, and the "client_id" on line 5 is not for it: set RELYD_CLIENT_ID too`,
    )
    expect(readSiteConfig(path, { ...env, RELYD_CLIENT_ID: 'blog' }).registration).toEqual({
      authorization_redirect_uri: REDIRECT,
      op_host: 'https://b.example',
      client_id: 'blog',
    })
  })

  test('goes to its own OP, whoever names that', () => {
    const path = newCfg('', `op_host = https://a.example\n${client}`)
    expect(readSiteConfig(path, { RELYD_OP_HOST: 'https://a.example' }).registration).toMatchObject(
      { client_id: 'shop', client_secret: 's' },
    )
  })
})

test.each<[Environment, string, RegExp]>([
  [{ RELYD_PORT: 'http' }, 'RELYD_PORT', /"port" must be a number from 1 to 65535, not "http"/],
  [{ RELYD_HOST: 'a b' }, 'RELYD_HOST', /"host" must be a name or an address/],
  [{ RELYD_HOST: '10.0.0.1' }, 'RELYD_HOST', /"host" is another host/],
  [{ RELYD_SOCKET: '/x', RELYD_HOST: 'y' }, 'RELYD_HOST', /by socket by RELYD_SOCKET and by host/],
  [{ RELYD_TIMEOUT: '-1' }, 'RELYD_TIMEOUT', /"timeout" must be a positive number/],
  [{ RELYD_TLS_CA: '/nowhere' }, 'RELYD_TLS_CA', /"tls_certificate" is missing/],
  [{ RELYD_ID: 'a\nb' }, 'RELYD_ID', /"id" takes one line/],
  [{ RELYD_TOKENS: 'all' }, 'RELYD_TOKENS', /"tokens" must be site or daemon/],
  [{ RELYD_OP_HOST: 'https://a b' }, 'RELYD_OP_HOST', /"op_host" must be an OP's address/],
  [{ RELYD_REDIRECT_URIS: 'x' }, 'RELYD_REDIRECT_URIS', /must be an absolute URI/],
  [{ RELYD_CLIENT_SECRET: 'x' }, 'RELYD_CLIENT_SECRET', /belongs to a "client_id"/],
  [{ RELYD_CLIENT_SECRET_FILE: 'x' }, 'RELYD_CLIENT_SECRET_FILE', /x cannot be read \(ENOENT\)/],
])('%j is refused, naming the variable', (env, variable, message) => {
  const path = newCfg()
  const attempt = () => readSiteConfig(path, env)
  expect(attempt).toThrow(ConfigError)
  expect(attempt).toThrow(`${path}: ${variable}: `)
  expect(attempt).toThrow(message)
  expect(attempt).toThrow(expect.objectContaining({ path, line: undefined, variable }))
})

test('a variable that is none of ours is warned about once, with what it may mean', () => {
  const env = {
    RELYD_SOKET: '/x',
    RELYD_NOTHING_LIKE_IT: 'x',
    RELYD_EMPTY: '',
    RELYD_CFG: '/etc/site.cfg',
    RELYD_SERVICE_HOST: '10.0.0.1',
    RELYD_PORT_8099_TCP_ADDR: '10.0.0.1',
  }
  readSiteConfig(newCfg(), env)
  readSiteConfig(newCfg(), env)
  expect(warn.mock.calls.map(([message]) => message)).toEqual([
    "the environment variable RELYD_SOKET is not used by relyd's SDK; did you mean RELYD_SOCKET?",
    "the environment variable RELYD_NOTHING_LIKE_IT is not used by relyd's SDK",
  ])
})

test('no key of one section has the variable of another', () => {
  expect([...oxdKeys].filter((key) => clientKeys.has(key))).toEqual([])
})
