/** Answers of a UserInfo endpoint that must not be used (OIDC Core 5.3). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Answer,
  type Bend,
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
  resetMidBody,
  secretKey,
  set,
  signingInput,
  signJwt,
  type Takeover,
  unsignedJwt,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Scrape } from '../support/scrape.js'
import { Wire } from '../support/wire.js'

let daemon: TestDaemon
let wire: Wire
let op: BentOp
/** An OP that is asked by POST. */
let posted: BentOp
let site: BentSite
/** The parameters of get_user_info for a session that an honest login made. */
let session: { oxd_id: string; session_id: string }
let access_token: string

beforeAll(async () => {
  posted = await BentOp.start({ alg: 'ES256' })
  daemon = await TestDaemon.start({
    daemon: { op_timeout: 1 },
    sections: `[op posted]\nop_host = ${posted.issuer}\nuserinfo_method = POST\n`,
  })
  wire = await Wire.connect(daemon.socket)
  op = await BentOp.start({ metadata: { userinfo_signing_alg_values_supported: ['RS256'] } })
  site = await BentSite.register(wire, op)
  const { session_id, ...login } = await site.accepts()
  session = { oxd_id: site.oxd_id, session_id }
  access_token = login.access_token
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op, posted)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
  await posted[Symbol.asyncDispose]()
})

function refuses(
  userinfo: (honest: Answer) => Answer | Takeover,
  refused: Members,
  whose: { session_id: string } | { access_token: string } = session,
): Promise<unknown> {
  return site.refusesUserInfo(whose, { bends: { userinfo }, refused })
}

const invalid = { error: 'invalid_op_response' }
const unreachable = { error: 'op_unreachable', retryable: true }

describe('refuses', () => {
  test.each<[name: string, answer: (honest: Answer) => Answer | Takeover, refused: Members]>([
    [
      'oidcc-client-test-userinfo-invalid-sub',
      (honest) => withSub(honest, `${op.sub}invalid`),
      { error: 'invalid_user_info' },
    ],
    [
      'sub of another End-User',
      (honest) => withSub(honest, 'bob'),
      { error: 'invalid_user_info', retryable: false },
    ],
    ['sub in other letters', (honest) => withSub(honest, 'Alice'), { error: 'invalid_user_info' }],
    ['sub missing', (honest) => withSub(honest, undefined), invalid],
    ['sub a list', (honest) => withSub(honest, [op.sub]), invalid],
    [
      '401 with a challenge',
      () => challenge(401, 'Bearer error="invalid_token", error_description="expired"'),
      {
        error: 'op_error',
        details: { error: 'invalid_token', error_description: 'expired', http_status: 401 },
      },
    ],
    [
      '403 with a challenge',
      () => challenge(403, 'Bearer error="insufficient_scope"'),
      { error: 'op_error', details: { error: 'insufficient_scope', http_status: 403 } },
    ],
    ['401 without a challenge', () => json({}, 401), invalid],
    ['an HTML body', () => html(), invalid],
    ['a JSON array', () => json([]), invalid],
    ['302', () => redirect(`${op.issuer}/elsewhere`), invalid],
    ['a body of 10 MB', () => huge(10_000_000), unreachable],
    ['a reset mid-body', () => resetMidBody, unreachable],
    ['no answer', () => hang, unreachable],
    ['500', () => json({}, 500), unreachable],
  ])('%s', async (_, answer, refused) => {
    await refuses(answer, refused)
  })

  test('oidcc-client-test-userinfo-invalid-sub, asked by access token', async () => {
    await refuses(
      (honest) => withSub(honest, `${op.sub}invalid`),
      { error: 'invalid_user_info' },
      { access_token },
    )
  })
})

