/** Trap 14: what clients send along with a login's commands, and mean nothing by. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { codeAndState, OxdWorld } from '../support/oxd/oxd_world.js'

let world: OxdWorld

beforeAll(async () => {
  world = await OxdWorld.start()
})

afterAll(() => world[Symbol.asyncDispose]())

/** Of oxd-node's configuration, of older versions, and of a token that nobody asks for. */
const noise = {
  host: 'localhost',
  port: 8099,
  https_extension: false,
  protection_access_token: null,
  client_secret_expires_at: 0,
  scopes: ['openid'],
  rpt: null,
  something: { else: [] },
}

test('trap 14: a whole login with unknown parameters, nulls, blanks, and texts where lists are due', async () => {
  using site = await world.site()
  const { authorization_url } = await site.ok('get_authorization_url', {
    ...noise,
    scope: ' openid  profile ',
    acr_values: [''],
    prompt: '',
    hd: null,
    custom_parameters: null,
  })
  const asked = new URL(authorization_url).searchParams
  expect(asked.get('scope')).toBe('openid profile')
  for (const name of ['acr_values', 'prompt', 'hd']) expect(asked.has(name)).toBe(false)

  const listed = await site.ok('get_authorization_url', { scope: ['openid email', 'phone'] })
  expect(new URL(listed.authorization_url).searchParams.get('scope')).toBe('openid email phone')
  // Where a text is due, it stays one.
  const passwords = await site.refused('implicit_flow', { scope: 'openid email' })
  expect(passwords).toMatchObject({ error: 'unsupported_operation' })

  const callback = codeAndState(await site.browse(authorization_url))
  const { access_token, id_token } = await site.ok('get_tokens_by_code', {
    ...noise,
    ...callback,
    iss: null,
    url: '',
  })
  await site.ok('get_user_info', { ...noise, access_token: [access_token] })
  await site.ok('introspect_access_token', { ...noise, access_token })
  await site.ok('id_token_status', { ...noise, id_token, nonce: null })
  await site.ok('access_token_status', { ...noise, id_token, access_token })
  const logout = {
    ...noise,
    id_token_hint: null,
    post_logout_redirect_uri: null,
    state: null,
    session_state: null,
  }
  const { uri } = await site.ok('get_logout_uri', logout)
  expect([...new URL(uri).searchParams.keys()]).toEqual(['client_id'])
  await site.ok('license_status', noise)
})

test('trap 14: booleans and numbers may be texts', async () => {
  using site = await world.site()
  expect(await site.refused('get_rp', { list: 'True' })).toMatchObject({
    details: { field: 'list' },
  })
  expect(await site.ok('get_rp', { list: ' false ' })).toMatchObject({ node: {} })
  expect(await site.refused('get_rp', { list: 'yes' })).toMatchObject({ error: 'invalid_request' })
})

test('trap 14: an oxd_id that is null or blank is refused as missing', async () => {
  using site = await world.site()
  for (const oxd_id of [null, '', ' ']) {
    expect(await site.refused('get_authorization_url', { oxd_id })).toMatchObject({
      error: 'bad_request',
    })
  }
})
