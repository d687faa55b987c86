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
const redirect_uri = 'http://127.0.0.1:9/callback'

/** Not Keycloak's: `openid` is none of the scopes that a client may register for there. */
const scope = ['profile', 'email']

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
    const site = { op_host: realm.issuer, authorization_redirect_uri: redirect_uri, scope }
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
  })

  test('C2 P7 a client that Keycloak’s operator made: sites add, a website, and its session', async () => {
    const client = { clientId: 'issued', secret: 'ä secret/+%&=?" of Keycloak’s' }
    await realm.putClient({ ...client, redirectUris: [], standardFlowEnabled: true })
    const secret_file = join(daemon.folder, 'secret')
    writeFileSync(secret_file, client.secret, { mode: 0o600 })
    const cfg = join(daemon.folder, 'issued.cfg')
    const added = await relyd([
      ...['sites', 'add', 'issued', '--config', daemon.config, '--op', realm.issuer],
      ...['--client-id', client.clientId, '--client-secret-file', secret_file],
      ...['--redirect-uri', redirect_uri, '--post-logout-redirect-uri', 'http://127.0.0.1:9/'],
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
      expect(after.headers.get('location')).toMatch(/^http:\/\/127\.0\.0\.1:9\//)
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
      const claimsFor = async (scope: string[]) => {
        const { session_id } = await logIn(oxd_id, { scope })
        const { claims } = await wire.ok('get_user_info', { oxd_id, session_id })
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
      // Keycloak knows its own access token no more, and the site does as with any API.
      expect((await userInfo()).data).toMatchObject({
        error: 'op_error',
        details: { error: 'invalid_token', http_status: 401 },
      })
      const refreshed = await accessToken({ rejected_access_token: before.access_token })
      expect(refreshed).toMatchObject({ status: 'ok' })
      expect((await userInfo()).data.claims).toMatchObject({ preferred_username: 'alice' })
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
