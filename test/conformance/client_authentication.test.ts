/** How a client authenticates at every endpoint where it does (OIDC Core 9, RFC 7523, RFC 6749 2.3). */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Alg,
  type Asked,
  type BentClient,
  BentOp,
  BentSite,
  expectNoSecrets,
  makeKey,
  readJwt,
  signJwt,
  withMembers,
} from '../support/bent_op/index.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const redirect_uri = 'https://site.example/callback'

/** One for all, as to make keys takes a while. */
const key = makeKey('ES256')

let daemon: TestDaemon
let wire: Wire
let admin: Wire
const ops: BentOp[] = []

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { log_level: 'trace' } })
  wire = await Wire.connect(daemon.socket)
  admin = await Wire.connect(daemon.admin_socket)
})

afterAll(async () => {
  wire?.[Symbol.dispose]()
  admin?.[Symbol.dispose]()
  await daemon?.stop()
  expectNoSecrets(daemon.log, ...ops)
  // Assertions among them.
  expect(daemon.output).not.toContain('eyJ')
  expect(daemon.output).not.toContain('PRIVATE KEY')
  await daemon?.[Symbol.asyncDispose]()
  await Promise.all(ops.map((op) => op[Symbol.asyncDispose]()))
})

async function startOp(metadata: object): Promise<BentOp> {
  const op = await BentOp.start({ alg: 'ES256', key, metadata: { ...metadata } })
  ops.push(op)
  return op
}

/** The site's tokens in every request that a client authenticates, from login to logout. */
async function useEverywhere(site: BentSite): Promise<Asked[]> {
  const { op, oxd_id } = site
  const start = op.asked.length
  const login = await site.accepts({ request: { scope: ['openid', 'offline_access'] } })
  const { refresh_token } = login
  const refreshed = await wire.ok('get_access_token_by_refresh_token', { oxd_id, refresh_token })
  const { access_token } = refreshed
  const answer = await wire.ok('introspect_access_token', { oxd_id, access_token })
  expect(answer).toMatchObject({ active: true, sub: 'alice' })
  expect(await wire.ok('revoke_token', { oxd_id, token: access_token })).toEqual({ revoked: true })
  expect(op.isActive(access_token)).toBe(false)
  const forms = op.asked
    .slice(start)
    .filter(({ endpoint }) => /^(token|introspection|revocation)$/.test(endpoint))
  expect(forms.map(({ endpoint }) => endpoint).sort()).toEqual([
    'introspection',
    'revocation',
    'token',
    'token',
  ])
  return forms
}

/** RFC 6749 2.3: one method in each request, and nothing secret in an address. */
function expectMethod(asked: Asked, method: string): void {
  const form = new URLSearchParams(asked.body)
  const isBasic = asked.headers.authorization !== undefined
  expect(asked.url).not.toContain('?')
  expect({
    basic: isBasic,
    post: form.has('client_secret'),
    jwt: form.has('client_assertion'),
    client_id: form.has('client_id'),
  }).toEqual({
    basic: method === 'client_secret_basic',
    post: method === 'client_secret_post',
    jwt: method.endsWith('_jwt'),
    client_id: method !== 'client_secret_basic',
  })
}

/** OIDC Core 9, RFC 7523 3: made for this request, for this OP alone, and for a short while. */
function expectAssertions(forms: Asked[], op: BentOp, alg: string): void {
  const read = forms.map(({ body }) =>
    readJwt(new URLSearchParams(body).get('client_assertion') ?? ''),
  )
  for (const { header, claims } of read) {
    expect(header['alg']).toBe(alg)
    expect(claims['aud']).toBe(op.issuer)
    expect(claims['iss']).toBe(claims['sub'])
    const lifetime = Number(claims['exp']) - Number(claims['iat'])
    expect(lifetime).toBeGreaterThan(0)
    expect(lifetime).toBeLessThanOrEqual(300)
    expect(Math.abs(Number(claims['iat']) - Date.now() / 1000)).toBeLessThan(60)
  }
  const jtis = read.map(({ claims }) => claims['jti'])
  expect(new Set(jtis).size).toBe(forms.length)
}

