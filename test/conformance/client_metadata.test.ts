/** What is asked of an OP in a registration (OIDC Registration 2, RFC 7591 2), and with what right. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  answers,
  type BentClient,
  BentOp,
  BentSite,
  expectNoSecrets,
  json,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const authorization_redirect_uri = 'https://site.example/callback'

let daemon: TestDaemon
let wire: Wire
let op: BentOp
/** One that registers nobody without an initial access token. */
let guarded: BentOp
/** The same, and relyd's operator has given the daemon a token for it. */
let known: BentOp

beforeAll(async () => {
  op = await BentOp.start({
    metadata: {
      grant_types_supported: ['authorization_code', 'implicit', 'refresh_token'],
      subject_types_supported: ['public', 'pairwise'],
      acr_values_supported: ['silver', 'gold'],
      request_object_signing_alg_values_supported: ['ES256'],
      request_object_encryption_alg_values_supported: ['ECDH-ES'],
      request_object_encryption_enc_values_supported: ['A256GCM'],
    },
  })
  guarded = await BentOp.start({ protected_registration: true })
  known = await BentOp.start({ protected_registration: true })
  daemon = await TestDaemon.start({
    daemon: { op_timeout: 1 },
    sections: `[op known]\nop_host = ${known.issuer}\ninitial_access_token_file = {folder}/known.token\n`,
  })
  wire = await Wire.connect(daemon.socket)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op, guarded, known)
  await daemon[Symbol.asyncDispose]()
  for (const one of [op, guarded, known]) await one[Symbol.asyncDispose]()
})

function register(at: BentOp, params: object) {
  return wire.call('register_site', { op_host: at.issuer, authorization_redirect_uri, ...params })
}

function asked(at: BentOp): Record<string, unknown> {
  return JSON.parse(at.last('registration').body)
}

