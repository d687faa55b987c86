/** relyd and a real Keycloak: registrations, logins, keys that change, and a server that is started anew. */

import { writeFileSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { Client } from '../../sdk/src/index.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { hasKeycloak, Keycloak } from '../support/keycloak.js'
import { alice, KeycloakRealm } from '../support/keycloak_realm.js'
import { type Callback, KeycloakUser } from '../support/keycloak_user.js'
import { listensAt } from '../support/process.js'
import { Wire } from '../support/wire.js'

const MINUTES = 60_000

/** Nobody has to listen there: the End-User's browser stops before it. */
const redirect_uri = 'https://127.0.0.1:9/callback'

describe.skipIf(!hasKeycloak())('a real Keycloak', () => {
  let keycloak: Keycloak
  let realm: KeycloakRealm
  let daemon: TestDaemon
  let wire: Wire
  let other_op: Op

  beforeAll(async () => {
    keycloak = await Keycloak.create()
    await keycloak.start()
    realm = await KeycloakRealm.create(keycloak, 'shop')
    await realm.addKeysOfAllKinds()
    other_op = await startOp()
    daemon = await TestDaemon.start()
    wire = await Wire.connect(daemon.socket)
  }, 5 * MINUTES)

  afterAll(async () => {
    wire?.[Symbol.dispose]()
    await daemon?.[Symbol.asyncDispose]()
    await other_op?.close()
    await keycloak?.[Symbol.asyncDispose]()
  })

  function register(params: object = {}) {
    const site = { op_host: realm.issuer, authorization_redirect_uri: redirect_uri }
    return wire.call('register_site', { ...site, ...params })
  }

  async function registered(params: object = {}): Promise<string> {
    const { status, data } = await register(params)
    expect(data).toMatchObject({ oxd_id: expect.any(String) })
    expect(status).toBe('ok')
    return data.oxd_id
  }

  /** A login with all of its pages. */
  async function logIn(oxd_id: string, params: object = {}, user = new KeycloakUser(alice)) {
    const login = await wire.ok('get_authorization_url', { oxd_id, ...params })
    return comeBack(oxd_id, login, await user.logIn(login.authorization_url))
  }

  function comeBack(oxd_id: string, login: { binding: string }, { url, posted }: Callback) {
    const { binding } = login
    return wire.ok('get_tokens_by_callback', { oxd_id, callback: posted ?? url, binding })
  }

  test('listens on loopback alone', () => {
    const places = keycloak.pids.flatMap(listensAt)
    expect(places).toContainEqual({
      address: '127.0.0.1',
      port: Number(new URL(keycloak.origin).port),
    })
    expect(new Set(places.map(({ address }) => address))).toEqual(new Set(['127.0.0.1']))
  })

  describe('registration', () => {
    test('of a stranger is refused in Keycloak’s words, and leaves nothing', async () => {
      const { status, data } = await register()
      expect({ status, ...data }).toMatchObject({
        status: 'error',
        error: 'op_error',
        retryable: false,
        details: {
          error: 'insufficient_scope',
          error_description: expect.stringContaining('Host not trusted'),
          http_status: 403,
        },
      })
    })

    test('C3 P6 of a host that is trusted: a client that logs in, and is gone with its site', async () => {
      await realm.trustHost('127.0.0.1')
      const oxd_id = await registered()
      const { client_id } = await wire.ok('get_site', { oxd_id })
      expect(await realm.client(client_id)).toMatchObject({ redirectUris: [redirect_uri] })
      const tokens = await logIn(oxd_id)
      expect(tokens).toMatchObject({
        issuer: realm.issuer,
        id_token_claims: { email: 'alice@site.example', azp: client_id },
      })
      expect(await wire.ok('remove_site', { oxd_id })).toMatchObject({ removed_at_op: true })
      expect(await realm.client(client_id)).toBeUndefined()
    })

    test('P6 with an initial access token, which is good for one client', async () => {
      const initial_access_token = await realm.initialAccessToken()
      const oxd_id = await registered({ initial_access_token })
      await logIn(oxd_id)
      expect((await register({ initial_access_token })).data).toMatchObject({
        error: 'op_error',
        details: { http_status: 401 },
      })
      expect(await wire.ok('remove_site', { oxd_id })).toMatchObject({ removed_at_op: true })
    })

    test('C4 with an access token that client_credentials bring first', async () => {
      await realm.putRegistrar({ clientId: 'registrar', secret: 'of the registrar' })
      const registrar = { registration_client_id: 'registrar' }
      const oxd_id = await registered({
        ...registrar,
        registration_client_secret: 'of the registrar',
      })
      await logIn(oxd_id)
      const { data } = await register({ ...registrar, registration_client_secret: 'another' })
      expect(data).toMatchObject({ error: 'op_error' })
    })

    test('P8 is read, changed and removed, each time with the token that Keycloak gave last', async () => {
      const oxd_id = await registered()
      const { client_id } = await wire.ok('get_site', { oxd_id })
      const moved = 'https://127.0.0.1:9/moved'
      for (let time = 0; time < 2; time += 1) {
        const { client_metadata } = await wire.ok('get_site_registration', { oxd_id })
        expect(client_metadata).toMatchObject({ client_id, redirect_uris: [redirect_uri] })
      }
      await wire.ok('update_site', { oxd_id, authorization_redirect_uri: moved })
      expect(await realm.client(client_id)).toMatchObject({ redirectUris: [moved] })
      const { client_metadata } = await wire.ok('get_site_registration', { oxd_id })
      expect(client_metadata).toMatchObject({ client_id, redirect_uris: [moved] })
      await logIn(oxd_id)
      expect(await wire.ok('remove_site', { oxd_id })).toMatchObject({ removed_at_op: true })
      expect(await realm.client(client_id)).toBeUndefined()
    })

    test('for the scope openid is refused, in Keycloak’s words', async () => {
      expect((await register({ scope: ['openid', 'email'] })).data).toMatchObject({
        error: 'op_error',
        details: { error: 'insufficient_scope', http_status: 403 },
      })
      await logIn(await registered({ scope: ['email'] }))
    })
  })

  const encrypted = (of: 'id_token' | 'userinfo', alg: string, enc: string) => ({
    [`${of}_encrypted_response_alg`]: alg,
    [`${of}_encrypted_response_enc`]: enc,
  })

  describe('a login and its UserInfo', () => {
    test.each<[name: string, site: object]>([
      ['client_secret_basic', { token_endpoint_auth_method: 'client_secret_basic' }],
      ['client_secret_post', { token_endpoint_auth_method: 'client_secret_post' }],
      ['client_secret_jwt', { token_endpoint_auth_method: 'client_secret_jwt' }],
      ['private_key_jwt', { token_endpoint_auth_method: 'private_key_jwt' }],
      [
        'private_key_jwt by ES256',
        {
          token_endpoint_auth_method: 'private_key_jwt',
          token_endpoint_auth_signing_alg: 'ES256',
        },
      ],
      ['RS512', { id_token_signed_response_alg: 'RS512' }],
      ['PS256', { id_token_signed_response_alg: 'PS256' }],
      ['ES256', { id_token_signed_response_alg: 'ES256' }],
      ['ES512', { id_token_signed_response_alg: 'ES512' }],
      ['EdDSA', { id_token_signed_response_alg: 'EdDSA' }],
      ['an ID Token encrypted by RSA', encrypted('id_token', 'RSA-OAEP-256', 'A256GCM')],
      ['an ID Token encrypted by ECDH', encrypted('id_token', 'ECDH-ES', 'A128CBC-HS256')],
      ['signed UserInfo', { userinfo_signed_response_alg: 'ES256' }],
      [
        'UserInfo signed and encrypted',
        { userinfo_signed_response_alg: 'RS256', ...encrypted('userinfo', 'RSA-OAEP', 'A128GCM') },
      ],
      ['form_post', { response_mode: 'form_post' }],
      ['code id_token', { response_type: 'code id_token' }],
      [
        'code id_token by form_post',
        { response_type: 'code id_token', response_mode: 'form_post' },
      ],
      [
        'code id_token, encrypted',
        { response_type: 'code id_token', ...encrypted('id_token', 'RSA-OAEP', 'A256GCM') },
      ],
    ])('with %s', async (_, site) => {
      const oxd_id = await registered(site)
      const { session_id, sub } = await logIn(oxd_id)
      const { claims } = await wire.ok('get_user_info', { oxd_id, session_id })
      expect(claims).toMatchObject({ sub, email: 'alice@site.example' })
      await wire.ok('remove_site', { oxd_id })
    })

    test('with an ID Token alone', async () => {
      const oxd_id = await registered({ response_type: 'id_token' })
      const { access_token, id_token_claims } = await logIn(oxd_id)
      expect(access_token).toBeUndefined()
      expect(id_token_claims).toMatchObject({ iss: realm.issuer, nonce: expect.any(String) })
    })

    test('signed by HS256 is refused: the key is one of the realm, and not the client’s secret', async () => {
      const oxd_id = await registered({ id_token_signed_response_alg: 'HS256' })
      await expect(logIn(oxd_id)).rejects.toThrow('invalid_id_token_bad_signature')
    })
  })

  test('C2 P7 oidcc-client-test-rp-init-logout a client that Keycloak’s operator made: sites add, a website, its session and logout', async () => {
    const client = { clientId: 'issued', secret: 'ä secret/+%&=?" of Keycloak’s' }
    await realm.putClient({ ...client, redirectUris: [], standardFlowEnabled: true })
    const secret_file = join(daemon.folder, 'secret')
    writeFileSync(secret_file, client.secret, { mode: 0o600 })
    const cfg = join(daemon.folder, 'issued.cfg')
    const added = await relyd([
      ...['sites', 'add', 'issued', '--config', daemon.config, '--op', realm.issuer],
      ...['--client-id', client.clientId, '--client-secret-file', secret_file],
      ...['--redirect-uri', redirect_uri, '--post-logout-redirect-uri', 'https://127.0.0.1:9/'],
      ...['--cfg', cfg, '--cfg-owner', os.userInfo().username],
    ])
    expect(added).toMatchObject({ status: 0 })
    // What the operator enters at the OP is what was printed, to the letter.
    const printed = (what: string) =>
      added.stdout.match(new RegExp(`^ *${what} +(.*)$`, 'm'))?.[1] as string
    await realm.putClient({
      ...client,
      redirectUris: [printed('redirect URI')],
      attributes: { 'post.logout.redirect.uris': printed('post-logout redirect URI') },
    })

    const website = new Client(cfg, { env: {} })
    try {
      const { authorization_url, binding } = await website.getAuthorizationUrl()
      const { url } = await new KeycloakUser(alice).logIn(authorization_url)
      const { session_id, sub } = await website.getTokensByCallback({ callback: url, binding })
      const { claims } = await website.getUserInfo({ session_id })
      expect(claims).toMatchObject({ sub, preferred_username: 'alice' })
      const { uri } = await website.getLogoutUri({ session_id })
      const after = await fetch(uri, { redirect: 'manual' })
      expect(after.headers.get('location')).toMatch(/^https:\/\/127\.0\.0\.1:9\//)
    } finally {
      await website.close()
    }
  })

  describe('a session', () => {
    let oxd_id: string
    let session_id: string
    const userInfo = () => wire.call('get_user_info', { oxd_id, session_id })
    const accessToken = (params: object = {}) =>
      wire.call('get_access_token', { oxd_id, session_id, ...params })

    beforeAll(async () => {
      oxd_id = await registered()
      session_id = (await logIn(oxd_id)).session_id
    })

    test('C14 C16 P33 P34 oidcc-client-test-refresh-token: is refreshed, and Keycloak takes what it brought', async () => {
      const { data: before } = await accessToken()
      const { data: after } = await accessToken({ rejected_access_token: before.access_token })
      expect(after).toMatchObject({ access_token: expect.any(String), expires_in: 300 })
      expect(after.access_token).not.toBe(before.access_token)
      expect((await userInfo()).data.claims).toMatchObject({ preferred_username: 'alice' })
    })

    test('oidcc-client-test-scope-userinfo-claims: has the claims of its scopes, and no others', async () => {
      // Keycloak gives every client that names no scope the claims of profile and email.
      const site = await registered({ scope: ['profile', 'email'] })
      const claimsFor = async (scope: string[]) => {
        const { session_id } = await logIn(site, { scope })
        const { claims } = await wire.ok('get_user_info', { oxd_id: site, session_id })
        return Object.keys(claims).sort()
      }
      expect(await claimsFor(['email'])).toEqual(['email', 'email_verified', 'sub'])
      expect(await claimsFor([])).toEqual(['sub'])
    })

    test('and a login survive a rotation of keys', async () => {
      const login = await wire.ok('get_authorization_url', { oxd_id })
      const { data: before } = await accessToken()
      await realm.addKey(200)
      // What the daemon has not fetched yet signs the ID Token.
      await comeBack(oxd_id, login, await new KeycloakUser(alice).logIn(login.authorization_url))

      await realm.removeOtherKeys(200)
      // Keycloak knows its own access token no more, and gets a fresh one.
      expect((await userInfo()).data.claims).toMatchObject({ preferred_username: 'alice' })
      expect((await accessToken()).data.access_token).not.toBe(before.access_token)
      await logIn(oxd_id)
    })

    test(
      'and a login survive a restart of Keycloak, and nobody else notices',
      async () => {
        const { oxd_id: other } = await wire.ok('register_site', {
          op_host: other_op.issuer,
          authorization_redirect_uri: redirect_uri,
        })
        const user = new KeycloakUser(alice)
        const login = await wire.ok('get_authorization_url', { oxd_id })
        const page = await user.open(login.authorization_url)
        const { data: before } = await accessToken()

        await keycloak.stop()
        const unreachable = {
          status: 'error',
          data: { error: 'op_unreachable', retryable: true, details: { host: expect.any(String) } },
        }
        expect(await userInfo()).toMatchObject(unreachable)
        expect(await register()).toMatchObject(unreachable)
        expect(await accessToken({ rejected_access_token: before.access_token })).toMatchObject(
          unreachable,
        )
        // What is still good needs no OP, and neither does the beginning of a login.
        expect((await accessToken()).data).toMatchObject({ access_token: before.access_token })
        const meanwhile = await wire.ok('get_authorization_url', { oxd_id })
        const elsewhere = await wire.ok('get_authorization_url', { oxd_id: other })
        const callback = await new EndUser().logIn(elsewhere.authorization_url)
        const { binding } = elsewhere
        await wire.ok('get_tokens_by_callback', { oxd_id: other, callback, binding })

        await keycloak.start()
        await comeBack(oxd_id, login, await user.signIn(login.authorization_url, page))
        await comeBack(oxd_id, meanwhile, await user.logIn(meanwhile.authorization_url))
        const refreshed = await accessToken({ rejected_access_token: before.access_token })
        expect(refreshed).toMatchObject({ status: 'ok' })
        expect((await userInfo()).data.claims).toMatchObject({ preferred_username: 'alice' })
      },
      2 * MINUTES,
    )
  })
})