describe('P22 rp-registration-well-formed-jwk, as relyd registers', () => {
  test.each<[name: string, method: string, alg?: Alg]>([
    ['none', 'none'],
    ['oidcc-client-test-client-secret-basic', 'client_secret_basic'],
    ['rp-token_endpoint-client_secret_post', 'client_secret_post'],
    ['rp-token_endpoint-client_secret_jwt', 'client_secret_jwt', 'HS256'],
    ['rp-token_endpoint-private_key_jwt', 'private_key_jwt', 'RS256'],
    ['private_key_jwt by PS256', 'private_key_jwt', 'PS256'],
    ['private_key_jwt by ES256', 'private_key_jwt', 'ES256'],
    ['private_key_jwt by EdDSA', 'private_key_jwt', 'EdDSA'],
  ])('%s: at login, refresh, introspection and revocation', async (_, method, alg) => {
    const op = await startOp({
      token_endpoint_auth_methods_supported: ['tls_client_auth', method],
      ...(alg && { token_endpoint_auth_signing_alg_values_supported: ['ES256K', alg] }),
    })
    const site = await BentSite.register(wire, op)
    const registered = JSON.parse(op.last('registration').body)
    expect(registered.token_endpoint_auth_method).toBe(method)
    expect(registered.token_endpoint_auth_signing_alg).toBe(alg)
    const forms = await useEverywhere(site)
    for (const form of forms) expectMethod(form, method)
    if (alg) expectAssertions(forms, op, alg)

    // What the OP was told, and nothing private.
    const { keys } = await wire.ok('get_rp_jwks', { oxd_id: site.oxd_id })
    expect(registered.jwks?.keys ?? []).toEqual(keys)
    expect(keys).toHaveLength(method === 'private_key_jwt' ? 1 : 0)
    expect(JSON.stringify(keys)).not.toMatch(/"(d|p|q|dp|dq|qi|k|oth)":/)
  })

  test('P23 S36 an assertion is of no use at another OP: its audience is the issuer alone', async () => {
    const methods = { token_endpoint_auth_methods_supported: ['private_key_jwt'] }
    const [op, other] = [await startOp(methods), await startOp(methods)]
    const site = await BentSite.register(wire, op)
    await site.accepts()
    const form = new URLSearchParams(op.last('token').body)
    const { claims } = readJwt(form.get('client_assertion') ?? '')
    // One text: in a list, another could stand beside it (draft-ietf-oauth-rfc7523bis).
    expect(claims['aud']).toBe(op.issuer)
    expect(claims['aud']).not.toBe(op.metadata['token_endpoint'])
    const [client] = op.clients.values()
    other.addClient(client as BentClient)
    const reply = await fetch(other.address('token'), { method: 'POST', body: form })
    expect(await reply.json()).toEqual({
      error: 'invalid_client',
      error_description: "the assertion's aud",
    })
  })

  test('a shared secret goes before a key, and a key before nothing', async () => {
    for (const [offered, method] of [
      [['private_key_jwt', 'client_secret_basic', 'none'], 'client_secret_basic'],
      [['none', 'client_secret_jwt', 'private_key_jwt'], 'private_key_jwt'],
      [['none', 'client_secret_jwt'], 'client_secret_jwt'],
    ] as const) {
      const op = await startOp({ token_endpoint_auth_methods_supported: offered })
      await (await BentSite.register(wire, op)).accepts()
      expect(JSON.parse(op.last('registration').body).token_endpoint_auth_method).toBe(method)
    }
  })

  test('a site asks for private_key_jwt where more is offered', async () => {
    const offered = ['client_secret_basic', 'private_key_jwt']
    const op = await startOp({ token_endpoint_auth_methods_supported: offered })
    const site = await BentSite.register(wire, op, {
      token_endpoint_auth_method: 'private_key_jwt',
    })
    const [form] = await useEverywhere(site)
    // OIDC Discovery 3: what an OP takes that does not say.
    expectAssertions([form as Asked], op, 'RS256')
  })

  test('an OP that signs with nothing that relyd has a key for is not asked', async () => {
    const op = await startOp({
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: ['ES256K'],
    })
    const params = { op_host: op.issuer, authorization_redirect_uri: redirect_uri }
    expect(await wire.refused('register_site', params)).toMatchObject({
      error: 'invalid_request',
      error_description: expect.stringContaining('ES256K'),
    })
    expect(op.calls()).toEqual({ discovery: 1, jwks: expect.any(Number) })
  })

  test.each([
    ['for another algorithm than its key is of', { token_endpoint_auth_signing_alg: 'ES384' }],
    ['for an encryption that it has no key for', { id_token_encrypted_response_alg: 'RSA-OAEP' }],
    ['for a method that nobody has heard of', { token_endpoint_auth_method: 'by_smile' }],
  ])('an OP that registers the site %s: the client is removed there again', async (_, answered) => {
    const op = await startOp({
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: ['ES256'],
    })
    op.bend({ registration: withMembers(answered) })
    const params = { op_host: op.issuer, authorization_redirect_uri: redirect_uri }
    expect(await wire.refused('register_site', params)).toMatchObject({
      error: 'invalid_op_response',
    })
    op.straighten()
    expect(op.calls()).toMatchObject({ registration: 1, client: 1 })
    await (await BentSite.register(wire, op)).accepts()
  })
})

