/** Answers to a dynamic registration, its removal, and how a client authenticates (RFC 7591, 7592, 6749 2.3). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Answer,
  answers,
  type Bend,
  type BentClient,
  BentOp,
  BentSite,
  drip,
  expectNoSecrets,
  hang,
  html,
  huge,
  json,
  type Members,
  makeKey,
  redirect,
  reset,
  resetMidBody,
  type Takeover,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const redirect_uri = 'https://site.example/callback?from=op'

let daemon: TestDaemon
let wire: Wire
let op: BentOp

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { op_timeout: 1 } })
  wire = await Wire.connect(daemon.socket)
  op = await BentOp.start()
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

/** @param undone how often the client that the OP made is removed there again */
async function refuses(registration: Bend, refused: Members, undone = 0): Promise<void> {
  // So that the metadata is known, and only the registration counts.
  await BentSite.register(wire, op)
  const start = op.asked.length
  const removals = undone > 0 ? { client: undone } : {}
  await BentSite.refusesToRegister(
    wire,
    op,
    { bends: { registration }, refused, calls: { registration: 1, ...removals } },
    { authorization_redirect_uri: redirect_uri },
  )
  expect(op.calls(start)).toEqual({ registration: 2, token: 1, userinfo: 1, ...removals })
}

const invalid = { error: 'invalid_op_response', retryable: false }
const unreachable = { error: 'op_unreachable', retryable: true }

test('C3 P6 oidcc-client-test-dynamic-registration', async () => {
  const site = await BentSite.register(wire, op, {
    authorization_redirect_uri: redirect_uri,
    redirect_uris: ['https://site.example/other'],
    client_name: 'Ünïcode',
    contacts: ['a@site.example'],
    scope: ['openid', 'email'],
  })
  const { method, headers, body } = op.last('registration')
  expect(method).toBe('POST')
  expect(headers['content-type']).toMatch(/^application\/json/)
  expect(JSON.parse(body)).toEqual({
    redirect_uris: [redirect_uri, 'https://site.example/other'],
    application_type: 'web',
    response_types: ['code'],
    grant_types: ['authorization_code'],
    token_endpoint_auth_method: 'client_secret_basic',
    id_token_signed_response_alg: 'RS256',
    scope: 'openid email',
    client_name: 'Ünïcode',
    contacts: ['a@site.example'],
  })
  await site.accepts()
})

describe('refuses for a registration', () => {
  test.each<[name: string, bend: Bend, refused: Members]>([
    [
      '400 with an OAuth error',
      answers(json({ error: 'invalid_redirect_uri', error_description: 'no' }, 400)),
      {
        error: 'op_error',
        details: { error: 'invalid_redirect_uri', error_description: 'no', http_status: 400 },
      },
    ],
    ['400 with HTML', answers(html(400)), invalid],
    [
      '401 that asks for an initial access token',
      answers(json({}, 401, { 'www-authenticate': 'Bearer error="invalid_token"' })),
      { error: 'op_error', details: { error: 'invalid_token', http_status: 401 } },
    ],
    [
      'P24 200 with an error',
      answers(json({ error: 'invalid_redirect_uri', error_description: 'no' })),
      {
        error: 'op_error',
        details: { error: 'invalid_redirect_uri', error_description: 'no', http_status: 200 },
      },
    ],
    [
      '200 instead of 201',
      (honest) => ({ ...honest, status: 200 }),
      { ...invalid, spec: 'RFC 7591 3.2.1', details: { http_status: 200 } },
    ],
    [
      'no client_id',
      withMembers({ client_id: undefined }),
      { ...invalid, details: { member: 'client_id' } },
    ],
    [
      'client_id not a string',
      withMembers({ client_id: 7 }),
      { ...invalid, details: { member: 'client_id', received: 7 } },
    ],
    [
      'client_secret not a string',
      withMembers({ client_secret: 7 }),
      { ...invalid, details: { member: 'client_secret' } },
    ],
    [
      'client_secret without its expiry (RFC 7591 3.2.1)',
      withMembers({ client_secret_expires_at: undefined }),
      invalid,
    ],
    ['M15 expiry before time began', withMembers({ client_secret_expires_at: -1 }), invalid],
    ['HTML', answers(html(201)), invalid],
    ['302', answers(redirect('/elsewhere')), invalid],
    ['10 MB', answers(huge(10_000_000)), unreachable],
    ['500', answers(json({}, 500)), unreachable],
    ['a reset', answers(reset), unreachable],
    ['a reset mid-body', answers(resetMidBody), unreachable],
    ['no answer', answers(hang), unreachable],
    ['a byte at a time without end', answers(drip), unreachable],
  ])('%s', async (_, bend, refused) => {
    await refuses(bend, refused)
  })

  // With these the site could be made, and each of its logins would fail after the OP's pages.
  test.each<[name: string, members: Members]>([
    ['no secret, though the method needs one', { client_secret: undefined }],
    ['M15 a method that the daemon cannot do', { token_endpoint_auth_method: 'tls_client_auth' }],
    [
      'oidcc-client-test-idtoken-sig-none, M15 ID Tokens without signature',
      { id_token_signed_response_alg: 'none' },
    ],
    ['M15 a secret that has expired already', { client_secret_expires_at: 1_000_000_000 }],
    ['M15 a secret that expires at 1e300', { client_secret_expires_at: 1e300 }],
    ['M15 other redirect URIs than the site has', { redirect_uris: ['https://evil.example/cb'] }],
    ['M15 another response type than the logins ask for', { response_types: ['id_token'] }],
    ['M15 no grant that redeems a code', { grant_types: ['implicit'] }],
  ])('%s', async (_, members) => {
    await refuses(withMembers(members), invalid, 1)
  })
})