describe('refuses, of a site that is registered for JSON', () => {
  const claims = () => ({ sub: op.sub, name: 'Alice', iss: op.issuer, aud: clientId() })
  const header = () => ({ alg: op.key.alg, kid: op.key.kid })

  test.each<[name: string, body: () => string]>([
    ['a signed JWT', () => signJwt(header(), claims(), op.key)],
    ['a JWT with alg none', () => `${signingInput({ alg: 'none' }, claims())}.`],
  ])('%s', async (_, body) => {
    await refuses(() => jwt(body()), invalid)
  })

  test.each<[name: string, type: string | undefined]>([
    ['JSON that says it is text', 'text/plain'],
    ['JSON of another kind', 'application/scim+json'],
    ['JSON that does not say what it is', undefined],
  ])('%s', async (_, type) => {
    await refuses(({ headers: { 'content-type': _type, ...rest }, ...honest }) => {
      return { ...honest, headers: { ...rest, ...(type && { 'content-type': type }) } }
    }, invalid)
  })

  test('P31 405, with the methods that the OP has', async () => {
    await refuses(() => json({}, 405, { allow: 'POST' }), {
      ...invalid,
      error_description: expect.stringContaining('userinfo_method'),
      details: { http_status: 405, allow: 'POST' },
    })
  })
})

describe('of a site that is registered for signed UserInfo', () => {
  let signed: BentSite
  let of_signed: { oxd_id: string; session_id: string }
  beforeAll(async () => {
    signed = await BentSite.register(wire, op, { userinfo_signed_response_alg: 'RS256' })
    const { session_id } = await signed.accepts()
    of_signed = { oxd_id: signed.oxd_id, session_id }
  })

  test('oidcc-client-test-userinfo-signed', async () => {
    const { claims } = await wire.ok('get_user_info', of_signed)
    expect(claims).toMatchObject({ sub: op.sub, name: 'Alice', iss: op.issuer })
    expect(op.last('userinfo').headers.accept).toBe('application/jwt')
  })

  test.each(['HS256', 'PS384', 'ES512', 'EdDSA'] as const)('P31 signed with %s', async (alg) => {
    await using other = await BentOp.start({ more_algs: [alg] })
    const site = await BentSite.register(wire, other, { userinfo_signed_response_alg: alg })
    await site.accepts()
  })

  test('without iss and aud, which it should have and need not', async () => {
    op.bend({ userinfo_claims: set({ iss: undefined, aud: undefined }) })
    await wire.ok('get_user_info', of_signed)
    op.straighten()
  })

  const wrong = 'invalid_user_info'
  const unreadable = 'invalid_op_response'
  test.each<[name: string, bends: () => Bends, error: string, details: object]>([
    ['a broken signature', () => ({ userinfo_jwt: breakSignature }), wrong, { header: 'kid' }],
    [
      'S1 alg none',
      () => ({ userinfo_jwt: (_, __, claims) => unsignedJwt(claims) }),
      wrong,
      { header: 'alg', expected: ['RS256'], received: 'none' },
    ],
    [
      'S5 another alg than the registered one',
      () => ({ userinfo_key: makeKey('ES256') }),
      wrong,
      { header: 'alg' },
    ],
    [
      'M1 HS256 keyed with the public key',
      () => ({ userinfo_key: secretKey('HS256', JSON.stringify(op.key.jwk)) }),
      wrong,
      { received: 'HS256' },
    ],
    [
      'sub of another End-User',
      () => ({ userinfo_claims: set({ sub: 'bob' }) }),
      wrong,
      { claim: 'sub' },
    ],
    [
      'sub missing',
      () => ({ userinfo_claims: set({ sub: undefined }) }),
      unreadable,
      { claim: 'sub' },
    ],
    [
      'S7 another audience',
      () => ({ userinfo_claims: set({ aud: ['foreign'] }) }),
      wrong,
      { claim: 'aud', received: ['foreign'] },
    ],
    [
      'another issuer',
      () => ({ userinfo_claims: set({ iss: 'https://evil.example' }) }),
      wrong,
      { claim: 'iss', received: 'https://evil.example' },
    ],
    [
      'M2 an exp that is past',
      () => ({ userinfo_claims: set({ exp: 1 }) }),
      wrong,
      { claim: 'exp', received: 1 },
    ],
    [
      'an exp that is no number',
      () => ({ userinfo_claims: set({ exp: 'never' }) }),
      wrong,
      { claim: 'exp' },
    ],
    [
      'M2 an nbf in the future',
      () => ({ userinfo_claims: set({ nbf: 9_999_999_999 }) }),
      wrong,
      { claim: 'nbf' },
    ],
    [
      'S4 crit',
      () => ({ userinfo_header: set({ crit: ['x'], x: 1 }) }),
      unreadable,
      { header: 'crit' },
    ],
    [
      'plain JSON',
      () => ({ userinfo: () => json({ sub: op.sub }) }),
      unreadable,
      { header: 'content-type', expected: 'application/jwt' },
    ],
  ])('refuses %s', async (_, bends, error, details) => {
    await signed.refusesUserInfo(of_signed, { bends: bends(), refused: { error, details } })
  })
})