describe('a client that the OP’s operator issued', () => {
  const long_secret = 'a secret that has no less than sixty-four bytes, as HS512 wants it to have'

  test.each(['HS256', 'HS384', 'HS512'] as const)('client_secret_jwt by %s', async (alg) => {
    const op = await startOp({ token_endpoint_auth_methods_supported: ['client_secret_jwt'] })
    const client_id = `client ${alg}`
    op.addClient({
      client_id,
      client_secret: long_secret,
      token_endpoint_auth_method: 'client_secret_jwt',
      token_endpoint_auth_signing_alg: alg,
      redirect_uris: [redirect_uri],
    })
    const { oxd_id } = await admin.ok('add_site', {
      name: alg.toLowerCase(),
      op_host: op.issuer,
      client_id,
      client_secret: long_secret,
      signing_alg: alg,
      auth_method: 'client_secret_jwt',
      redirect_uris: [redirect_uri],
    })
    const site = new BentSite(wire, op, oxd_id)
    expectAssertions(await useEverywhere(site), op, alg)

    // A new secret alone changes nothing else.
    const client_secret = `another, ${long_secret}`
    op.addClient({ ...(op.clients.get(client_id) as BentClient), client_secret })
    await admin.ok('update_site', { site: alg.toLowerCase(), client_secret })
    await site.accepts()
  })

  test('a secret that is too short for its algorithm is refused where it is given', async () => {
    const op = await startOp({ token_endpoint_auth_methods_supported: ['client_secret_jwt'] })
    const issued = { op_host: op.issuer, client_id: 'short', client_secret: 'too short for it' }
    const params = { authorization_redirect_uri: redirect_uri, ...issued }
    expect(await wire.refused('register_site', params)).toMatchObject({
      error: 'invalid_request',
      details: { field: 'client_secret' },
    })
    const add = { name: 'short', auth_method: 'client_secret_jwt', redirect_uris: [redirect_uri] }
    expect(
      await admin.refused('add_site', {
        ...add,
        ...issued,
        client_secret: 'just long enough for SHA-256, and no more',
        signing_alg: 'HS384',
      }),
    ).toMatchObject({ error: 'invalid_request', details: { field: 'client_secret' } })
  })

  test('a site cannot say that an issued client has a key: only its operator can', async () => {
    const op = await startOp({ token_endpoint_auth_methods_supported: ['private_key_jwt'] })
    expect(
      await wire.refused('register_site', {
        op_host: op.issuer,
        authorization_redirect_uri: redirect_uri,
        client_id: 'issued',
        token_endpoint_auth_method: 'private_key_jwt',
      }),
    ).toMatchObject({
      error: 'invalid_request',
      details: { field: 'token_endpoint_auth_method' },
    })
  })
})

