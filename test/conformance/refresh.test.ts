/** Answers to a refresh that must change nothing, and honest ones that must (RFC 6749 6, OIDC Core 12.2, S6). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  answers,
  type Bends,
  BentOp,
  BentSite,
  breakSignature,
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
  set,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { type Reply, Wire } from '../support/wire.js'

const MINUTE = 60

let daemon: TestDaemon
let wire: Wire
let op: BentOp
let site: BentSite
/** An OP that uses up its refresh tokens. */
let rotating: BentOp
let rotated: BentSite

const offline = { scope: ['openid', 'offline_access'] }

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { op_timeout: 1 } })
  wire = await Wire.connect(daemon.socket)
  op = await BentOp.start()
  op.rotates = false
  site = await BentSite.register(wire, op, offline)
  rotating = await BentOp.start()
  rotated = await BentSite.register(wire, rotating, offline)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op, rotating)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
  await rotating[Symbol.asyncDispose]()
})

/** A login with a refresh token. `max_age` makes the ID Token say when it was. */
async function logIn({ wire, op, oxd_id }: BentSite): Promise<Reply['data']> {
  const request = { max_age: 300 }
  const { authorization_url, binding } = await wire.ok('get_authorization_url', {
    oxd_id,
    ...request,
  })
  const callback = op.authorize(authorization_url)
  return wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
}

/** Refreshes, as after a 401 of an API. */
function refresh(
  { wire, oxd_id }: BentSite,
  { session_id, access_token }: Reply['data'],
): Promise<Reply> {
  const params = { oxd_id, session_id, rejected_access_token: access_token }
  return wire.call('get_access_token', params)
}

/**
 * A refresh that fails with this error and leaves the session as it was: the honest one that
 * follows works, as does the next login.
 */
async function refuses(bends: Bends, error: string, calls: object = { token: 1 }): Promise<void> {
  const login = await logIn(site)
  const { session_id, access_token } = login
  const { oxd_id } = site
  const stored = await daemon.stored()
  const secrets = op.secrets.length
  const start = op.asked.length
  op.bend(bends)
  const { status, data } = await refresh(site, login)
  op.straighten()
  expect({ status, ...data }).toMatchObject({ status: 'error', error })
  expect(op.calls(start)).toEqual(calls)
  for (const secret of op.secrets.slice(secrets)) expect(JSON.stringify(data)).not.toContain(secret)

  const kept = await wire.ok('get_access_token', { oxd_id, session_id })
  expect(kept.access_token).toBe(access_token)
  const again = await refresh(site, login)
  expect(again).toMatchObject({ status: 'ok' })
  expect(again.data.access_token).not.toBe(access_token)
  expect(op.last('token').body).toContain(`refresh_token=${login.refresh_token}`)
  const { claims } = await wire.ok('get_user_info', { oxd_id, session_id })
  expect(claims.sub).toBe(op.sub)
  expect(await daemon.stored()).toEqual(stored)
  await site.accepts()
}

async function accepts(bends: Bends): Promise<Reply['data']> {
  const login = await logIn(site)
  op.bend(bends)
  const { status, data } = await refresh(site, login)
  op.straighten()
  expect({ status, ...data }).toMatchObject({ status: 'ok' })
  expect(data.access_token).not.toBe(login.access_token)
  return data
}

const now = () => Math.floor(Date.now() / 1000)
const claims = (members: Members): Bends => ({ claims: set(members) })
const ofOthers = (honest: Members): Members => ({ ...honest, azp: honest['aud'] })

describe('M13 S6 an ID Token that is not of the same login', () => {
  test.each<[name: string, bends: Bends, error: string]>([
    ['no sub', claims({ sub: undefined }), 'invalid_id_token'],
    ['another aud', claims({ aud: 'other' }), 'invalid_id_token_bad_audience'],
    [
      'a further aud',
      { claims: (honest) => ({ ...honest, aud: [honest['aud'], 'other'] }) },
      'invalid_id_token_bad_audience',
    ],
    ['an azp that the login had not', { claims: ofOthers }, 'invalid_id_token_bad_audience'],
    ['another auth_time', claims({ auth_time: 1 }), 'invalid_id_token_bad_auth_time'],
    ['another nonce', claims({ nonce: 'other' }), 'invalid_id_token_bad_nonce'],
    ['expired', claims({ exp: now() - 5 * MINUTE }), 'invalid_id_token_expired'],
    ['from the future', claims({ iat: now() + 10 * MINUTE }), 'invalid_id_token_expired'],
    ['another at_hash', claims({ at_hash: 'AAAA' }), 'invalid_access_token_bad_hash'],
    ['no JWT', { id_token: () => 'no.jwt' }, 'invalid_id_token'],
    ['unsigned', { header: set({ alg: 'none' }) }, 'invalid_id_token_bad_signature'],
    ['with a broken signature', { id_token: breakSignature }, 'invalid_id_token_bad_signature'],
    ['with an algorithm of its own', { key: makeKey('ES256') }, 'invalid_id_token_bad_signature'],
  ])('%s', async (_, bends, error) => {
    await refuses(bends, error)
  })

  test('signed with a key that the OP does not publish', async () => {
    const calls = { token: 1, jwks: 1 }
    await refuses({ key: makeKey('RS256') }, 'invalid_id_token_bad_signature', calls)
  })
})