describe('honours what the OP registered instead of what was asked for (M15)', () => {
  test('another method of authentication', async () => {
    op.bend({
      registration: (honest) => {
        const body = honest.body as BentClient
        const client = op.clients.get(body.client_id) as BentClient
        client.token_endpoint_auth_method = 'client_secret_post'
        return { ...honest, body: { ...body, ...client } }
      },
    })
    const site = await BentSite.register(wire, op)
    op.straighten()
    await site.accepts()
  })

  test('another algorithm of ID Tokens, and no other from then on', async () => {
    await using other = await BentOp.start()
    const key = makeKey('ES256')
    other.keys = [...other.keys, key.jwk]
    other.bend({ registration: withMembers({ id_token_signed_response_alg: 'ES256' }) })
    const site = await BentSite.register(wire, other)
    other.straighten()
    await site.accepts({ bends: { key } })
    const { data } = await site.attempt()
    expect(data).toMatchObject({ error: 'invalid_id_token_bad_signature' })
  })

  test('no word of an algorithm: RS256 alone (OIDC Registration 2)', async () => {
    await using other = await BentOp.start()
    const key = makeKey('ES256')
    other.keys = [...other.keys, key.jwk]
    other.bend({ registration: withMembers({ id_token_signed_response_alg: undefined }) })
    const site = await BentSite.register(wire, other)
    other.straighten()
    await site.refuses({ bends: { key } }, { error: 'invalid_id_token_bad_signature' })
  })
})

describe('M15 what a site asked for and the OP left out', () => {
  test.each<[asked: string, value: string]>([
    ['id_token_encrypted_response_alg', 'RSA-OAEP-256'],
    ['userinfo_encrypted_response_alg', 'RSA-OAEP-256'],
    ['userinfo_signed_response_alg', 'RS256'],
  ])('is no site, and no client, without %s', async (asked, value) => {
    op.bend({ registration: withMembers({ [asked]: undefined }) })
    const params = {
      op_host: op.issuer,
      authorization_redirect_uri: 'https://site.example/callback',
      [asked]: value,
    }
    const start = op.asked.length
    const data = await wire.refused('register_site', params)
    op.straighten()
    expect(data).toMatchObject({
      error: 'invalid_op_response',
      details: { field: asked },
      spec: 'RFC 7591 3.2.1',
    })
    expect(op.calls(start)).toMatchObject({ registration: 1, client: 1 })
  })

  test('holds all the same, and is told: default_max_age, require_auth_time', async () => {
    const dropped = { default_max_age: undefined, require_auth_time: undefined }
    op.bend({ registration: withMembers(dropped) })
    const { oxd_id, changed } = await wire.ok('register_site', {
      op_host: op.issuer,
      authorization_redirect_uri: 'https://site.example/callback',
      default_max_age: 60,
      require_auth_time: true,
    })
    op.straighten()
    expect(changed).toEqual(expect.arrayContaining(Object.keys(dropped)))
    const { authorization_url } = await wire.ok('get_authorization_url', { oxd_id })
    expect(new URL(authorization_url).searchParams.get('max_age')).toBe('60')
  })
})