describe('workload identity: an assertion in a file that the platform renews', () => {
  const platform = makeKey('ES256')
  let folder: string
  let path: string
  let op: BentOp
  let site: BentSite
  let made = 0

  const now = () => Math.floor(Date.now() / 1000)

  /** As a platform does it: a new file in the place of the old one. */
  function renew(claims: object = {}, end = '\n'): string {
    made += 1
    const jwt = signJwt(
      { alg: 'ES256', kid: platform.kid },
      {
        iss: 'workload',
        sub: 'workload',
        aud: op.issuer,
        exp: now() + 300,
        jti: `${made}`,
        ...claims,
      },
      platform,
    )
    writeFileSync(`${path}.new`, jwt + end)
    renameSync(`${path}.new`, path)
    return jwt
  }

  const add = (client_assertion_file: string, name = 'workload') =>
    admin.call('add_site', {
      name,
      op_host: op.issuer,
      client_id: 'workload',
      client_assertion_file,
      redirect_uris: [redirect_uri],
    })

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'relyd-assertion-'))
    path = join(folder, 'token')
    op = await startOp({ token_endpoint_auth_methods_supported: ['private_key_jwt'] })
    op.addClient({
      client_id: 'workload',
      token_endpoint_auth_method: 'client_assertion',
      takes: (form) => form.get('client_assertion') === current,
      redirect_uris: [redirect_uri],
    })
    current = renew()
    const { status, data } = await add(path)
    expect({ status, data }).toMatchObject({
      status: 'ok',
      data: { auth_method: 'assertion_file' },
    })
    site = new BentSite(wire, op, data.oxd_id)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** What the OP takes; an assertion may be used more than once while it lasts. */
  let current = ''

  test('is read at each use: login, refresh, introspection and revocation', async () => {
    const forms = await useEverywhere(site)
    for (const form of forms) expectMethod(form, 'private_key_jwt')
    for (const { body } of forms) {
      const form = new URLSearchParams(body)
      expect(form.get('client_assertion')).toBe(current)
      expect(form.get('client_id')).toBe('workload')
    }
    current = renew({}, '')
    await site.accepts()
    const login = await site.accepts({ request: { scope: ['openid', 'offline_access'] } })
    current = renew({}, '\r\n')
    const { oxd_id } = site
    const { refresh_token } = login
    await wire.ok('get_access_token_by_refresh_token', { oxd_id, refresh_token })
  })

  test.each<[name: string, spoil: () => void, why: RegExp]>([
    ['is missing', () => rmSync(path), /cannot be read \(ENOENT\)/],
    ['has expired', () => renew({ exp: now() - 5 }), /expired \d+ seconds ago/],
    ['says no exp', () => renew({ exp: undefined }), /without exp/],
    ['is empty', () => writeFileSync(path, ''), /does not hold a signed JWT/],
    [
      'holds two',
      () => writeFileSync(path, `${current}\n${current}`),
      /does not hold a signed JWT/,
    ],
    ['is not signed', () => writeFileSync(path, `${unsigned()}`), /does not hold a signed JWT/],
    ['is very long', () => writeFileSync(path, 'e'.repeat(1e6)), /more than 16384 bytes/],
    [
      'is a folder',
      () => {
        rmSync(path)
        renameSync(mkdtempSync(join(folder, 'x')), path)
      },
      /is no file/,
    ],
  ])(
    'that %s: the OP is not asked, and only the log says which file it is',
    async (_, spoil, why) => {
      const begun = await site.begin()
      const start = op.asked.length
      const lines = daemon.log.length
      spoil()
      const reply = await wire.call('get_tokens_by_callback', begun)
      rmSync(path, { force: true, recursive: true })
      current = renew()
      expect(reply).toMatchObject({
        status: 'error',
        data: {
          error: 'no_client_assertion',
          error_description: expect.stringMatching(/; start the login again later$/),
          retryable: false,
          details: { login_retry: 'later' },
        },
      })
      expect(op.calls(start)).toEqual({})
      expect(JSON.stringify(reply)).not.toContain(folder)
      await expect
        .poll(() => daemon.log.slice(lines).find(({ msg }) => msg === 'no client assertion'))
        .toMatchObject({
          level: 50,
          why: expect.stringMatching(why),
          request_id: reply.data.request_id,
        })
      const [line] = daemon.log.slice(lines).filter(({ msg }) => msg === 'no client assertion')
      expect(line?.['why']).toContain(path)
      await site.accepts()
    },
  )

  test('the operator is told at once what is wrong with it, and of which path', async () => {
    for (const [file, why] of [
      ['token', /absolute path/],
      [join(folder, 'nowhere'), /nowhere cannot be read \(ENOENT\)/],
      ['/dev/zero', /is no file/],
    ] as const) {
      const { status, data } = await add(file, 'other')
      expect({ status, data }).toMatchObject({
        status: 'error',
        data: {
          error: 'invalid_request',
          error_description: expect.stringMatching(why),
          details: { field: 'client_assertion_file' },
        },
      })
    }
  })

  test('is added on the command line, with its path in the place of a secret', async () => {
    const add = ['sites', 'add', 'on-line', '--config', daemon.config, '--op', op.issuer]
    const client = ['--client-id', 'workload', '--redirect-uri', redirect_uri]
    const told = await relyd([...add, ...client, '--client-assertion-file', path])
    expect(told.status).toBe(0)
    expect(told.stdout).toContain('the client workload (assertion_file) must have')
    expect(told.stdout).not.toContain(current)
    const refused = await relyd([...add, ...client, '--client-assertion-file', 'token'])
    expect(refused.stderr).toContain('--client-assertion-file must be an absolute path')
  })

  test('what an OP answers to a registration names no file', async () => {
    const other = await startOp({ token_endpoint_auth_methods_supported: ['private_key_jwt'] })
    other.bend({ registration: withMembers({ client_assertion_file: path }) })
    const site = await BentSite.register(wire, other)
    other.straighten()
    await site.accepts()
    expect(other.last('token').body).not.toContain(current)
    const shown = await admin.ok('show_site', { site: site.oxd_id })
    expect(shown.auth_method).toBe('private_key_jwt')
    expect(shown).not.toHaveProperty('client_assertion_file')
  })

  test('an export carries the path, and an import reads it', async () => {
    const { sites } = await admin.ok('export_sites')
    const exported = sites.find(({ name }: { name: string }) => name === 'workload')
    expect(exported).toMatchObject({ auth_method: 'assertion_file', client_assertion_file: path })
    expect(JSON.stringify(exported)).not.toContain(current)
    expect(await admin.ok('import_sites', { sites: [exported] })).toMatchObject({
      sites: [{ outcome: 'unchanged' }],
    })
  })

  function unsigned(): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    return `${part({ alg: 'none' })}.${part({ exp: now() + 300 })}.AAAA`
  }
})
