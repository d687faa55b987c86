/** What oxd's clients are told where something fails: codes that they know, by real failures. */
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  answers,
  type Bends,
  BentOp,
  expectNoSecrets,
  hang,
  html,
  json,
  set,
} from '../support/bent_op/index.js'
import { codeAndState, type Data, type OxdSite, OxdWorld } from '../support/oxd/oxd_world.js'

let world: OxdWorld<BentOp>
let site: OxdSite
let old: OxdSite

beforeAll(async () => {
  world = await OxdWorld.bent()
  site = await world.site()
  old = await world.site('2.4')
})

beforeEach(() => world.op.straighten())

afterAll(async () => {
  for (const one of [site, old]) one[Symbol.dispose]()
  await world.daemon.stop()
  expectNoSecrets(world.daemon.log, world.op)
  await world[Symbol.asyncDispose]()
})

/** A login that fails at a bent OP. */
async function failed(at: OxdSite, bends: Bends): Promise<Data> {
  const callback = await at.callback()
  world.op.bend(bends)
  const data = await at.refused('get_tokens_by_code', codeAndState(callback))
  world.op.straighten()
  return data
}

const request_id = expect.stringMatching(/./)

describe('what an OP answers', () => {
  const rejected = { error: 'invalid_grant', error_description: 'the code is \u00fcber' }

  test('is told with its status, in its own words', async () => {
    expect(await failed(site, { token: answers(json(rejected, 400)) })).toEqual({
      error: 'http_status_400',
      error_description: JSON.stringify(rejected),
      details: { ...rejected, http_status: 400, reason: 'op_error', request_id },
    })
  })

  test('is internal_error to older clients, with nothing that would be no attribute', async () => {
    expect(await failed(old, { token: answers(json(rejected, 400)) })).toEqual({
      error: 'internal_error',
      error_description: expect.stringContaining('invalid_grant'),
    })
  })

  test.each([
    ['401', { token: answers(json({ error: 'invalid_client' }, 401)) }, 'http_status_401'],
    ['503', { token: answers(html(503)) }, 'http_status_503'],
    ['an error with the status 200', { token: answers(json(rejected)) }, 'http_status_400'],
    ['nothing', { token: answers(hang) }, 'internal_error'],
    ['no JSON', { token: answers(html()) }, 'internal_error'],
  ])('%s is told as such, and no other text of it', async (_, bends, error) => {
    const data = await failed(site, bends)
    expect(data.error).toBe(error)
    expect(JSON.stringify(data)).not.toContain('<h1>')
    if (error !== 'internal_error') JSON.parse(data.error_description)
  })

  test.each([
    ['invalid_id_token_bad_nonce', { claims: set({ nonce: 'x' }) }],
    ['invalid_id_token_bad_audience', { claims: set({ aud: 'x' }) }],
    ['invalid_id_token_bad_issuer', { claims: set({ iss: 'https://x.example' }) }],
    ['invalid_id_token_expired', { claims: set({ exp: 1 }) }],
    ['invalid_access_token_bad_hash', { claims: set({ at_hash: 'x' }) }],
    ['invalid_id_token', { claims: set({ sub: undefined }) }],
    ['invalid_id_token_bad_signature', { id_token: (jwt: string) => `${jwt.slice(0, -4)}AAAA` }],
    ['no_id_token', { id_token: () => undefined }],
  ])('%s keeps its name', async (error, bends) => {
    expect((await failed(site, bends)).error).toBe(error)
    const told = await failed(old, bends)
    expect(told.error).toBe(error)
    expect(Object.keys(told)).toEqual(['error', 'error_description'])
  })

  test('UserInfo that is refused is told with its status', async () => {
    const { access_token } = await site.logIn()
    world.op.bend({ userinfo: answers(html(403)) })
    const data = await site.refused('get_user_info', { access_token })
    expect(data).toMatchObject({
      error: 'http_status_403',
      details: { reason: 'invalid_op_response' },
    })
    expect(JSON.parse(data.error_description).error).toBe('invalid_op_response')
    expect(data.error_description).not.toContain('<h1>')
  })

  test('an access token that it takes no more is told in its words', async () => {
    const { access_token } = await site.logIn()
    const headers = { 'www-authenticate': 'Bearer error="invalid_token", error_description="over"' }
    world.op.bend({ userinfo: answers({ status: 401, headers, body: '' }) })
    expect(await site.refused('get_user_info', { access_token })).toMatchObject({
      error: 'http_status_401',
      error_description: '{"error":"invalid_token","error_description":"over"}',
    })
  })

  test('a refresh token that it rejects is told so, then and later', async () => {
    using other = await world.site('3.1', { scope: ['openid', 'offline_access'] })
    const { refresh_token } = await other.logIn()
    world.op.bend({ token: answers(json(rejected, 400)) })
    const refused = () => other.refused('get_access_token_by_refresh_token', { refresh_token })
    expect(await refused()).toMatchObject({
      error: 'http_status_400',
      error_description: JSON.stringify(rejected),
      details: { reason: 'refresh_token_rejected' },
    })
    world.op.straighten()
    const later = await refused()
    expect(later.error).toBe('http_status_400')
    expect(JSON.parse(later.error_description).error).toBe('invalid_grant')
  })
})