describe('removing a registration', () => {
  test.each<[name: string, bend: Bend, calls: number]>([
    ['204', (honest) => honest, 1],
    ['200', (honest) => ({ ...honest, status: 200 }), 1],
    ['401, as the OP knows it no more', answers(json({}, 401)), 1],
    [
      '401 with a challenge',
      answers(json({}, 401, { 'www-authenticate': 'Bearer error="invalid_token"' })),
      1,
    ],
    ['404', answers(json({}, 404)), 1],
  ])('%s: the site is gone', async (_, client, calls) => {
    const { oxd_id } = await BentSite.register(wire, op)
    const start = op.asked.length
    op.bend({ client })
    const reply = await wire.call('remove_site', { oxd_id })
    op.straighten()
    expect(reply).toMatchObject({ status: 'ok', data: { oxd_id, removed_at_op: true } })
    expect(op.calls(start)).toEqual({ client: calls })
    expect(await wire.refused('get_site', { oxd_id })).toMatchObject({ error: 'invalid_oxd_id' })
  })

  test.each<[name: string, registration_client_uri: unknown]>([
    ['none', undefined],
    ['one that is no address', 'see the manual'],
    ['one that is no text', 7],
  ])('with a registration_client_uri of %s: the site is gone here', async (_, uri) => {
    op.bend({ registration: withMembers({ registration_client_uri: uri }) })
    const { oxd_id } = await BentSite.register(wire, op)
    op.straighten()
    expect(await wire.ok('remove_site', { oxd_id })).toEqual({ oxd_id, removed_at_op: false })
    expect(await wire.refused('get_site', { oxd_id })).toMatchObject({ error: 'invalid_oxd_id' })
  })

  test.each<[name: string, answer: Answer | Takeover]>([
    ['403', json({ error: 'insufficient_scope' }, 403)],
    ['302', redirect('/elsewhere')],
    ['500', json({}, 500)],
    ['no answer', hang],
    ['a reset', reset],
  ])('%s: the site stays until it is removed again', async (_, answer) => {
    const { oxd_id } = await BentSite.register(wire, op)
    const start = op.asked.length
    op.bend({ client: answers(answer) })
    const reply = await wire.call('remove_site', { oxd_id })
    op.straighten()
    expect(reply).toMatchObject({
      status: 'error',
      data: { error: 'remove_site_failed', retryable: true },
    })
    expect(op.calls(start)).toEqual({ client: 1 })
    expect(await wire.ok('get_site', { oxd_id })).toMatchObject({ oxd_id })
    // The OP did remove it, and only its answer was bent: 401 then means that it is gone.
    expect(await wire.ok('remove_site', { oxd_id })).toMatchObject({ removed_at_op: true })
  })
})

describe('client authentication', () => {
  const secret = ' sécret:+%/&=?"#\\~*\u{1f511} '

  test.each<[name: string, method: BentClient['token_endpoint_auth_method']]>([
    ['oidcc-client-test-client-secret-basic', 'client_secret_basic'],
    ['C12 rp-token_endpoint-client_secret_post', 'client_secret_post'],
    ['none', 'none'],
  ])('%s, with letters that need encoding', async (_, method) => {
    const client_id = `clïent:${method} 1+%&/=`
    const client_secret = method === 'none' ? {} : { client_secret: secret }
    op.addClient({
      client_id,
      ...client_secret,
      token_endpoint_auth_method: method,
      redirect_uris: [redirect_uri],
    })
    const site = await BentSite.register(wire, op, {
      authorization_redirect_uri: redirect_uri,
      client_id,
      ...client_secret,
      token_endpoint_auth_method: method,
    })
    await site.accepts()
    const { url, headers, body } = op.last('token')
    const form = new URLSearchParams(body)
    expect(form.get('redirect_uri')).toBe(redirect_uri)
    expect(url).not.toContain('?')
    // RFC 6749 2.3: one method of authentication in each request.
    expect(headers.authorization !== undefined).toBe(method === 'client_secret_basic')
    expect(form.has('client_secret')).toBe(method === 'client_secret_post')
    expect(form.has('client_id')).toBe(method !== 'client_secret_basic')
  })

  test.each<[method: BentClient['token_endpoint_auth_method']]>([['client_secret_post'], ['none']])(
    'an OP that takes %s alone',
    async (method) => {
      await using other = await BentOp.start({
        metadata: { token_endpoint_auth_methods_supported: [method] },
      })
      const site = await BentSite.register(wire, other)
      expect(JSON.parse(other.last('registration').body)).toMatchObject({
        token_endpoint_auth_method: method,
      })
      await site.accepts()
    },
  )

  test('a wrong secret by post', async () => {
    const site = await wrongSecret('client_secret_post')
    const { data } = await site.attempt()
    expect(data).toMatchObject({
      error: 'op_error',
      details: { error: 'invalid_client', http_status: 401 },
      retryable: false,
    })
    expect(JSON.stringify(data)).not.toContain('not the secret')
  })

  // RFC 6749 5.2: the answer to a wrong Authorization header has a challenge, and the error in its body.
  test('a wrong secret by basic', async () => {
    const site = await wrongSecret('client_secret_basic')
    const { data } = await site.attempt()
    expect(data).toMatchObject({
      error: 'op_error',
      details: { error: 'invalid_client', http_status: 401 },
    })
  })

  async function wrongSecret(method: BentClient['token_endpoint_auth_method']): Promise<BentSite> {
    const client_id = `mistyped ${method}`
    op.addClient({
      client_id,
      client_secret: 'the secret of it',
      token_endpoint_auth_method: method,
      redirect_uris: [redirect_uri],
    })
    return BentSite.register(wire, op, {
      authorization_redirect_uri: redirect_uri,
      client_id,
      client_secret: 'not the secret',
      token_endpoint_auth_method: method,
    })
  }
})
