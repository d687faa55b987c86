/** Answers of a UserInfo endpoint that must not be used (OIDC Core 5.3). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Answer,
  answers,
  type Bend,
  BentOp,
  BentSite,
  breakSignature,
  expectNoSecrets,
  hang,
  html,
  huge,
  json,
  makeKey,
  redirect,
  resetMidBody,
  signingInput,
  signJwt,
  type Takeover,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Scrape } from '../support/scrape.js'
import { Wire } from '../support/wire.js'

let daemon: TestDaemon
let wire: Wire
let op: BentOp
let site: BentSite
/** The parameters of get_user_info for a session that an honest login made. */
let session: { oxd_id: string; session_id: string }
let access_token: string

beforeAll(async () => {
  // The rows of signed UserInfo end in codes that get_user_info does not declare: see there.
  daemon = await TestDaemon.start({ daemon: { op_timeout: 1 }, env: { RELYD_RECORD: '' } })
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
  expectNoSecrets(daemon.log, op)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

/** UserInfo is refused, asked for once, and works the next time. */
async function refuses(
  answer: (honest: Answer) => Answer | Takeover,
  refused: object,
  params: object = session,
): Promise<void> {
  const start = op.asked.length
  op.bend({ userinfo: answer })
  const reply = await wire.call('get_user_info', params)
  op.straighten()
  expect(reply).toMatchObject({ status: 'error', data: refused })
  expect(reply.data).not.toHaveProperty('claims')
  expect(op.calls(start)).toEqual({ userinfo: 1 })
  expect(await wire.ok('get_user_info', params)).toEqual({
    claims: { sub: op.sub, name: 'Alice' },
  })
}

const invalid = { error: 'invalid_op_response' }
const unreachable = { error: 'op_unreachable', retryable: true }

describe('refuses', () => {
  test.each<[name: string, answer: (honest: Answer) => Answer | Takeover, refused: object]>([
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
      { oxd_id: site.oxd_id, access_token },
    )
  })
})

describe('oidcc-client-test-userinfo-signed, though nobody registered for it', () => {
  const claims = () => ({ sub: op.sub, name: 'Alice', iss: op.issuer, aud: clientId() })
  const header = () => ({ alg: op.key.alg, kid: op.key.kid })

  test('a good one is taken or refused, as UserInfo', async () => {
    op.bend({ userinfo: answers(jwt(signJwt(header(), claims(), op.key))) })
    const { status, data } = await wire.call('get_user_info', session)
    op.straighten()
    if (status === 'ok') expect(data.claims).toMatchObject({ sub: op.sub })
    else expect(data).toMatchObject(invalid)
  })

  test('alg none is refused', async () => {
    const unsigned = () => jwt(`${signingInput({ alg: 'none' }, claims())}.`)
    await refuses(unsigned, { error: expect.stringMatching(/^invalid_/) })
  })

  test('sub of another End-User is refused', async () => {
    const other = () => jwt(signJwt(header(), { ...claims(), sub: 'bob' }, op.key))
    await refuses(other, { error: 'invalid_op_response' })
  })

  // openid-client alone would read its claims and leave the signature unverified.
  test('a broken signature is refused', async () => {
    await refuses(() => jwt(breakSignature(signJwt(header(), claims(), op.key))), invalid)
  })

  test('a key that the OP does not publish is refused', async () => {
    const key = makeKey('RS256')
    await refuses(() => jwt(signJwt({ alg: 'RS256', kid: key.kid }, claims(), key)), invalid)
  })

  test.each<[name: string, members: object]>([
    ['another audience', { aud: 'foreign' }],
    ['another issuer', { iss: 'https://evil.example' }],
    ['an exp that is past', { exp: 1 }],
    ['an alg that was not offered', {}],
  ])('%s is refused with a code that get_user_info declares', async (name, members) => {
    const alg = name.startsWith('an alg') ? 'ES256' : 'RS256'
    const key = alg === 'RS256' ? op.key : makeKey(alg)
    const bad = () => jwt(signJwt({ alg, kid: key.kid }, { ...claims(), ...members }, key))
    await refuses(bad, { error: expect.stringMatching(/^invalid_(op_response|user_info)$/) })
  })
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
