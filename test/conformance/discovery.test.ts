/** Metadata that a site must not be registered with (OIDC Discovery 4, 4.3). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Answer,
  answers,
  type Bend,
  BentOp,
  BentSite,
  drip,
  hang,
  html,
  huge,
  json,
  redirect,
  reset,
  resetMidBody,
  type Takeover,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const authorization_redirect_uri = 'https://site.example/callback'

let daemon: TestDaemon
let wire: Wire

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { op_timeout: 1 } })
  wire = await Wire.connect(daemon.socket)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
})

/**
 * Registration stops at the metadata: nothing else is asked of the OP, and once the metadata is
 * good again, the same registration succeeds.
 */
async function refuses(discovery: Bend, refused: object): Promise<void> {
  await using op = await BentOp.start({ alg: 'ES256' })
  const params = {
    op_host: op.issuer,
    authorization_redirect_uri,
    idempotency_key: `key for ${op.issuer}`,
  }
  op.bend({ discovery })
  const { status, data } = await wire.call('register_site', params)
  op.straighten()
  expect({ status, data }).toMatchObject({ status: 'error', data: refused })
  expect(op.calls()).toEqual({ discovery: 1 })
  const site = await BentSite.register(wire, op, params)
  await site.accepts()
  expect(op.calls()).toEqual({ discovery: 2, jwks: 1, registration: 1, token: 1, userinfo: 1 })
}

const unusable = { error: 'invalid_op_metadata', retryable: false }
const nothing = { error: 'no_connect_discovery_response', retryable: false }
const unreachable = { error: 'no_connect_discovery_response', retryable: true }

test('P2 oidcc-client-test-discovery-openid-config', async () => {
  await using op = await BentOp.start({ alg: 'ES256' })
  const site = await BentSite.register(wire, op)
  await site.accepts()
  expect(op.asked[0]).toMatchObject({ method: 'GET', url: '/.well-known/openid-configuration' })
  // A second site asks for it no more.
  await BentSite.register(wire, op)
  expect(op.calls()).toMatchObject({ discovery: 1, jwks: 1, registration: 2 })
})

describe('refuses metadata with', () => {
  test.each<[name: string, members: Record<string, unknown>, refused: object]>([
    [
      'P3 oidcc-client-test-discovery-issuer-mismatch, fapi2 discovery-issuer-mismatch',
      { issuer: 'https://op.exampleINVALID' },
      { ...unusable, error_description: expect.stringContaining('https://op.exampleINVALID') },
    ],
    ['issuer missing', { issuer: undefined }, nothing],
    ['issuer not a string', { issuer: 7 }, nothing],
    ['no authorization_endpoint', { authorization_endpoint: undefined }, unusable],
    ['no token_endpoint', { token_endpoint: undefined }, unusable],
    ['no jwks_uri', { jwks_uri: undefined }, unusable],
    ['a token_endpoint without TLS', { token_endpoint: 'http://op.example/token' }, unusable],
    ['a jwks_uri without TLS', { jwks_uri: 'http://op.example/jwks' }, unusable],
    ['a userinfo_endpoint without TLS', { userinfo_endpoint: 'http://op.example/' }, unusable],
    [
      'a registration_endpoint without TLS',
      { registration_endpoint: 'http://op.example' },
      unusable,
    ],
    [
      'an authorization_endpoint that is a script',
      { authorization_endpoint: 'javascript:alert(1)' },
      unusable,
    ],
    ['a jwks_uri that is a file', { jwks_uri: 'file:///etc/passwd' }, unusable],
    [
      'an end_session_endpoint that is a script',
      { end_session_endpoint: 'javascript:0' },
      unusable,
    ],
    ['a relative token_endpoint', { token_endpoint: '/token' }, unusable],
    ['a token_endpoint that is no string', { token_endpoint: ['https://op.example'] }, unusable],
  ])('%s', async (_, members, refused) => {
    await refuses(withMembers(members), refused)
  })
})

describe('refuses instead of metadata', () => {
  test.each<[name: string, answer: Answer | Takeover, refused: object]>([
    ['404', json({ error: 'not_found' }, 404), nothing],
    ['HTML', html(), nothing],
    ['a JSON array', json([]), nothing],
    ['302', redirect('/elsewhere'), nothing],
    ['10 MB', huge(10_000_000), unreachable],
    ['500', json({}, 500), unreachable],
    ['a reset', reset, unreachable],
    ['a reset mid-body', resetMidBody, unreachable],
    ['no answer', hang, unreachable],
    ['a byte at a time without end', drip, unreachable],
  ])('%s', async (_, answer, refused) => {
    await refuses(answers(answer), refused)
  })
})

test('an issuer that would move a terminal’s cursor is told without that', async () => {
  await refuses(withMembers({ issuer: 'https://op.example/\u001b[2J' }), {
    error_description: expect.not.stringContaining('\u001b'),
  })
})

test('M6 a site moves to no other issuer with its OP’s metadata', async () => {
  await using good = await BentOp.start({ alg: 'ES256' })
  await using evil = await BentOp.start({ alg: 'ES256', metadata: { issuer: good.issuer } })
  await BentSite.register(wire, good)
  expect(
    await wire.refused('register_site', { op_host: evil.issuer, authorization_redirect_uri }),
  ).toMatchObject(unusable)
  expect(evil.calls()).toEqual({ discovery: 1 })
  expect(good.calls()).toEqual({ discovery: 1, jwks: 1, registration: 1 })
})