test('an OP that is down is an internal_error', async () => {
  await using other = await BentOp.start()
  // A redirect URI of its own: oxd clients do not say which OP a callback is from.
  const authorization_redirect_uri = 'https://site.example/other'
  using here = await world.site('3.1', { op_host: other.issuer, authorization_redirect_uri })
  const { authorization_url } = await here.ok('get_authorization_url')
  const callback = codeAndState(new URL(other.authorize(authorization_url)))
  await other[Symbol.asyncDispose]()
  expect(await here.refused('get_tokens_by_code', callback)).toMatchObject({
    error: 'internal_error',
    details: { reason: 'op_unreachable', login_retry: 'later' },
  })
})

test('what nobody foresaw is an internal_error, and the connection stays open', async () => {
  const database = new Database(join(world.daemon.folder, 'state/store/relyd.db'))
  database.exec('ALTER TABLE logins RENAME TO lost')
  const refused: Data[] = []
  for (const one of [site, old]) refused.push(await one.refused('get_authorization_url'))
  database.exec('ALTER TABLE lost RENAME TO logins')
  database.close()
  for (const data of refused) {
    expect(data).toMatchObject({
      error: 'internal_error',
      error_description: expect.stringContaining('the daemon failed'),
    })
    expect(JSON.stringify(data)).not.toMatch(/logins|lost|table/i)
  }
  for (const one of [site, old]) await one.ok('get_authorization_url')
})

describe('what the client says wrong', () => {
  const oxd_id = '00000000-0000-4000-8000-000000000000'
  const code = 'code'
  const state = 'nobody-knows-this-state'

  test.each([
    ['bad_request', 'get_user_info', { oxd_id: '', access_token: 'x' }],
    ['bad_request', 'get_user_info', { oxd_id: null, access_token: 'x' }],
    ['invalid_oxd_id', 'get_user_info', { oxd_id, access_token: 'x' }],
    ['bad_request', 'get_tokens_by_code', { state }],
    ['bad_request', 'get_tokens_by_code', { code: ' ', state }],
    ['bad_request', 'get_tokens_by_code', { code, state }],
    ['bad_request', 'validate', { code, state: '' }],
    ['invalid_state', 'validate', { code, state }],
    ['invalid_request', 'get_user_info', {}],
    ['invalid_request', 'get_authorization_url', { prompt: 'none login' }],
    ['unsupported_operation', 'get_user_infos', {}],
  ])('is %s: %s %j', async (error, command, params) => {
    expect(await site.refused(command, params)).toMatchObject({ error, details: { request_id } })
    expect(await old.refused(command, params)).toEqual({
      error,
      error_description: expect.stringMatching(/./),
    })
  })

  test('an access token of no login here is answered as an OP would', async () => {
    const asked = world.op.asked.length
    expect(await site.refused('get_user_info', { access_token: 'x' })).toMatchObject({
      error: 'http_status_401',
      error_description: expect.stringMatching(/^(?!.*session_id).*"invalid_token".*log in again/),
      details: { reason: 'unknown_access_token' },
    })
    expect((await old.refused('get_user_info', { access_token: 'x' })).error).toBe('internal_error')
    expect(world.op.asked.length).toBe(asked)
  })
})

test('a login whose response is more than a code asks for what an oxd client can do', async () => {
  using hybrid = await world.site('3.1', { response_type: 'code id_token' })
  const { hash } = await hybrid.callback({ prompt: undefined })
  const { code, state } = Object.fromEntries(new URLSearchParams(hash.slice(1)))
  expect(await hybrid.refused('get_tokens_by_code', { code, state })).toMatchObject({
    error_description: expect.stringMatching(/^(?!.*get_tokens_by_callback).* as url/),
    details: { field: 'code' },
  })
})

test('an OP without logout is told by its name', async () => {
  for (const one of [site, old]) {
    expect((await one.refused('get_logout_uri')).error).toBe('no_end_session_endpoint_at_op')
  }
})
