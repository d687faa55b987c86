/** A site's own access token (RFC 6749 4.4), and what of an OP's answer it is not believed with. */
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
  type Takeover,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { type Reply, Wire } from '../support/wire.js'

let daemon: TestDaemon
let wire: Wire
let op: BentOp
let site: BentSite

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { op_timeout: 1 } })
  wire = await Wire.connect(daemon.socket)
  op = await BentOp.start({
    metadata: { grant_types_supported: ['authorization_code', 'client_credentials'] },
  })
  site = await BentSite.register(wire, op, {
    grant_types: ['authorization_code', 'client_credentials'],
  })
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

async function asked(token: Bend = (answer) => answer, params: object = {}): Promise<Reply> {
  op.bend({ token })
  const reply = await wire.call('get_client_token', { oxd_id: site.oxd_id, ...params })
  op.straighten()
  return reply
}

test('asks by the specification', async () => {
  const { data } = await asked(undefined, { scope: ['one', 'two'] })
  expect(data).toEqual({
    access_token: expect.any(String),
    token_type: 'Bearer',
    expires_in: 300,
    scope: 'one two',
  })
  const { method, headers, body } = op.last('token')
  expect(method).toBe('POST')
  expect(headers.authorization).toMatch(/^Basic /)
  expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
    grant_type: 'client_credentials',
    scope: 'one two',
  })
})

test.each<[name: string, members: Members, told: object]>([
  ['no expires_in', { expires_in: undefined }, { scope: 'one' }],
  ['an expires_in beyond all', { expires_in: 1e300 }, { scope: 'one', expires_in: 2 ** 31 - 1 }],
  // RFC 6749 4.4.3: nobody asked for either, and an ID Token of nobody's login says nothing.
  ['a refresh token', { refresh_token: 'r' }, { scope: 'one', expires_in: 300 }],
  ['an ID Token', { id_token: 'no JWT' }, { scope: 'one', expires_in: 300 }],
  ['an empty scope', { scope: '' }, { expires_in: 300 }],
])('goes through: %s', async (_, members, told) => {
  const { data } = await asked(withMembers(members), { scope: ['one'] })
  expect(data).toEqual({ access_token: expect.any(String), token_type: 'Bearer', ...told })
})

describe('is refused', () => {
  test.each<[name: string, members: Members]>([
    ['no access token', { access_token: undefined }],
    ['one with a line break', { access_token: 'a\r\nb' }],
    ['one that is too long', { access_token: 'a'.repeat(70_000) }],
    ['a token that is bound to a key', { token_type: 'DPoP' }],
    ['a scope that is a list', { scope: ['one'] }],
    ['a scope too long', { scope: 'a'.repeat(5000) }],
    ['a negative expires_in', { expires_in: -1 }],
  ])('%s', async (_, members) => {
    const { status, data } = await asked(withMembers(members))
    expect({ status, error: data.error }).toEqual({ status: 'error', error: 'invalid_op_response' })
    expect(data.spec).toMatch(/^RFC 6749/)
  })
})

test.each<[name: string, answer: Answer | Takeover, error: string]>([
  ['503', json({}, 503), 'op_unreachable'],
  ['a reset', reset, 'op_unreachable'],
  ['nothing', hang, 'op_unreachable'],
  ['an OAuth error', json({ error: 'invalid_client' }, 401), 'op_error'],
  ['a redirect', redirect('https://evil.example/'), 'invalid_op_response'],
  ['HTML', html(), 'invalid_op_response'],
])('a grant that is answered by %s', async (_, answer, error) => {
  const { status, data } = await asked(answers(answer))
  expect({ status, error: data.error }).toEqual({ status: 'error', error })
})

test('a site that registered for logins alone is told what its OP says', async () => {
  const { oxd_id } = await BentSite.register(wire, op)
  expect(await wire.refused('get_client_token', { oxd_id })).toMatchObject({
    error: 'op_error',
    details: { error: 'unauthorized_client' },
  })
})
