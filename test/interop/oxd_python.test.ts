/** oxdpython 3.1.3.1 as it is on PyPI, on CPython 2.7, from its own cfg: every command of a site's life. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Op } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { realmAt, startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { clientOf, startOxdOp } from '../support/oxd/oxd_op.js'
import { installOxdpython, PythonClient, type PythonLibrary } from '../support/oxd/python_client.js'
import { hasPython27 } from '../support/python27.js'

const MINUTE = 60_000

/** Of the listener of the realm that protects its commands. */
const GUARDED = 2

const text = expect.stringMatching(/./)
const an_hour = expect.closeTo(3600, -2)

describe.skipIf(!hasPython27())('oxdpython', () => {
  const folder = mkdtempSync(join(tmpdir(), 'relyd-oxdpython-'))
  let library: PythonLibrary
  let op: Op
  let daemon: TestDaemon
  /** Seconds that the next token of a client is good for. */
  let token_ttl = 600

  beforeAll(async () => {
    library = await installOxdpython(folder)
    op = await startOxdOp({ ttl: { AccessToken: 3600, ClientCredentials: () => token_ttl } })
    daemon = await startOxdDaemon({
      sections: realmAt('guarded', '3.1', 'protect_commands_with_access_token = yes'),
    })
  }, MINUTE)

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]()
    await op?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function website(oxd: { host?: string; port?: number } = {}): PythonClient {
    return new PythonClient(library, {
      oxd: { host: 'localhost', port: daemon.port, id: '', ...oxd },
      client: {
        op_host: op.issuer,
        authorization_redirect_uri: 'https://site.example/callback',
        post_logout_redirect_uri: 'https://site.example/bye',
        client_frontchannel_logout_uris: 'https://site.example/logout',
        client_name: 'Shop',
        scope: 'openid,profile,email,odd',
        grant_types: 'authorization_code,refresh_token',
        response_types: 'code',
        contacts: 'a@site.example,b@site.example',
        ui_locales: 'en',
      },
    })
  }

  async function logIn(site: PythonClient): Promise<[code: string, state: string]> {
    const url = await site.call('get_authorization_url')
    const { searchParams } = new URL(await new EndUser().logIn(url))
    return [searchParams.get('code') as string, searchParams.get('state') as string]
  }

  test('a site from its registration to its removal, over one connection', async () => {
    await using site = website()
    const oxd_id = await site.call('register_site')
    expect(site.cfg).toContain(`id = ${oxd_id}\n`)
    const connection = await site.call('msgr.sock.getsockname')

    const url = await site.call('get_authorization_url', [], {
      acr_values: ['urn:gold', 'urn:silver'],
      prompt: 'login',
      scope: ['openid', 'email'],
      custom_params: { ui_theme: 'dark' },
    })
    expect(Object.fromEntries(new URL(url).searchParams)).toMatchObject({
      acr_values: 'urn:gold urn:silver',
      prompt: 'login',
      scope: 'openid email',
      ui_theme: 'dark',
    })
    expect(await clientOf(op, url)).toMatchObject({
      client_name: 'Shop',
      contacts: ['a@site.example', 'b@site.example'],
    })

    const tokens = await site.call('get_tokens_by_code', await logIn(site))
    expect(tokens).toMatchObject({
      access_token: text,
      refresh_token: text,
      id_token: text,
      expires_in: an_hour,
      id_token_claims: { iss: [op.issuer], sub: ['alice'], exp: [expect.stringMatching(/^\d+$/)] },
    })
    expect(await site.call('get_user_info', [tokens.access_token])).toMatchObject({
      sub: ['alice'],
      name: ['Alice Ångström'],
      email: ['alice@example.com'],
      email_verified: ['true'],
      updated_at: ['1767225600'],
      'https://op.example/role': ['admin'],
    })
    expect(await site.call('introspect_access_token', [tokens.access_token])).toMatchObject({
      active: true,
      sub: 'alice',
      scope: text,
    })

    const { refresh_token } = tokens
    const refreshed = await site.call('get_access_token_by_refresh_token', [refresh_token])
    expect(refreshed).toMatchObject({ access_token: text, expires_in: an_hour })
    expect(refreshed.access_token).not.toBe(tokens.access_token)
    expect(await site.call('get_user_info', [refreshed.access_token])).toHaveProperty('sub')

    const uri = new URL(await site.call('get_logout_uri', [tokens.id_token], { state: 'of mine' }))
    expect(uri.href).toContain(`${op.issuer}/session/end?`)
    expect(Object.fromEntries(uri.searchParams)).toMatchObject({
      post_logout_redirect_uri: 'https://site.example/bye',
      state: 'of mine',
    })
    expect((await fetch(uri)).status).toBe(200)

    await site.call('config.set', ['client', 'client_name', 'Shop of Ålesund'])
    expect(await site.call('update_site')).toBe(true)
    expect(await clientOf(op, url)).toMatchObject({ client_name: 'Shop of Ålesund' })
    await site.call('get_tokens_by_code', await logIn(site))

    expect(await site.call('remove_site')).toBe(oxd_id)
    expect(await clientOf(op, url)).toBeUndefined()
    expect(await site.call('msgr.sock.getsockname')).toEqual(connection)
  })

  test('a website that starts again goes on with the id in its cfg', async () => {
    await using first = website()
    const oxd_id = await first.call('register_site')
    await using second = website({ host: '127.0.0.1', id: oxd_id } as object)
    expect(await second.call('register_site')).toBe(oxd_id)
    const tokens = await second.call('get_tokens_by_code', await logIn(second))
    expect(tokens.id_token_claims.sub).toEqual(['alice'])
  })

  test('refusals are its OxdServerError, and the connection goes on', async () => {
    await using site = website()
    await expect(site.call('get_authorization_url')).rejects.toThrow(
      'OxdServerError: oxd Server Error: bad_request',
    )
    await site.call('register_site')
    const connection = await site.call('msgr.sock.getsockname')
    const [code, state] = await logIn(site)
    await expect(site.call('get_tokens_by_code', [code, 'of another'])).rejects.toThrow(
      'OxdServerError: oxd Server Error: bad_request',
    )
    await expect(site.call('get_tokens_by_code', ['', state])).rejects.toThrow('bad_request')
    expect(await site.call('get_tokens_by_code', [code, state])).toHaveProperty('id_token')
    await expect(site.call('get_tokens_by_code', [code, state])).rejects.toThrow('bad_request')
    await expect(site.call('get_user_info', ['no token'])).rejects.toThrow('OxdServerError')
    await expect(site.call('uma_rs_protect', [[]])).rejects.toThrow('OxdServerError')
    await expect(site.call('uma_rp_get_rpt', ['no ticket'])).rejects.toThrow('OxdServerError')
    expect(await site.call('msgr.sock.getsockname')).toEqual(connection)
  })

  describe('behind protection', () => {
    test('setup_client, a token that its timer renews, and each command with it', async () => {
      await using site = website({ port: daemon.portOf(GUARDED) })
      const setup = await site.call('setup_client')
      expect(setup).toMatchObject({
        oxd_id: text,
        setup_client_oxd_id: text,
        client_id: text,
        client_secret: text,
        client_registration_access_token: text,
        client_registration_client_uri: text,
        client_id_issued_at: expect.any(Number),
      })
      for (const name of ['client_id', 'client_secret', 'client_registration_access_token']) {
        expect(site.cfg).toContain(`${name} = ${setup[name]}\n`)
      }
      await expect(site.call('get_authorization_url')).rejects.toThrow(
        'blank_protection_access_token',
      )

      token_ttl = 3
      const token = await site.call('get_client_token')
      token_ttl = 600
      expect([1, 2, 3]).toContain(token.expires_in)
      await expect.poll(() => site.call('msgr.access_token')).not.toBe(token.access_token)
      const renewed = await site.call('msgr.access_token')
      expect(site.cfg).toContain(`protection_access_token = ${renewed}\n`)

      const tokens = await site.call('get_tokens_by_code', await logIn(site))
      expect(await site.call('get_user_info', [tokens.access_token])).toHaveProperty('sub')
      const { refresh_token } = tokens
      await site.call('get_access_token_by_refresh_token', [refresh_token])
      await site.call('introspect_access_token', [tokens.access_token])
      expect(await site.call('get_logout_uri', [tokens.id_token])).toContain(op.issuer)
      expect(await site.call('update_site')).toBe(true)
      await site.call('get_tokens_by_code', await logIn(site))

      await site.call('msgr.__setattr__', ['access_token', 'a forged one'])
      await expect(site.call('remove_site')).rejects.toThrow('inactive_protection_access_token')
      await site.call('msgr.__setattr__', ['access_token', renewed])
      expect(await site.call('remove_site')).toBe(setup.oxd_id)
    })

    test('the token of one setup client opens no other’s site', async () => {
      await using one = website({ port: daemon.portOf(GUARDED) })
      await using other = website({ port: daemon.portOf(GUARDED) })
      await one.call('setup_client')
      await other.call('setup_client')
      const { access_token } = await one.call('get_client_token')
      expect(await one.call('get_authorization_url')).toContain(op.issuer)
      await other.call('msgr.__setattr__', ['access_token', access_token])
      // The OP tells nobody of another client's token.
      await expect(other.call('get_authorization_url')).rejects.toThrow(
        'oxd Server Error: inactive_protection_access_token',
      )
    })
  })

  test('with protection off, a token that it kept from elsewhere does not matter', async () => {
    await using site = website()
    await site.call('msgr.__setattr__', ['access_token', 'a stale one'])
    await site.call('setup_client')
    expect(await site.call('get_authorization_url')).toContain(op.issuer)
  })
})
