/** Every command, over a real socket in each dialect, against a real OP. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { commands } from '../../daemon/src/commands/index.js'
import { type Op, startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { readRecord } from '../support/record.js'
import { type DialectName, Wire } from '../support/wire.js'

const redirect_uri = 'https://site.example/callback?from=op'

let op: Op
let daemon: TestDaemon
let host: Server

beforeAll(async () => {
  op = await startOp({ configuration: { features: { clientCredentials: { enabled: true } } } })
  daemon = await TestDaemon.start({
    daemon: { default_op: op.issuer },
    sections: '[realm default]\nwebfinger = yes\n',
  })
  // Such OPs are found by a host in front of them.
  host = createServer((_, response) => {
    const links = [{ rel: 'http://openid.net/specs/connect/1.0/issuer', href: op.issuer }]
    response.setHeader('content-type', 'application/jrd+json').end(JSON.stringify({ links }))
  })
  await once(host.listen(0, '127.0.0.1'), 'listening')
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  host.close()
  await op.close()
})

describe.each<DialectName>(['json', 'msgpack'])('over %s', (dialect) => {
  test('an OP is found, and what it publishes told', async () => {
    using wire = await Wire.connect(daemon.socket, dialect)
    const { port } = host.address() as AddressInfo
    expect(await wire.ok('get_issuer', { resource: `acct:alice@127.0.0.1:${port}` })).toEqual({
      issuer: op.issuer,
      resource: `acct:alice@127.0.0.1:${port}`,
    })
    const { issuer, metadata } = await wire.ok('get_discovery')
    expect(issuer).toBe(op.issuer)
    expect(metadata).toMatchObject({ issuer, jwks_uri: expect.any(String) })
    const { jwks } = await wire.ok('get_jwks', { op_host: op.issuer })
    expect(jwks.keys).toContainEqual(expect.objectContaining({ kty: 'RSA', use: 'sig' }))
  })

  test('C7 C12 C17 C18 P20 P39 a site registers, logs a user in, asks who it is, logs out and is removed', async () => {
    using wire = await Wire.connect(daemon.socket, dialect)
    expect(await wire.ok('ping')).toEqual({ version: expect.stringMatching(/^\d/) })

    const { oxd_id, op_host } = await wire.ok('register_site', {
      authorization_redirect_uri: redirect_uri,
      post_logout_redirect_uri: 'https://site.example/',
      client_name: 'Ünïcode ❤',
      contacts: null,
    })
    expect(op_host).toBe(op.issuer)
    const site = await wire.ok('get_site', { oxd_id })
    expect(site).toMatchObject({
      issuer: op.issuer,
      registered_by: 'relyd',
      client_name: 'Ünïcode ❤',
    })
    expect(JSON.stringify(site)).not.toMatch(/secret"/)
    const registered = await wire.ok('get_site_registration', { oxd_id })
    expect(registered.client_metadata).toMatchObject({ client_id: site.client_id })
    expect(JSON.stringify(registered)).not.toMatch(/secret"|access_token"/)
    expect(await wire.ok('update_site', { oxd_id, client_name: 'Ünïcode ♥' })).toEqual({ oxd_id })
    expect(await op.provider.Client.find(site.client_id)).toMatchObject({
      clientName: 'Ünïcode ♥',
    })
    expect(await wire.ok('get_rp_jwks', { oxd_id })).toEqual({ keys: [] })

    const user = new EndUser()
    const logIn = async (request: object = {}) => {
      const login = await wire.ok('get_authorization_url', { oxd_id, ...request })
      return { ...login, callback: await user.logIn(login.authorization_url) }
    }
    const first = await logIn({
      scope: ['profile'],
      max_age: 300,
      return_to: '/basket?of=böb',
      custom_parameters: { hd: 'é&x' },
    })
    const asked = new URL(first.authorization_url).searchParams
    expect(asked.get('scope')).toBe('openid profile')
    expect(asked.get('code_challenge_method')).toBe('S256')
    expect(asked.get('hd')).toBe('é&x')
    const tokens = await wire.ok('get_tokens_by_callback', {
      oxd_id,
      callback: first.callback,
      cookie: `other=1; ${first.set_cookie.split(';')[0]}; more=2`,
    })
    expect(tokens).toMatchObject({
      sub: 'alice',
      issuer: op.issuer,
      id_token_claims: { sub: 'alice', iss: op.issuer, auth_time: expect.any(Number) },
      access_token: expect.any(String),
      id_token: expect.stringMatching(/^ey/),
    })
    expect(tokens.return_to).toBe('/basket?of=böb')
    expect(asked.toString()).not.toContain('basket')
    expect(first.set_cookie).toContain('__Host-')
    expect(tokens.set_cookie).toContain('Max-Age=0')

    const session = await wire.ok('get_session', { oxd_id, session_id: tokens.session_id })
    expect(session).toMatchObject({
      sub: 'alice',
      issuer: op.issuer,
      id_token_claims: tokens.id_token_claims,
      auth_time: tokens.id_token_claims.auth_time,
      expires_at: session.created_at + 28_800,
      scope: 'openid profile',
    })
    for (const token of [tokens.access_token, tokens.id_token]) {
      expect(JSON.stringify(session)).not.toContain(token)
    }

    const { claims } = await wire.ok('get_user_info', { oxd_id, session_id: tokens.session_id })
    expect(claims).toMatchObject({ sub: 'alice', name: 'Alice Ångström' })
    expect(await wire.ok('get_user_info', { oxd_id, access_token: tokens.access_token })).toEqual({
      claims,
    })

    const second = await logIn()
    const callback = new URL(second.callback).searchParams
    const classic = await wire.ok('get_tokens_by_code', {
      oxd_id,
      code: callback.get('code'),
      state: callback.get('state'),
      binding: second.binding,
    })
    expect(classic.sub).toBe('alice')
    expect(classic).not.toHaveProperty('return_to')

    expect(await wire.ok('subscribe', { oxd_id })).toEqual({ events: ['logout'] })
    const { uri } = await wire.ok('get_logout_uri', {
      oxd_id,
      session_id: tokens.session_id,
      state: 'bye',
    })
    expect(Object.fromEntries(new URL(uri).searchParams)).toMatchObject({
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: 'https://site.example/',
      state: 'bye',
    })
    expect(await wire.nextUnasked()).toMatchObject({ event: 'logout', data: { sub: 'alice' } })
    expect(
      await wire.refused('get_user_info', { oxd_id, session_id: tokens.session_id }),
    ).toMatchObject({
      error: 'invalid_session_id',
    })

    expect(await wire.ok('remove_site', { oxd_id })).toEqual({ oxd_id, removed_at_op: true })
    expect(await op.provider.Client.find(site.client_id)).toBeUndefined()
    expect(await wire.refused('get_site', { oxd_id })).toMatchObject({ error: 'invalid_oxd_id' })
    expect(
      await wire.refused('get_user_info', { oxd_id, session_id: classic.session_id }),
    ).toMatchObject({ error: 'invalid_oxd_id' })
  })
})

describe.each<DialectName>(['json', 'msgpack'])('tokens over %s', (dialect) => {
  test('C14 C15 P36 are refreshed, introspected, revoked and forgotten', async () => {
    using wire = await Wire.connect(daemon.socket, dialect)
    const { oxd_id } = await wire.ok('register_site', {
      authorization_redirect_uri: redirect_uri,
      scope: ['openid', 'profile', 'offline_access'],
    })
    const logIn = async () => {
      const { authorization_url, binding } = await wire.ok('get_authorization_url', {
        oxd_id,
        prompt: 'consent',
      })
      const callback = await new EndUser().logIn(authorization_url)
      return wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
    }
    const login = await logIn()
    const { session_id } = login
    const introspect = (access_token: string) =>
      wire.ok('introspect_access_token', { oxd_id, access_token })
    expect(await introspect(login.access_token)).toEqual({
      active: true,
      client_id: expect.any(String),
      exp: expect.any(Number),
      iat: expect.any(Number),
      iss: op.issuer,
      scope: 'openid profile offline_access',
      sub: 'alice',
      token_type: 'Bearer',
    })
    expect(await introspect('nobody issued this')).toEqual({ active: false })

    const first = await wire.ok('get_access_token', { oxd_id, session_id })
    expect(first).toEqual({
      access_token: login.access_token,
      token_type: 'Bearer',
      expires_in: expect.any(Number),
      scope: 'openid profile offline_access',
    })
    const rejected = { oxd_id, session_id, rejected_access_token: first.access_token }
    const second = await wire.ok('get_access_token', rejected)
    expect(second.access_token).not.toBe(first.access_token)
    expect(await wire.ok('get_access_token', rejected)).toMatchObject({
      access_token: second.access_token,
    })
    const { access_token } = second
    const { claims } = await wire.ok('get_user_info', { oxd_id, access_token })
    expect(claims.name).toBe('Alice Ångström')

    const { refresh_token } = login
    const classic = await wire.ok('get_access_token_by_refresh_token', { oxd_id, refresh_token })
    // It was used a moment ago, so that what that brought is the answer.
    expect(classic).toMatchObject({
      access_token,
      token_type: 'Bearer',
      refresh_token: expect.any(String),
    })
    const narrow = await wire.ok('get_access_token_by_refresh_token', {
      oxd_id,
      refresh_token: classic.refresh_token,
      scope: ['openid'],
    })
    expect(narrow.scope).toBe('openid')
    expect(narrow.id_token).toEqual(expect.any(String))
    expect(await introspect(narrow.access_token)).toMatchObject({ active: true, scope: 'openid' })
    expect(await wire.ok('get_access_token', { oxd_id, session_id })).toMatchObject({
      access_token,
    })

    expect(await wire.ok('revoke_token', { oxd_id, token: access_token })).toEqual({
      revoked: true,
    })
    expect(await introspect(access_token)).toEqual({ active: false })
    // This OP revokes all that came of the same login.
    const rejection = { error: 'refresh_token_rejected', retryable: false }
    expect(await wire.refused('get_access_token', { oxd_id, session_id })).toMatchObject(rejection)

    const once = await logIn()
    const revoke = { oxd_id, session_id: once.session_id }
    expect(await wire.ok('revoke_token', revoke)).toEqual({ revoked: true })
    expect(await introspect(once.access_token)).toEqual({ active: false })
    expect(await wire.ok('revoke_token', revoke)).toEqual({ revoked: false })
    for (const command of ['get_access_token', 'get_user_info']) {
      expect(await wire.refused(command, revoke)).toMatchObject({ error: 'no_refresh_token' })
    }
    expect(await wire.ok('get_session', revoke)).toMatchObject({ sub: 'alice' })

    const other = await logIn()
    const end = { oxd_id, session_id: other.session_id }
    expect(await wire.ok('end_session', end)).toEqual({ ended: true, tokens_revoked: true })
    expect(await wire.ok('end_session', end)).toEqual({ ended: false, tokens_revoked: false })
    expect(await wire.refused('get_session', end)).toMatchObject({ error: 'invalid_session_id' })
    expect(await introspect(other.access_token)).toEqual({ active: false })
    const lost = { oxd_id, refresh_token: other.refresh_token }
    expect(await wire.refused('get_access_token_by_refresh_token', lost)).toMatchObject(rejection)
  })
})

test.each<DialectName>(['json', 'msgpack'])("a site's own token over %s", async (dialect) => {
  using wire = await Wire.connect(daemon.socket, dialect)
  const { oxd_id } = await wire.ok('register_site', {
    authorization_redirect_uri: redirect_uri,
    grant_types: ['authorization_code', 'client_credentials'],
    // What the site keeps of it is no End-User's.
    tokens: 'daemon',
  })
  const token = await wire.ok('get_client_token', { oxd_id, scope: ['profile', 'email'] })
  expect(token).toEqual({
    access_token: expect.any(String),
    token_type: 'Bearer',
    expires_in: expect.any(Number),
    scope: 'profile email',
  })
  const { access_token } = token
  const { client_id } = await wire.ok('get_site', { oxd_id })
  const told = await wire.ok('introspect_access_token', { oxd_id, access_token })
  expect(told).toMatchObject({ active: true, client_id, scope: 'profile email' })
  expect(told).not.toHaveProperty('sub')
  const unasked = await wire.ok('get_client_token', { oxd_id, scope: [] })
  expect(unasked.access_token).not.toBe(access_token)
  expect(unasked).not.toHaveProperty('scope')
})

test('the built daemon recorded a hit of every command', async () => {
  const hit = new Set(
    readRecord(inject('record')).flatMap(({ command, outcome }) =>
      outcome === 'ok' ? command : [],
    ),
  )
  expect([...hit]).toEqual(expect.arrayContaining(Object.keys(commands)))
})