test('P31 claims that are null or empty are left out, those with language tags are passed on', async () => {
  const more = { nickname: null, website: '', 'name#de': 'Alicia', zoneinfo: 0, address: {} }
  op.bend({ userinfo: withMembers(more) })
  expect(await wire.ok('get_user_info', session)).toEqual({
    claims: { sub: op.sub, name: 'Alice', 'name#de': 'Alicia', zoneinfo: 0, address: {} },
  })
  op.straighten()
})

test('P31 an OP that is asked by POST, with the token in the header alone', async () => {
  const at = await BentSite.register(wire, posted)
  const login = await at.accepts()
  const { method, headers, url, body } = posted.last('userinfo')
  expect([method, headers.authorization]).toEqual(['POST', `Bearer ${login.access_token}`])
  expect(url + body).not.toContain(login.access_token)
})

test('claims that fit the answer of an OP but no frame lose their own reply only', async () => {
  const filled: Bend = (honest) => {
    const body = { ...(honest.body as object), about: '' }
    const room = 1024 * 1024 - JSON.stringify(body).length
    return { ...honest, body: { ...body, about: 'x'.repeat(room) } }
  }
  op.bend({ userinfo: filled })
  const before = await Scrape.of(daemon.admin_socket)
  const calls = [wire.call('get_user_info', session), wire.call('ping')]
  const [claims, ping] = await Promise.all(calls)
  op.straighten()
  expect(claims?.data.error).toBe('frame_too_large')
  expect(ping?.status).toBe('ok')
  const after = await Scrape.of(daemon.admin_socket)
  const moved = (name: string, labels: Record<string, string>) =>
    after.value(name, labels) - before.value(name, labels)
  // Counted once, as what the caller was told.
  expect([
    moved('relyd_commands_total', { command: 'get_user_info', outcome: 'frame_too_large' }),
    moved('relyd_commands_total', { command: 'get_user_info' }),
    moved('relyd_frames_refused_total', {}),
  ]).toEqual([1, 1, 0])
})

test('oidcc-client-test-userinfo-bearer-header', async () => {
  await wire.ok('get_user_info', session)
  const { url, headers, body, method } = op.last('userinfo')
  expect(headers.authorization).toBe(`Bearer ${access_token}`)
  expect(method).toBe('GET')
  expect(url + body).not.toContain(access_token)
})

test('an OP without UserInfo: what its ID Token says of the End-User, and nothing of the login', async () => {
  await using without = await BentOp.start({ metadata: { userinfo_endpoint: undefined } })
  without.more_claims = { email: 'alice@example.com', sid: 'of the OP', acr: '1' }
  const { oxd_id } = await BentSite.register(wire, without)
  const begun = await new BentSite(wire, without, oxd_id).begin()
  const { session_id } = await wire.ok('get_tokens_by_callback', begun)
  expect(await wire.ok('get_user_info', { oxd_id, session_id })).toEqual({
    claims: { sub: without.sub, email: 'alice@example.com' },
    source: 'id_token',
  })
  expect(without.calls()).not.toHaveProperty('userinfo')
})

test('a session or access token of nobody asks the OP nothing', async () => {
  const start = op.asked.length
  const { oxd_id } = site
  expect(await wire.refused('get_user_info', { oxd_id, session_id: 'A'.repeat(32) })).toMatchObject(
    { error: 'invalid_session_id' },
  )
  expect(
    await wire.refused('get_user_info', { oxd_id, access_token: `${access_token}1` }),
  ).toMatchObject({ error: 'unknown_access_token' })
  expect(op.calls(start)).toEqual({})
})

function withSub(honest: Answer, sub: unknown): Answer | Takeover {
  return withMembers({ sub })(honest, op.asked[0] as (typeof op.asked)[number])
}

function challenge(status: number, value: string): Answer {
  return json({}, status, { 'www-authenticate': value })
}

function jwt(body: string): Answer {
  return { status: 200, headers: { 'content-type': 'application/jwt' }, body }
}

function clientId(): string {
  return [...op.clients.keys()][0] as string
}