describe('P12 all metadata of a registration', () => {
  const wished = {
    application_type: 'web',
    contacts: ['a@site.example'],
    client_name: 'Shop',
    logo_uri: 'https://site.example/logo.png',
    client_uri: 'https://site.example/',
    policy_uri: 'https://site.example/privacy',
    tos_uri: 'https://site.example/terms',
    sector_identifier_uri: 'https://site.example/redirect_uris.json',
    subject_type: 'pairwise',
    id_token_signed_response_alg: 'RS256',
    request_object_signing_alg: 'ES256',
    request_object_encryption_alg: 'ECDH-ES',
    request_object_encryption_enc: 'A256GCM',
    token_endpoint_auth_method: 'client_secret_post',
    default_max_age: 3600,
    require_auth_time: true,
    default_acr_values: ['silver'],
    initiate_login_uri: 'https://site.example/login',
    request_uris: ['https://site.example/request.jwt'],
    frontchannel_logout_uri: 'https://site.example/front',
    frontchannel_logout_session_required: true,
    backchannel_logout_uri: 'https://site.example/back',
    backchannel_logout_session_required: true,
    software_id: '4NRB1-0XZABZI9E6-5SM3R',
    software_version: '2.1',
  }

  test('C3 is asked for as the site wishes, and logins work', async () => {
    const { oxd_id } = await wire.ok('register_site', {
      op_host: op.issuer,
      authorization_redirect_uri,
      ...wished,
      post_logout_redirect_uri: 'https://site.example/bye',
      post_logout_redirect_uris: ['https://site.example/bye2'],
      metadata: { 'client_name#de': 'Laden', 'logo_uri#de-CH': 'https://site.example/ch', tier: 3 },
    })
    expect(asked(op)).toEqual({
      ...wished,
      redirect_uris: [authorization_redirect_uri],
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
      post_logout_redirect_uris: ['https://site.example/bye', 'https://site.example/bye2'],
      'client_name#de': 'Laden',
      'logo_uri#de-CH': 'https://site.example/ch',
      tier: 3,
    })
    await new BentSite(wire, op, oxd_id).accepts()
  })

  test('P12 a native application comes back to a loopback address, and logins work', async () => {
    const redirect_uri = 'http://127.0.0.1:4711/callback'
    const params = { authorization_redirect_uri: redirect_uri, application_type: 'native' }
    const site = await BentSite.register(wire, op, params)
    expect(asked(op)).toMatchObject({
      application_type: 'native',
      redirect_uris: [redirect_uri],
      grant_types: ['authorization_code', 'refresh_token'],
    })
    await site.accepts()
  })

  test('P11 a software statement is passed on as it is', async () => {
    const software_statement = `${'e'.repeat(9000)}.eyJ9.c2ln`
    await wire.ok('register_site', {
      op_host: op.issuer,
      authorization_redirect_uri,
      software_statement,
      software_id: 'shop',
    })
    expect(asked(op)).toMatchObject({ software_statement, software_id: 'shop' })
  })

  test.each<[params: object, field: string, why: RegExp]>([
    [{ userinfo_encrypted_response_enc: 'A256GCM' }, 'userinfo_encrypted_response_enc', /without/],
    [{ id_token_encrypted_response_enc: 'A256GCM' }, 'id_token_encrypted_response_enc', /without/],
    [{ request_object_encryption_enc: 'A256GCM' }, 'request_object_encryption_enc', /without/],
    [{ token_endpoint_auth_signing_alg: 'none' }, 'token_endpoint_auth_signing_alg', /none/],
    [{ id_token_signed_response_alg: 'none' }, 'id_token_signed_response_alg', /none/],
    [{ logo_uri: 'javascript:alert(1)' }, 'logo_uri', /http/],
    [{ request_uris: ['https://a.example/', 'b'] }, 'request_uris', /http/],
    [{ backchannel_logout_uri: 'https://site.example/#b' }, 'backchannel_logout_uri', /fragment/],
    [{ frontchannel_logout_uri: 'https://evil.example/' }, 'frontchannel_logout_uri', /redirect/],
    [
      { backchannel_logout_session_required: true },
      'backchannel_logout_session_required',
      /backchannel_logout_uri/,
    ],
    [{ metadata: { client_id: 'mine' } }, 'metadata.client_id', /say/],
    [{ metadata: { jwks: { keys: [] } } }, 'metadata.jwks', /say/],
    [{ metadata: { tos_uri: 'https://a.example/' } }, 'metadata.tos_uri', /its own/],
    [{ metadata: { 'redirect_uris#de': 'x' } }, 'metadata.redirect_uris#de', /language/],
    [{ metadata: { 'client_name#d': 'x' } }, 'metadata.client_name#d', /language/],
    [{ metadata: { 'logo_uri#de': 'x' } }, 'metadata.logo_uri#de', /http/],
    [{ response_types: ['id_token'] }, 'response_types', /lacks code/],
    [{ grant_types: ['refresh_token'] }, 'grant_types', /lacks authorization_code/],
    [
      { response_types: ['code', 'id_token'], redirect_uris: ['https://localhost/'] },
      'redirect_uris',
      /localhost/,
    ],
    [
      { application_type: 'native', redirect_uris: ['http://site.example/'] },
      'redirect_uris',
      /loop/,
    ],
  ])('%j is refused before the OP is asked', refusesUnasked)

  test.each<[params: object, field: string, why: RegExp]>([
    [{ jwks_uri: 'http://site.example/jwks' }, 'jwks_uri', /https/],
    [{ sector_identifier_uri: 'http://site.example/' }, 'sector_identifier_uri', /https/],
    [{ initiate_login_uri: 'http://site.example/' }, 'initiate_login_uri', /https/],
    [
      { response_types: ['code', 'id_token'], redirect_uris: ['http://site.example/'] },
      'redirect_uris',
      /https/,
    ],
  ])('rp-registration-uses-https-endpoints: %j is refused before the OP is asked', refusesUnasked)

  async function refusesUnasked(params: object, field: string, why: RegExp): Promise<void> {
    const start = op.asked.length
    const { status, data } = await register(op, params)
    expect({ status, data }).toMatchObject({
      status: 'error',
      data: { error: 'invalid_request', details: { field }, retryable: false },
    })
    expect(data.error_description).toMatch(why)
    expect(op.calls(start).registration).toBeUndefined()
  }
})