test.each([
  ['oidcc-client-test-refresh-token-invalid-sub', { sub: 'mallory' }, 'invalid_id_token_bad_sub'],
  [
    'oidcc-client-test-refresh-token-invalid-issuer',
    { iss: 'https://evil.example' },
    'invalid_id_token_bad_issuer',
  ],
])('%s: an ID Token that the OP has signed ends the session', async (_, members, error) => {
  const login = await logIn(site)
  const { oxd_id } = site
  const { session_id } = login
  const { sessions } = await daemon.stored()
  const start = op.asked.length
  const secrets = op.secrets.length
  op.bend(claims(members))
  const { data } = await refresh(site, login)
  op.straighten()
  expect(data).toMatchObject({ error, retryable: false })
  for (const secret of op.secrets.slice(secrets)) expect(JSON.stringify(data)).not.toContain(secret)
  expect(op.calls(start)).toEqual({ token: 1, revocation: 1 })
  expect(op.last('revocation').body).toContain(login.refresh_token)
  expect((await daemon.stored()).sessions).toBe(sessions - 1)
  for (const command of ['get_session', 'get_access_token', 'get_user_info']) {
    expect(await wire.refused(command, { oxd_id, session_id })).toMatchObject({
      error: 'invalid_session_id',
    })
  }
  await site.accepts()
})

describe('an answer that is no token response', () => {
  test.each<[name: string, members: Members]>([
    ['token_type mac', { token_type: 'mac' }],
    ['token_type DPoP', { token_type: 'DPoP' }],
    ['no token_type', { token_type: undefined, id_token: undefined }],
    ['no access_token', { access_token: undefined }],
    ['no access_token, nor an ID Token', { access_token: undefined, id_token: undefined }],
    ['an access token too long', { access_token: 'a'.repeat(65_537), id_token: undefined }],
    ['a refresh token too long', { refresh_token: 'a'.repeat(65_537) }],
    ['a refresh token that is no text', { refresh_token: 7, id_token: undefined }],
    ['a scope that is no text', { scope: ['openid'] }],
    ['a scope too long', { scope: 'a'.repeat(4097), id_token: undefined }],
  ])('%s', async (_, members) => {
    await refuses({ token: withMembers(members) }, 'invalid_op_response')
  })

  test.each<[name: string, answer: Parameters<typeof answers>[0], error: string]>([
    ['HTML', html(), 'invalid_op_response'],
    ['a list', json([1]), 'invalid_op_response'],
    ['a redirect', redirect('https://evil.example/'), 'invalid_op_response'],
    ['more than a megabyte', huge(2 * 1024 * 1024), 'op_unreachable'],
    ['503', json({ error: 'temporarily_unavailable' }, 503), 'op_unreachable'],
    ['a reset', reset, 'op_unreachable'],
    ['a reset in the middle', resetMidBody, 'op_unreachable'],
    ['nothing', hang, 'op_unreachable'],
    ['invalid_client', json({ error: 'invalid_client' }, 401), 'op_error'],
    ['invalid_scope', json({ error: 'invalid_scope' }, 400), 'op_error'],
  ])('%s', async (_, answer, error) => {
    await refuses({ token: answers(answer) }, error)
  })
})

describe('an honest answer', () => {
  test('without an ID Token', async () => {
    await accepts({ id_token: () => undefined })
  })

  test('with the nonce of the login', async () => {
    const login = await logIn(site)
    op.bend(claims({ nonce: login.id_token_claims.nonce }))
    expect(await refresh(site, login)).toMatchObject({ status: 'ok' })
    op.straighten()
  })

  test('without an auth_time', async () => {
    await accepts(claims({ auth_time: undefined }))
  })

  test('without a scope or a lifetime: the one stays, and the other is nobody’s to know', async () => {
    const data = await accepts({ token: withMembers({ scope: undefined, expires_in: undefined }) })
    expect(data).toEqual({ access_token: expect.any(String), token_type: 'Bearer' })
  })

  test('leaves the claims of the login, and brings the hint of the logout', async () => {
    const login = await logIn(site)
    op.bend(claims({ name: 'Renamed' }))
    await refresh(site, login)
    op.straighten()
    const { oxd_id } = site
    const { session_id } = login
    const session = await wire.ok('get_session', { oxd_id, session_id })
    expect(session.id_token_claims).toEqual(login.id_token_claims)
  })
})

