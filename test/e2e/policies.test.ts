/** What a site or realm may set: who sees tokens, whether logins are bound, and what `iss` may be left out. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { Wire } from '../support/wire.js'

const redirect_uri = 'http://site.example/callback'
const TOKENS = ['access_token', 'refresh_token', 'id_token']

let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start({
    sections:
      '[listener strict]\naddress = unix:{folder}/strict.sock\nrealm = strict\n[realm strict]\ntokens = daemon',
  })
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

async function logIn(wire: Wire, oxd_id: string, request: object = {}) {
  const login = await wire.ok('get_authorization_url', { oxd_id, ...request })
  const callback = await new EndUser().logIn(login.authorization_url)
  return { callback, binding: login.binding, params: new URL(callback).searchParams }
}

test.each([
  ['a site', 'relyd.sock', { tokens: 'daemon' }],
  ['a realm', 'strict.sock', { tokens: 'site' }],
])('%s with tokens = daemon sees none, and asks by session', async (_who, socket, setting) => {
  using wire = await Wire.connect(`${daemon.folder}/${socket}`)
  const { oxd_id } = await wire.ok('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri: redirect_uri,
    scope: ['openid', 'profile', 'offline_access'],
    ...setting,
  })
  expect((await wire.ok('get_site', { oxd_id })).tokens).toBe('daemon')
  const { callback, binding } = await logIn(wire, oxd_id, { prompt: 'consent' })
  const login = await wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
  expect(Object.keys(login).filter((name) => TOKENS.includes(name))).toEqual([])
  // No member is a JWT either, whatever its name.
  expect(JSON.stringify(login)).not.toMatch(/eyJ[\w-]+\.[\w-]+\./)
  const { claims } = await wire.ok('get_user_info', { oxd_id, session_id: login.session_id })
  expect(claims.name).toBe('Alice Ångström')
})

test('a site that asks for offline access gets a refresh token', async () => {
  using wire = await Wire.connect(daemon.socket)
  const { oxd_id } = await wire.ok('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri: redirect_uri,
    scope: ['openid', 'offline_access'],
  })
  const { callback, binding } = await logIn(wire, oxd_id, { prompt: 'consent' })
  const login = await wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
  expect(login).toMatchObject({
    refresh_token: expect.any(String),
    expires_in: expect.any(Number),
    scope: expect.stringContaining('offline_access'),
  })
})

test('a site with login_binding = none completes a login without binding, and the log warns', async () => {
  using wire = await Wire.connect(daemon.socket)
  const { oxd_id } = await wire.ok('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri: redirect_uri,
    login_binding: 'none',
  })
  const { callback } = await logIn(wire, oxd_id)
  expect((await wire.ok('get_tokens_by_callback', { oxd_id, callback })).sub).toBe('alice')
  expect(daemon.log).toContainEqual(
    expect.objectContaining({ level: 40, msg: expect.stringContaining('login_binding') }),
  )
})

test('`iss` may be left out only where all logins of a redirect URI go to one OP', async () => {
  using wire = await Wire.connect(daemon.socket)
  const authorization_redirect_uri = 'http://shared.example/callback'
  const { oxd_id } = await wire.ok('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri,
  })
  const byCode = async (extra: object = {}) => {
    const { params, binding } = await logIn(wire, oxd_id)
    const parts = { code: params.get('code'), state: params.get('state'), binding, ...extra }
    return wire.call('get_tokens_by_code', { oxd_id, ...parts })
  }
  expect((await byCode()).status).toBe('ok')

  const other = await startOp()
  try {
    await wire.ok('register_site', { op_host: other.issuer, authorization_redirect_uri })
    expect((await byCode()).data.error).toBe('invalid_issuer')
    expect((await byCode({ iss: other.issuer })).data.error).toBe('invalid_issuer')
    expect((await byCode({ iss: op.issuer })).status).toBe('ok')
  } finally {
    await other.close()
  }
})

test('nothing secret reaches the log', async () => {
  using wire = await Wire.connect(daemon.socket)
  const idempotency_key = 'a-key-that-only-the-site-knows-0123456789ab'
  const { oxd_id } = await wire.ok('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri: redirect_uri,
    idempotency_key,
  })
  const { client_id } = await wire.ok('get_site', { oxd_id })
  const { callback, binding, params } = await logIn(wire, oxd_id)
  const login = await wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
  await wire.ok('get_user_info', { oxd_id, access_token: login.access_token })
  await wire.refused('get_user_info', { oxd_id, access_token: `${login.access_token}x` })
  await wire.refused('get_tokens_by_callback', { oxd_id, callback, binding })
  await wire.ok('get_logout_uri', { oxd_id, session_id: login.session_id })
  const client = await op.provider.Client.find(client_id)
  const secrets = {
    oxd_id,
    idempotency_key,
    binding,
    client_secret: client?.clientSecret,
    code: params.get('code'),
    state: params.get('state'),
    nonce: login.id_token_claims.nonce,
    session_id: login.session_id,
    access_token: login.access_token,
    id_token: login.id_token,
  }
  const log = JSON.stringify(daemon.log)
  expect(log).toContain(oxd_id.slice(0, 8))
  for (const [name, secret] of Object.entries(secrets)) {
    expect(secret, name).toEqual(expect.stringMatching(/.{16}/))
    expect(log.includes(secret as string), `${name} in the log`).toBe(false)
  }
})