describe('P10 wishes are matched against the metadata of the OP', () => {
  test.each<[params: object, field: string, offers: string]>([
    [{ response_types: ['code', 'none'] }, 'response_types', 'code'],
    [{ grant_types: ['authorization_code', 'password'] }, 'grant_types', 'implicit'],
    [{ id_token_signed_response_alg: 'PS512' }, 'id_token_signed_response_alg', 'RS256'],
    [{ userinfo_signed_response_alg: 'PS512' }, 'userinfo_signed_response_alg', 'RS256'],
    [{ request_object_signing_alg: 'RS256' }, 'request_object_signing_alg', 'ES256'],
    [{ default_acr_values: ['silver', 'lead'] }, 'default_acr_values', 'gold'],
  ])('%j, which the OP does not offer, is refused', async (params, field, offers) => {
    const start = op.asked.length
    const { status, data } = await register(op, params)
    expect({ status, data }).toMatchObject({
      status: 'error',
      data: {
        error: 'invalid_request',
        details: { field, asked: expect.any(String), offered: expect.arrayContaining([offers]) },
      },
    })
    expect(data.error_description).toContain(offers)
    expect(op.calls(start).registration).toBeUndefined()
  })

  test('the response type of its logins too, by its own name', async () => {
    await using plain = await BentOp.start({ metadata: { response_types_supported: ['code'] } })
    expect((await register(plain, { response_type: 'code id_token' })).data).toMatchObject({
      error: 'invalid_request',
      details: { field: 'response_type', asked: 'code id_token', offered: ['code'] },
    })
  })

  test('an OP that says nothing of a matter is asked', async () => {
    await using silent = await BentOp.start({
      metadata: { userinfo_signing_alg_values_supported: undefined },
    })
    await register(silent, { userinfo_signed_response_alg: 'RS256' })
    expect(asked(silent)).toMatchObject({ userinfo_signed_response_alg: 'RS256' })
  })

  test.each<[types: string[], grants: string[]]>([
    [['code'], ['authorization_code', 'refresh_token']],
    [
      ['code', 'id_token'],
      ['authorization_code', 'implicit', 'refresh_token'],
    ],
    [
      ['code', 'code id_token'],
      ['authorization_code', 'implicit', 'refresh_token'],
    ],
  ])('grant types come of the response types %j', async (response_types, grant_types) => {
    await register(op, { response_types })
    expect(asked(op)).toMatchObject({ response_types, grant_types })
  })

  test.each<[offered: string[], chosen: string]>([
    [['HS256', 'PS256', 'ES256'], 'ES256'],
    [['ES512', 'EdDSA', 'PS256'], 'PS256'],
  ])('of the algorithms %j it takes %s, where the site leaves it open', async (offered, chosen) => {
    await using other = await BentOp.start({
      metadata: { id_token_signing_alg_values_supported: offered },
    })
    await register(other, {})
    expect(asked(other)).toMatchObject({ id_token_signed_response_alg: chosen })
  })
})

describe('P6 an initial access token', () => {
  test.each([
    ['an opaque one', 'Zm9v/opaque+token=='],
    ['a JWT', `${'e'.repeat(6000)}.eyJzdWIiOiIxIn0.c2lnbmF0dXJl`],
  ])('%s is shown as it is', async (_, initial_access_token) => {
    guarded.initial_access_tokens.add(initial_access_token)
    const { oxd_id } = await wire.ok('register_site', {
      op_host: guarded.issuer,
      authorization_redirect_uri,
      initial_access_token,
    })
    expect(guarded.last('registration').headers.authorization).toBe(
      `Bearer ${initial_access_token}`,
    )
    expect(JSON.stringify(daemon.log)).not.toContain(initial_access_token)
    await new BentSite(wire, guarded, oxd_id).accepts()
  })

  test.each<[name: string, params: object, cure: RegExp]>([
    ['none', {}, /may want an initial_access_token/],
    ['a wrong one', { initial_access_token: 'nobody-gave-this' }, /get a fresh one/],
  ])('%s: the refusal says what to do', async (_, params, cure) => {
    const { status, data } = await register(guarded, params)
    expect({ status, data }).toMatchObject({
      status: 'error',
      data: { error: 'op_error', details: { http_status: 401 }, retryable: false },
    })
    expect(data.error_description).toMatch(cure)
    expect(JSON.stringify(data)).not.toContain('nobody-gave-this')
  })

  test('of the operator is read from its file each time', async () => {
    const path = join(daemon.folder, 'known.token')
    const refused = async (why: string) => {
      const { data } = await register(known, {})
      expect(data).toMatchObject({ error: 'internal_error' })
      expect(JSON.stringify(data)).not.toContain(daemon.folder)
      await expect.poll(() => JSON.stringify(daemon.log)).toContain(why)
    }
    await refused('initial_access_token_file of [op known]')
    known.initial_access_tokens.add('first.token-of~it')
    writeFileSync(path, 'first.token-of~it\n', { mode: 0o644 })
    await refused('chmod 600')
    writeFileSync(path, 'two\nlines\n')
    chmodSync(path, 0o600)
    await refused('one token, in one line')
    for (const token of ['first.token-of~it', 'second/token+of==']) {
      known.initial_access_tokens.add(token)
      writeFileSync(path, `${token}\n`)
      expect(await register(known, {})).toMatchObject({ status: 'ok' })
      expect(known.last('registration').headers.authorization).toBe(`Bearer ${token}`)
    }
    const initial_access_token = 'the-sites-own'
    known.initial_access_tokens.add(initial_access_token)
    expect(await register(known, { initial_access_token })).toMatchObject({ status: 'ok' })
    expect(known.last('registration').headers.authorization).toBe(`Bearer ${initial_access_token}`)
  })
})