describe('a refresh token that the OP rejects', () => {
  test('is not tried again, by whichever way it comes', async () => {
    const login = await logIn(site)
    op.bend({ token: answers(json({ error: 'invalid_grant', error_description: 'gone' }, 400)) })
    const start = op.asked.length
    const { oxd_id } = site
    for (let turn = 0; turn < 3; turn += 1) {
      const { data } = await refresh(site, login)
      expect(data).toMatchObject({ error: 'refresh_token_rejected', retryable: false })
    }
    const { refresh_token, session_id } = login
    const classic = { oxd_id, refresh_token }
    expect(await wire.refused('get_access_token_by_refresh_token', classic)).toMatchObject({
      error: 'refresh_token_rejected',
    })
    op.straighten()
    expect(op.calls(start)).toEqual({ token: 1 })
    // The access token is good as long as it is.
    expect(await wire.ok('get_access_token', { oxd_id, session_id })).toMatchObject({
      access_token: login.access_token,
    })
  })
})

test('P24 an OP that says invalid_grant with 200 is passed on, and not believed for good', async () => {
  const login = await logIn(site)
  op.bend({ token: answers(json({ error: 'invalid_grant', error_description: 'gone' })) })
  const { data } = await refresh(site, login)
  op.straighten()
  expect(data).toMatchObject({
    error: 'op_error',
    details: { error: 'invalid_grant', error_description: 'gone', http_status: 200 },
  })
  expect(await refresh(site, login)).toMatchObject({ status: 'ok' })
})

describe('M13 P33 an OP that rotates', () => {
  test.each<[name: string, answer: Parameters<typeof answers>[0]]>([
    ['503', json({}, 503)],
    ['a reset', reset],
    ['HTML', html()],
  ])('and whose answer is lost (%s) is asked with the old token, once', async (_, answer) => {
    const login = await logIn(rotated)
    const stored = await daemon.stored()
    const lost = rotating.asked.length
    rotating.bend({ token: answers(answer) })
    expect(await refresh(rotated, login)).toMatchObject({ status: 'error' })
    rotating.straighten()
    expect(rotating.calls(lost)).toEqual({ token: 1 })
    const start = rotating.asked.length
    for (let turn = 0; turn < 2; turn += 1) {
      const { data } = await refresh(rotated, login)
      expect(data).toMatchObject({ error: 'refresh_token_rejected', retryable: false })
    }
    expect(rotating.calls(start)).toEqual({ token: 1 })
    expect(await daemon.stored()).toEqual(stored)
    await rotated.accepts()
  })

  test('gets each refresh token once, whoever brings it to the daemon', async () => {
    const { access_token, refresh_token, session_id } = await logIn(rotated)
    const { oxd_id } = rotated
    const classic = (token: string, scope?: string[]) =>
      wire.ok('get_access_token_by_refresh_token', {
        oxd_id,
        refresh_token: token,
        ...(scope && { scope }),
      })
    const start = rotating.asked.length
    const all = await Promise.all(Array.from({ length: 8 }, () => classic(refresh_token)))
    const [first] = all
    expect(new Set(all.map((one) => one.access_token)).size).toBe(1)
    expect(first.access_token).not.toBe(access_token)
    expect(first.refresh_token).not.toBe(refresh_token)
    expect(await classic(refresh_token)).toMatchObject({ access_token: first.access_token })
    expect(rotating.calls(start)).toEqual({ token: 1 })

    // Each of these needs the OP, by tokens that all were used within a minute.
    const narrow = await classic(refresh_token, ['openid'])
    expect(narrow).toMatchObject({ scope: 'openid' })
    const narrower = await classic(refresh_token, ['openid'])
    expect(narrower.access_token).not.toBe(narrow.access_token)
    expect(await classic(first.refresh_token)).toEqual({
      ...first,
      expires_in: expect.any(Number),
      id_token: undefined,
      refresh_token: narrower.refresh_token,
    })
    expect(rotating.calls(start)).toEqual({ token: 3 })
    const session = await wire.ok('get_access_token', { oxd_id, session_id })
    expect(session).toMatchObject({ access_token: first.access_token })
    // Of whom they tell is known for each of them.
    for (const token of [access_token, first.access_token, narrower.access_token]) {
      const { claims } = await wire.ok('get_user_info', { oxd_id, access_token: token })
      expect(claims.sub).toBe(rotating.sub)
    }
  })
})

