/** What an OP says of access tokens and may not be believed, and revocations that it refuses (RFC 7662, RFC 7009). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Answer,
  answers,
  type Bend,
  BentOp,
  BentSite,
  expectNoSecrets,
  hang,
  html,
  json,
  type Members,
  redirect,
  reset,
  signJwt,
  type Takeover,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { type Reply, Wire } from '../support/wire.js'

let daemon: TestDaemon
let wire: Wire
let op: BentOp
let site: BentSite
let access_token: string

const now = () => Math.floor(Date.now() / 1000)

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { op_timeout: 1 } })
  wire = await Wire.connect(daemon.socket)
  op = await BentOp.start()
  site = await BentSite.register(wire, op)
  const { data } = await site.attempt()
  access_token = data.access_token
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

async function introspected(introspection: Bend): Promise<Reply> {
  op.bend({ introspection })
  const { oxd_id } = site
  const reply = await wire.call('introspect_access_token', { oxd_id, access_token })
  op.straighten()
  return reply
}

test('P36 asks by the specification, and tells what it names', async () => {
  const reply = await introspected(
    withMembers({ aud: ['one', 'two'], username: 'Älice', jti: 'id', nbf: now() - 5.5, act: {} }),
  )
  expect(reply.data).toEqual({
    active: true,
    scope: 'openid profile email',
    client_id: expect.any(String),
    username: 'Älice',
    token_type: 'Bearer',
    exp: expect.any(Number),
    iat: expect.any(Number),
    nbf: expect.any(Number),
    sub: 'alice',
    aud: ['one', 'two'],
    iss: op.issuer,
    jti: 'id',
  })
  const { method, headers, body } = op.last('introspection')
  expect({ method, type: headers['content-type'] }).toEqual({
    method: 'POST',
    type: 'application/x-www-form-urlencoded;charset=UTF-8',
  })
  expect(Object.fromEntries(new URLSearchParams(body))).toMatchObject({
    token: access_token,
    token_type_hint: 'access_token',
  })
})

test.each<[name: string, answer: Members]>([
  ['a member that is missing', {}],
  ['an aud that is one', { aud: 'one' }],
])('active goes through: %s', async (_, members) => {
  const { data } = await introspected(() => json({ active: true, ...members }))
  expect(data).toEqual({ active: true, ...('aud' in members && { aud: ['one'] }) })
})

describe('is not active, and tells nothing else', () => {
  test.each<[name: string, members: Members]>([
    ['inactive, with more', { active: false }],
    ['expired', { exp: now() - 1 }],
    ['expired a part of a second ago', { exp: now() - 0.5 }],
    ['not good yet', { nbf: now() + 60 }],
    ['of another issuer', { iss: 'https://evil.example' }],
    ['bound to a certificate', { cnf: { 'x5t#S256': 'hash' } }],
    ['bound to a DPoP key', { token_type: 'DPoP', cnf: { jkt: 'hash' } }],
  ])('%s', async (_, members) => {
    const { data } = await introspected(withMembers(members))
    expect(data).toEqual({ active: false })
  })
})

test('what the OP cannot take for one of its tokens is not active', async () => {
  const { data } = await introspected(() => json({ error: 'unsupported_token_type' }, 400))
  expect(data).toEqual({ active: false })
})

describe('is refused', () => {
  test.each<[name: string, members: Members]>([
    ['active as a text', { active: 'true' }],
    ['active as a number', { active: 1 }],
    ['no active', { active: undefined }],
    ['an exp that is a text', { exp: String(now() + 60) }],
    ['an exp beyond numbers', { exp: 1e300 }],
    ['a negative nbf', { nbf: -1 }],
    ['an iat that is a list', { iat: [1] }],
    ['an iss that is an object', { iss: {} }],
    ['a scope that is a list', { scope: ['openid'] }],
    ['a scope too long', { scope: 'a'.repeat(5000) }],
    ['a sub that is a number', { sub: 7 }],
    ['an aud with a number', { aud: ['one', 2] }],
    ['an aud too long', { aud: Array(101).fill('one') }],
    ['an exp that is null', { exp: null }],
  ])('%s', async (_, members) => {
    const { status, data } = await introspected(withMembers(members))
    expect({ status, error: data.error }).toEqual({ status: 'error', error: 'invalid_op_response' })
  })

  test('a JWT, which nobody asked for and whose signature nobody verified', async () => {
    const claims = { iss: op.issuer, iat: now(), token_introspection: { active: true } }
    const jwt = signJwt({ alg: 'RS256', typ: 'token-introspection+jwt' }, claims, op.key)
    const { data } = await introspected(() => ({
      status: 200,
      headers: { 'content-type': 'application/token-introspection+jwt' },
      body: jwt,
    }))
    expect(data).toMatchObject({ error: 'invalid_op_response' })
  })
})

const answered: [name: string, answer: Answer | Takeover, error: string][] = [
  ['503', json({}, 503), 'op_unreachable'],
  ['a reset', reset, 'op_unreachable'],
  ['nothing', hang, 'op_unreachable'],
  ['an OAuth error', json({ error: 'invalid_client' }, 401), 'op_error'],
  ['a redirect', redirect('https://evil.example/'), 'invalid_op_response'],
]

test.each([...answered, ['HTML', html(), 'invalid_op_response'] as const])(
  'an introspection that is answered by %s',
  async (_, answer, error) => {
    const { status, data } = await introspected(answers(answer))
    expect({ status, error: data.error }).toEqual({ status: 'error', error })
  },
)

describe('a revocation that the OP does not confirm', () => {
  test.each(answered)(
    '%s: the tokens stay, and the end of a session comes all the same',
    async (_, answer, error) => {
      const { data } = await site.attempt()
      const { oxd_id } = site
      const { session_id } = data
      op.bend({ revocation: answers(answer) })
      for (const which of [{ session_id }, { token: data.access_token }]) {
        expect(await wire.refused('revoke_token', { oxd_id, ...which })).toMatchObject({ error })
      }
      expect(await wire.ok('get_access_token', { oxd_id, session_id })).toMatchObject({
        access_token: data.access_token,
      })
      const end = { oxd_id, session_id }
      expect(await wire.ok('end_session', end)).toEqual({ ended: true, tokens_revoked: false })
      op.straighten()
      expect(await wire.refused('get_session', end)).toMatchObject({ error: 'invalid_session_id' })
    },
  )

  test('which token is meant is one token, or one session', async () => {
    const { oxd_id } = site
    for (const which of [{}, { token: 'x', session_id: 'y' }]) {
      expect(await wire.refused('revoke_token', { oxd_id, ...which })).toMatchObject({
        error: 'invalid_request',
      })
    }
  })
})

test('C15 a logout revokes the tokens of its session if it shall', async () => {
  await using offering = await BentOp.start({
    metadata: { end_session_endpoint: 'https://op.example/logout' },
  })
  const there = await BentSite.register(wire, offering)
  const { oxd_id } = there
  for (const [revoke_tokens, calls] of [
    [true, { revocation: 1 }],
    [undefined, {}],
  ] as const) {
    const { data } = await there.attempt()
    const start = offering.asked.length
    const params = { oxd_id, session_id: data.session_id, revoke_tokens: revoke_tokens ?? null }
    expect((await wire.ok('get_logout_uri', params)).uri).toContain('https://op.example/logout')
    expect(offering.calls(start)).toEqual(calls)
  }
})

test('an OP that offers neither', async () => {
  await using plain = await BentOp.start({
    metadata: { revocation_endpoint: undefined, introspection_endpoint: undefined },
  })
  const there = await BentSite.register(wire, plain)
  const { oxd_id } = there
  const { data } = await there.attempt()
  const { session_id } = data
  expect(
    await wire.refused('introspect_access_token', { oxd_id, access_token: 'x' }),
  ).toMatchObject({ error: 'no_introspection_endpoint_at_op' })
  expect(await wire.refused('revoke_token', { oxd_id, session_id })).toMatchObject({
    error: 'no_revocation_endpoint_at_op',
  })
  expect(await wire.ok('end_session', { oxd_id, session_id })).toEqual({
    ended: true,
    tokens_revoked: false,
  })
})
