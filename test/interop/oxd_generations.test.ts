/** Clients as oxd-python's older generations were, on CPython 2.7, each in a realm of its generation. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Op } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { realmAt, startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { clientOf, startOxdOp } from '../support/oxd/oxd_op.js'
import { PythonClient } from '../support/oxd/python_client.js'
import { hasPython27 } from '../support/python27.js'

const text = expect.stringMatching(/./)
const an_hour = expect.closeTo(3600, -2)

/** Of each realm, the place of its listener. */
const places = { of_2_4: 2, of_3_0: 3, of_3_1: 4, guarded: 5 }

describe.skipIf(!hasPython27())('the generation of', () => {
  let op: Op
  let daemon: TestDaemon

  beforeAll(async () => {
    op = await startOxdOp()
    daemon = await startOxdDaemon({
      sections: [
        realmAt('of_2_4', '2.4'),
        realmAt('of_3_0', '3.0'),
        realmAt('of_3_1', '3.1'),
        realmAt('guarded', '3.0', 'protect_commands_with_access_token = yes'),
      ].join(''),
    })
  })

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]()
    await op?.close()
  })

  function website(
    name: 'Client243' | 'Client301' | 'Client311',
    realm: keyof typeof places,
    client: Record<string, string> = {},
  ): PythonClient {
    return new PythonClient(
      { module: 'oxd_generations', class: name },
      {
        oxd: { host: '127.0.0.1', port: daemon.portOf(places[realm]), id: '' },
        client: {
          op_host: op.issuer,
          authorization_redirect_uri: 'https://site.example/callback',
          post_logout_redirect_uri: 'https://site.example/bye',
          client_name: 'Shop',
          grant_types: 'authorization_code,refresh_token',
          scope: 'openid,profile,email,odd',
          ...client,
        },
      },
    )
  }

  async function callbackOf(url: string): Promise<{ url: string; code: string; state: string }> {
    const callback = await new EndUser().logIn(url)
    const { searchParams } = new URL(callback)
    const [code, state] = ['code', 'state'].map((name) => String(searchParams.get(name)))
    return { url: callback, code: code as string, state: state as string }
  }

  async function expectLogout(uri: string): Promise<void> {
    expect(uri).toContain(`${op.issuer}/session/end`)
    expect((await fetch(uri)).status).toBe(200)
  }

  /** The rest of a site's life, which is the same in all generations. */
  async function endLife(site: PythonClient, url: string, updated: unknown): Promise<void> {
    await site.call('set', ['client', 'client_name', 'Store'])
    expect(await site.call('update_site_registration')).toBe(updated)
    expect(await clientOf(op, url)).toMatchObject({ client_name: 'Store' })
    expect(await site.call('remove_site')).toBe(await site.call('oxd_id'))
    expect(await clientOf(op, url)).toBeUndefined()
  }

  /** What is no name for Python is left out at every depth, and the rest is there, as lists. */
  const claims = {
    sub: ['alice'],
    name: ['Alice Ångström'],
    updated_at: ['1767225600'],
    email: ['alice@example.com'],
    email_verified: ['true'],
  }

  test('2.4.3: names with dots and _fields, registered by its first login, no state', async () => {
    await using site = website('Client243', 'of_2_4', {
      client_logout_uris: 'https://site.example/logout',
    })
    const url = await site.call('get_authorization_url', [['urn:gold']])
    expect(site.cfg).toContain(`id = ${await site.call('oxd_id')}\n`)
    expect(new URL(url).searchParams.get('acr_values')).toBe('urn:gold')
    const { code } = await callbackOf(url)
    const access_token = await site.call('get_tokens_by_code', [code, ['openid', 'profile']])
    expect(access_token).toEqual(text)
    expect(await site.call('get_user_info', [access_token])).toEqual(claims)
    await expectLogout(await site.call('get_logout_uri'))

    const again = await callbackOf(await site.call('get_authorization_url'))
    expect(await site.call('get_tokens_by_code', [again.code, ['openid'], again.state])).toEqual(
      text,
    )
    const whole = await callbackOf(await site.call('get_authorization_url'))
    expect(await site.call('get_tokens_by_code_by_url', [whole.url])).toEqual(text)
    await expect(site.call('get_tokens_by_code', ['no code', ['openid']])).rejects.toThrow(
      /^RuntimeError: \w+: ./,
    )
    await endLife(site, url, true)
  })

  test('3.0.1: tokens as a namedtuple, and UMA 1 told in its own way that there is none', async () => {
    await using site = website('Client301', 'of_3_0')
    const url = await site.call('get_authorization_url', [], {
      prompt: 'login',
      scope: ['openid', 'profile', 'email', 'odd'],
    })
    const { code, state } = await callbackOf(url)
    const tokens = await site.call('get_tokens_by_code', [code, state])
    expect(tokens).toMatchObject({
      access_token: text,
      id_token: text,
      expires_in: an_hour,
      id_token_claims: { sub: ['alice'], iss: [op.issuer] },
    })
    expect(await site.call('get_user_info', [tokens.access_token])).toEqual(claims)
    await expectLogout(await site.call('get_logout_uri', [tokens.id_token]))
    await expect(site.call('get_tokens_by_code', [code, state])).rejects.toThrow(
      /^RuntimeError: bad_request: ./,
    )

    await expect(site.call('uma_rs_protect', [[]])).rejects.toThrow(/^RuntimeError: \w+: ./)
    await expect(site.call('uma_rs_check_access', ['', '/x', 'GET'])).rejects.toThrow(
      /^RuntimeError: \w+: ./,
    )
    expect(await site.call('uma_rp_get_rpt')).toBeNull()
    expect(await site.call('uma_rp_get_gat', [['view']])).toBeNull()
    expect(await site.call('uma_rp_authorize_rpt', ['x', 'y'])).toMatchObject({ status: 'error' })
    await endLife(site, url, true)
  })

  test.each([
    ['of_3_0', 'openid,profile,email,odd'],
    // As long as no claim has a name that is none for Python.
    ['of_3_1', 'openid,profile,email'],
  ] as const)('3.1.1 in a realm %s: refresh, and a connection a call', async (realm, scope) => {
    await using site = website('Client311', realm, { scope })
    await site.call('register_site')
    const url = await site.call('get_authorization_url', [], {
      custom_parameters: { ui_theme: 'dark' },
    })
    expect(new URL(url).searchParams.get('ui_theme')).toBe('dark')
    const { code, state } = await callbackOf(url)
    const tokens = await site.call('get_tokens_by_code', [code, state])
    expect(tokens).toMatchObject({ refresh_token: text, id_token_claims: { sub: ['alice'] } })
    expect(await site.call('get_user_info', [tokens.access_token])).toEqual(claims)
    const refreshed = await site.call('get_access_token_by_refresh_token', [tokens.refresh_token])
    expect(refreshed).toMatchObject({ access_token: text, expires_in: an_hour })
    await expectLogout(await site.call('get_logout_uri', [tokens.id_token]))

    for (const [method, args, code] of [
      ['uma_rs_check_access', ['', '/x', 'GET'], 'no_uma_discovery_response'],
      ['uma_rp_get_rpt', ['a ticket'], 'internal_error'],
      ['uma_rp_get_rpt', [''], 'internal_error'],
      [
        'uma_rp_get_claims_gathering_url',
        ['a ticket', 'https://site.example/claims'],
        'no_uma_discovery_response',
      ],
    ] as const) {
      await expect(site.call(method, [...args])).rejects.toThrow(`RuntimeError: ${code}: `)
    }
    await endLife(site, url, 'ok')
  })

  test('3.1.1: a login without a refresh token has one that is null', async () => {
    const settings = { scope: 'openid', grant_types: 'authorization_code' }
    await using site = website('Client311', 'of_3_0', settings)
    await site.call('register_site')
    const { code, state } = await callbackOf(await site.call('get_authorization_url'))
    const tokens = await site.call('get_tokens_by_code', [code, state])
    expect(tokens).toMatchObject({ access_token: text, refresh_token: null })
  })

  test('3.1.1 behind protection: setup_client, and each call brings its token', async () => {
    await using site = website('Client311', 'guarded')
    const { client_id, client_secret } = await site.call('setup_client')
    expect(site.cfg).toContain(`client_secret = ${client_secret}\n`)
    expect(client_id).toEqual(text)
    await expect(site.call('get_authorization_url')).rejects.toThrow(
      'RuntimeError: blank_protection_access_token',
    )
    const { access_token, expires_in } = await site.call('get_client_token')
    expect(expires_in).toBeGreaterThan(0)
    const token = { protection_access_token: access_token }
    const url = await site.call('get_authorization_url', [], token)
    const { code, state } = await callbackOf(url)
    const tokens = await site.call('get_tokens_by_code', [code, state], token)
    expect(await site.call('get_user_info', [tokens.access_token], token)).toEqual(claims)
    expect(await site.call('update_site_registration', [], token)).toBe('ok')
    await expect(site.call('remove_site')).rejects.toThrow('blank_protection_access_token')
    expect(await site.call('remove_site', [], token)).toBe(await site.call('oxd_id'))
  })
})