describe('a refresh token that no session has', () => {
  test('is passed on to the OP, and the answer checked', async () => {
    const login = await logIn(rotated)
    const { oxd_id } = rotated
    const end = { oxd_id, session_id: login.session_id, revoke_tokens: false }
    expect(await wire.ok('end_session', end)).toEqual({ ended: true, tokens_revoked: false })
    const first = await wire.ok('get_access_token_by_refresh_token', {
      oxd_id,
      refresh_token: login.refresh_token,
    })
    expect(first).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      refresh_token: expect.any(String),
      id_token: expect.any(String),
      expires_in: 300,
      scope: 'openid offline_access',
    })
    const again = { oxd_id, refresh_token: login.refresh_token }
    const start = rotating.asked.length
    expect(await wire.ok('get_access_token_by_refresh_token', again)).toMatchObject({
      access_token: first.access_token,
      refresh_token: first.refresh_token,
    })
    expect(rotating.calls(start)).toEqual({})
    rotating.bend({ id_token: breakSignature })
    const second = { oxd_id, refresh_token: first.refresh_token }
    expect(await wire.refused('get_access_token_by_refresh_token', second)).toMatchObject({
      error: 'invalid_id_token_bad_signature',
    })
    rotating.straighten()
    expect(await wire.refused('get_access_token_by_refresh_token', second)).toMatchObject({
      error: 'refresh_token_rejected',
    })
  })

  test('is asked for once, whoever brings it at the same time, and not when it was rejected', async () => {
    const login = await logIn(rotated)
    const { oxd_id } = rotated
    await wire.ok('end_session', { oxd_id, session_id: login.session_id, revoke_tokens: false })
    const start = rotating.asked.length
    const redeem = (refresh_token: string) =>
      wire.call('get_access_token_by_refresh_token', { oxd_id, refresh_token })
    const all = await Promise.all(Array.from({ length: 8 }, () => redeem(login.refresh_token)))
    expect(new Set(all.map(({ data }) => data.access_token)).size).toBe(1)
    expect(all[0]).toMatchObject({ status: 'ok' })
    expect(rotating.calls(start)).toEqual({ token: 1 })
    const wrong = await Promise.all(Array.from({ length: 8 }, () => redeem('nobody issued this')))
    expect(new Set(wrong.map(({ data }) => data.error))).toEqual(
      new Set(['refresh_token_rejected']),
    )
    expect(rotating.calls(start)).toEqual({ token: 2 })
  })

  test('is nothing that another site’s session would answer', async () => {
    const login = await logIn(rotated)
    const other = await BentSite.register(wire, rotating, offline)
    const start = rotating.asked.length
    const { oxd_id } = other
    const stolen = { oxd_id, refresh_token: login.refresh_token }
    expect(await wire.refused('get_access_token_by_refresh_token', stolen)).toMatchObject({
      error: 'refresh_token_rejected',
    })
    expect(rotating.calls(start)).toEqual({ token: 1 })
    const session = { oxd_id, session_id: login.session_id }
    for (const command of ['get_session', 'get_access_token', 'revoke_token']) {
      expect(await wire.refused(command, session)).toMatchObject({ error: 'invalid_session_id' })
    }
    expect(await wire.ok('end_session', session)).toMatchObject({ ended: false })
    expect(await refresh(rotated, login)).toMatchObject({ status: 'ok' })
  })
})

describe('a session without a refresh token', () => {
  test('answers its access token while it is good, and then says log in again', async () => {
    const short = await BentSite.register(wire, op)
    op.expires_in = 0
    const login = await short.attempt()
    op.expires_in = 300
    const { oxd_id } = short
    const { session_id } = login.data
    const start = op.asked.length
    expect(await wire.refused('get_access_token', { oxd_id, session_id })).toMatchObject({
      error: 'no_refresh_token',
      retryable: false,
    })
    expect(op.calls(start)).toEqual({})

    const { data } = await short.attempt()
    const good = { oxd_id, session_id: data.session_id }
    expect(await wire.ok('get_access_token', good)).toMatchObject({ expires_in: 300 })
    // Half of its life is what anybody may ask for.
    expect(await wire.ok('get_access_token', { ...good, min_lifetime: 100_000 })).toMatchObject({
      access_token: data.access_token,
    })
    expect(await refresh(short, data)).toMatchObject({ data: { error: 'no_refresh_token' } })
  })
})