describe('C4 a token for the registration by client_credentials', () => {
  const registrar: BentClient = {
    client_id: 'registrar',
    client_secret: 'the secret of the registrar',
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: [],
    grant_types: ['client_credentials'],
  } as BentClient
  const params = {
    registration_client_id: registrar.client_id,
    registration_client_secret: registrar.client_secret,
    registration_scope: ['dcr'],
  }

  test('is got first, and shown', async () => {
    guarded.addClient(registrar)
    const start = guarded.asked.length
    const { oxd_id } = await wire.ok('register_site', {
      op_host: guarded.issuer,
      authorization_redirect_uri,
      ...params,
    })
    expect(guarded.calls(start)).toMatchObject({ token: 1, registration: 1 })
    expect(new URLSearchParams(guarded.last('token').body).get('scope')).toBe('dcr')
    await new BentSite(wire, guarded, oxd_id).accepts()
  })

  test.each<[name: string, bends: Parameters<BentOp['bend']>[0], refused: object]>([
    [
      'a wrong secret',
      { token: answers(json({ error: 'invalid_client' }, 401)) },
      { error: 'op_error', details: { error: 'invalid_client', field: 'registration_client_id' } },
    ],
    ['a token of another type', { token: withMembers({ token_type: 'mac' }) }, {}],
    ['no token', { token: withMembers({ access_token: undefined }) }, {}],
  ])('%s: the OP is asked for no registration', async (_, bends, refused) => {
    guarded.addClient(registrar)
    const start = guarded.asked.length
    guarded.bend(bends)
    const { status, data } = await register(guarded, params)
    guarded.straighten()
    expect({ status, data }).toMatchObject({
      status: 'error',
      data: { error: 'invalid_op_response', ...refused },
    })
    expect(guarded.calls(start).registration).toBeUndefined()
    expect(await register(guarded, params)).toMatchObject({ status: 'ok' })
  })

  test.each<[params: object, field: string]>([
    [{ registration_client_id: 'a' }, 'registration_client_id'],
    [{ registration_client_secret: 'a' }, 'registration_client_secret'],
    [{ registration_scope: ['a'] }, 'registration_scope'],
    [{ ...params, initial_access_token: 'a' }, 'initial_access_token'],
    [{ client_id: 'a', initial_access_token: 'b' }, 'initial_access_token'],
  ])('%j is refused', async (given, field) => {
    expect((await register(guarded, given)).data).toMatchObject({
      error: 'invalid_request',
      details: { field },
    })
  })
})

describe('M15 what the OP registered instead', () => {
  test('is told to the site, again with the same key, and used', async () => {
    const params = {
      idempotency_key: 'changed by the OP',
      token_endpoint_auth_method: 'client_secret_post',
      scope: ['openid', 'email', 'offline_access'],
      redirect_uris: ['https://site.example/other'],
      contacts: ['a@site.example'],
    }
    op.bend({
      registration: (honest) => {
        const body = honest.body as BentClient
        const client = op.clients.get(body.client_id) as BentClient
        client.token_endpoint_auth_method = 'client_secret_basic'
        client.redirect_uris = [authorization_redirect_uri]
        return { ...honest, body: { ...body, ...client, scope: 'email openid' } }
      },
    })
    const changed = ['redirect_uris', 'token_endpoint_auth_method', 'scope']
    const { status, data } = await register(op, params)
    op.straighten()
    expect({ status, data }).toMatchObject({ status: 'ok' })
    expect([...data.changed].sort()).toEqual(changed.sort())
    expect((await register(op, params)).data).toEqual(data)
    const { oxd_id } = data
    const site = new BentSite(wire, op, oxd_id)
    await site.accepts()
    const { authorization_url } = await wire.ok('get_authorization_url', { oxd_id })
    expect(new URL(authorization_url).searchParams.get('scope')).toBe('openid email')
  })

  test('nothing, in another order, is no change', async () => {
    op.bend({
      registration: (honest) => {
        const body = honest.body as BentClient & { scope: string }
        const scope = body.scope.split(' ').reverse().join(' ')
        return { ...honest, body: { ...body, scope, grants: 'all' } }
      },
    })
    const wished = { response_types: ['code', 'id_token code'], scope: ['openid', 'email'] }
    const { data } = await register(op, wished)
    op.straighten()
    expect(data).toEqual({ oxd_id: expect.any(String), op_host: op.issuer })
  })
})