test('an OP that is down leaves an access token that is still good, unless more was asked for', async () => {
  op.expires_in = 6
  const { session_id, access_token } = await logIn(site)
  op.expires_in = 300
  const due = Math.floor(Date.now() / 1000) + 4
  const { oxd_id } = site
  await expect.poll(now, { timeout: 10_000 }).toBeGreaterThanOrEqual(due)
  op.bend({ token: answers(json({}, 503)) })
  const start = op.asked.length
  const asked = { oxd_id, session_id }
  expect(await wire.ok('get_access_token', asked)).toMatchObject({ access_token })
  expect(op.calls(start)).toEqual({ token: 1 })
  expect(await wire.refused('get_access_token', { ...asked, min_lifetime: 3 })).toMatchObject({
    error: 'op_unreachable',
    retryable: true,
  })
  op.straighten()
})

test('oidcc-client-test-refresh-token: get_user_info refreshes what has expired', async () => {
  op.expires_in = 0
  const { session_id } = await logIn(site)
  op.expires_in = 300
  const { oxd_id } = site
  const start = op.asked.length
  const { claims } = await wire.ok('get_user_info', { oxd_id, session_id })
  expect(claims.sub).toBe(op.sub)
  expect(op.calls(start)).toEqual({ token: 1, userinfo: 1 })
})

test('C16 P34 a site calls an API: a token that has expired is refreshed before it has it', async () => {
  // UserInfo is an API like any other: it takes what the OP knows, and nothing else.
  const callApi = (access_token: string) =>
    fetch(op.address('userinfo'), { headers: { authorization: `Bearer ${access_token}` } })
  op.expires_in = 0
  const { session_id, access_token: expired } = await logIn(site)
  op.expires_in = 300
  const { oxd_id } = site
  const { access_token } = await wire.ok('get_access_token', { oxd_id, session_id })
  expect(access_token).not.toBe(expired)
  expect((await callApi(access_token)).status).toBe(200)
  expect((await callApi(`${access_token}x`)).status).toBe(401)
  // An API that takes it no more, before its time, is told by the site.
  const rejected = { oxd_id, session_id, rejected_access_token: access_token }
  const fresh = await wire.ok('get_access_token', rejected)
  expect(fresh.access_token).not.toBe(access_token)
  expect((await callApi(fresh.access_token)).status).toBe(200)
})

describe('get_user_info, of an access token that the OP takes no more before its time', () => {
  const challenge = { 'www-authenticate': 'Bearer error="invalid_token"' }

  test('refreshes it, and asks once more', async () => {
    const { session_id, access_token } = await logIn(site)
    const { oxd_id } = site
    const start = op.asked.length
    op.bend({
      userinfo: (honest, { headers }) =>
        headers.authorization === `Bearer ${access_token}`
          ? json({ error: 'invalid_token' }, 401, challenge)
          : honest,
    })
    const { claims } = await wire.ok('get_user_info', { oxd_id, session_id })
    op.straighten()
    expect(claims.sub).toBe(op.sub)
    expect(op.calls(start)).toEqual({ userinfo: 2, token: 1 })
  })

  test('gives up where the fresh one is refused too', async () => {
    const { session_id } = await logIn(site)
    const start = op.asked.length
    op.bend({ userinfo: answers(json({ error: 'invalid_token' }, 401, challenge)) })
    const refused = await wire.refused('get_user_info', { oxd_id: site.oxd_id, session_id })
    op.straighten()
    expect(refused).toMatchObject({ error: 'op_error', details: { http_status: 401 } })
    expect(op.calls(start)).toEqual({ userinfo: 2, token: 1 })
  })
})

test('where the daemon keeps the tokens, a session is what a site has', async () => {
  const kept = await BentSite.register(wire, op, { ...offline, tokens: 'daemon' })
  const { oxd_id } = kept
  const { session_id, refresh_token } = await logIn(kept)
  expect(refresh_token).toBeUndefined()
  const { access_token } = await wire.ok('get_access_token', { oxd_id, session_id })
  expect((await wire.ok('introspect_access_token', { oxd_id, access_token })).active).toBe(true)
  const withheld = { error: 'tokens_kept_by_daemon' }
  const brought = { oxd_id, refresh_token: 'brought from elsewhere' }
  expect(await wire.refused('get_access_token_by_refresh_token', brought)).toMatchObject(withheld)
  const token = { oxd_id, token: access_token }
  expect(await wire.refused('revoke_token', token)).toMatchObject(withheld)
  expect(await wire.ok('revoke_token', { oxd_id, session_id })).toEqual({ revoked: true })
})
