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
  type Members,
  makeKey,
  redirect,
  refusesCommand,
  reset,
  resetMidBody,
  type Takeover,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const authorization_redirect_uri = 'https://site.example/callback'

const rs256 = makeKey('RS256')

/** As it goes over the wire. */
function plain(metadata: object): object {
  return JSON.parse(JSON.stringify(metadata)) as object
}

let daemon: TestDaemon
let wire: Wire

beforeAll(async () => {
  daemon = await TestDaemon.start({
    daemon: { op_timeout: 1 },
    sections: '[realm default]\nlookups_per_minute = 1000\nregistrations_per_minute = 1000\n',
  })
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
async function refuses(discovery: Bend, refused: Members): Promise<void> {
  await using op = await BentOp.start({ alg: 'ES256' })
  const expected = { bends: { discovery }, refused, calls: { discovery: 1 } }
  await BentSite.refusesToRegister(wire, op, expected)
  expect(op.calls()).toEqual({ discovery: 2, jwks: 1, registration: 1, token: 1, userinfo: 1 })
}

const unusable = { error: 'invalid_op_metadata', retryable: false }
const wrong_issuer = (received: string) => ({
  ...unusable,
  details: { member: 'issuer', received },
})
const nothing = { error: 'no_connect_discovery_response', retryable: false }
/** Where the metadata was asked for. */
const where = { url: expect.stringMatching(/^http.*\/\.well-known\/openid-configuration$/) }
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
  test.each<[name: string, members: Members, refused: Members]>([
    [
      'P3 oidcc-client-test-discovery-issuer-mismatch, fapi2 discovery-issuer-mismatch',
      { issuer: 'https://op.exampleINVALID' },
      {
        ...unusable,
        spec: 'OIDC Discovery 4.3',
        error_description: expect.stringContaining('https://op.exampleINVALID'),
      },
    ],
    ['issuer missing', { issuer: undefined }, nothing],
    ['issuer not a string', { issuer: 7 }, nothing],
    ['no authorization_endpoint', { authorization_endpoint: undefined }, unusable],
    ['P4 no token_endpoint, for code', { token_endpoint: undefined }, unusable],
    [
      'no jwks_uri',
      { jwks_uri: undefined },
      { ...unusable, spec: 'OIDC Discovery 3', details: { member: 'jwks_uri' } },
    ],
    [
      'a token_endpoint without TLS',
      { token_endpoint: 'http://op.example/token' },
      {
        ...unusable,
        spec: 'OIDC Discovery 3',
        details: { member: 'token_endpoint', received: 'http://op.example/token' },
      },
    ],
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
    [
      'a token_endpoint with a fragment',
      { token_endpoint: 'https://op.example/token#a' },
      { ...unusable, details: { member: 'token_endpoint' } },
    ],
    [
      'a jwks_uri without end',
      { jwks_uri: `https://op.example/${'a'.repeat(4000)}` },
      { ...unusable, details: { member: 'jwks_uri' } },
    ],
    [
      'P3 an issuer in other letters',
      { issuer: 'HTTP://127.0.0.1' },
      { ...unusable, details: { member: 'issuer', received: 'HTTP://127.0.0.1' } },
    ],
    ['P4 an http issuer', { issuer: 'http://op.example' }, wrong_issuer('http://op.example')],
    [
      'P4 an issuer with a query',
      { issuer: 'https://op.example/?a=b' },
      wrong_issuer('https://op.example/?a=b'),
    ],
    [
      'P4 an issuer with a fragment',
      { issuer: 'https://op.example/#a' },
      wrong_issuer('https://op.example/#a'),
    ],
    [
      'P4 no openid among its scopes',
      { scopes_supported: ['profile'] },
      { ...unusable, details: { member: 'scopes_supported' } },
    ],
    [
      'P4 unsigned ID Tokens alone',
      { id_token_signing_alg_values_supported: ['none'] },
      { ...unusable, details: { member: 'id_token_signing_alg_values_supported' } },
    ],
    [
      'P4 no algorithm for ID Tokens',
      { id_token_signing_alg_values_supported: [] },
      { ...unusable, details: { member: 'id_token_signing_alg_values_supported' } },
    ],
    [
      'P4 algorithms of ID Tokens that nobody knows',
      { id_token_signing_alg_values_supported: ['XS256'] },
      { ...unusable, error_description: expect.stringContaining('XS256') },
    ],
    ...[
      'scopes_supported',
      'response_types_supported',
      'response_modes_supported',
      'grant_types_supported',
      'subject_types_supported',
      'id_token_signing_alg_values_supported',
      'token_endpoint_auth_methods_supported',
      'code_challenge_methods_supported',
    ].map((member): [string, Members, Members] => [
      `P4 a ${member} that is no list of words`,
      { [member]: 'code' },
      { ...unusable, details: { member } },
    ]),
    [
      'P4 a list with a number in it',
      { response_types_supported: ['code', 7] },
      { ...unusable, details: { member: 'response_types_supported' } },
    ],
    [
      'P4 iss announced in words',
      { authorization_response_iss_parameter_supported: 'true' },
      { ...unusable, details: { member: 'authorization_response_iss_parameter_supported' } },
    ],
    ['a token_endpoint that is no string', { token_endpoint: ['https://op.example'] }, unusable],
  ])('%s', async (_, members, refused) => {
    await refuses(withMembers(members), refused)
  })
})

test.each([
  ['http', 'http://op.example'],
  ['with a query', 'https://op.example/?a=b'],
  ['with a fragment', 'https://op.example/#a'],
])('P4 no site has an issuer that is %s: nobody is asked', async (_, op_host) => {
  expect(
    await wire.refused('register_site', { op_host, authorization_redirect_uri }),
  ).toMatchObject({
    error: 'invalid_op_host',
    retryable: false,
  })
})

/** Where its own metadata says nothing about them, as of some. */
const lists = [
  'response_types_supported',
  'subject_types_supported',
  'id_token_signing_alg_values_supported',
  'scopes_supported',
]

describe('P4 takes metadata with', () => {
  test.each<[name: string, metadata: (op: BentOp) => Members]>([
    ['a byte order mark', () => ({})],
    [
      'no lists, required as they are',
      () => Object.fromEntries(lists.map((one) => [one, undefined])),
    ],
    [
      'members that nobody knows',
      () => ({ unknown: { a: [{}] }, version: 1, signed_metadata: 'eyJ.a.b' }),
    ],
    ['members of no use here that are wrong', () => ({ op_tos_uri: 7, claims_supported: 'sub' })],
    [
      'other algorithms among those of ID Tokens',
      () => ({ id_token_signing_alg_values_supported: ['none', 'RS256', 'XS256'] }),
    ],
    [
      'many scopes',
      () => ({ scopes_supported: ['openid', ...Array.from({ length: 500 }, (_, n) => `s${n}`)] }),
    ],
  ])('%s', async (name, metadata) => {
    await using op = await BentOp.start({ key: rs256 })
    const body = JSON.stringify({ ...op.metadata, ...metadata(op) })
    const text = name.includes('byte order') ? `\uFEFF${body}` : body
    op.bend({ discovery: answers(json(Buffer.from(text))) })
    const site = await BentSite.register(wire, op, {
      client_id: op.addClient({
        client_id: 'issued',
        client_secret: 'a secret of the operator',
        token_endpoint_auth_method: 'client_secret_basic',
        redirect_uris: [authorization_redirect_uri],
      }).client_id,
      client_secret: 'a secret of the operator',
    })
    op.straighten()
    await site.accepts()
  })

  test('no token_endpoint, of an OP that offers none of the flows that need it', async () => {
    await using op = await BentOp.start({
      alg: 'ES256',
      metadata: { token_endpoint: undefined, response_types_supported: ['id_token'] },
    })
    const { metadata } = await wire.ok('get_discovery', { op_host: op.issuer })
    expect(metadata).not.toHaveProperty('token_endpoint')
  })
})

describe('P3 an issuer and the address that leads to it', () => {
  test('may differ by the slash behind the host, which has one place of metadata', async () => {
    await using op = await BentOp.start({ alg: 'ES256' })
    const issuer = `${op.origin}/`
    op.bend({ discovery: withMembers({ issuer }) })
    expect(await wire.ok('get_discovery', { op_host: op.origin })).toMatchObject({ issuer })
    op.straighten()
  })

  test.each([
    ['by a slash further down', (origin: string) => `${origin}/op/`],
    ['by the port, although it is the same', () => 'http://127.0.0.1:80/op'],
    ['by letters', (origin: string) => `${origin}/OP`],
    ['by an encoded letter', (origin: string) => `${origin}/o%70`],
    ['by a query', (origin: string) => `${origin}/op?`],
    ['by a fragment', (origin: string) => `${origin}/op#`],
  ])('must not differ %s', async (_, issuerOf) => {
    await using op = await BentOp.start({ alg: 'ES256', issuer_path: '/op' })
    const received = issuerOf(op.origin)
    await refusesCommand(wire, op, ['get_discovery', { op_host: op.issuer }], {
      bends: { discovery: withMembers({ issuer: received }) },
      refused: { ...unusable, details: { member: 'issuer', expected: op.issuer, received } },
      calls: { discovery: 1 },
    })
    const site = await BentSite.register(wire, op)
    await site.accepts()
  })
})

describe('P2 what is known of an OP', () => {
  test('is told without asking it again, and has no private key in it', async () => {
    await using op = await BentOp.start({ alg: 'ES256' })
    op.keys = [...op.keys, { kty: 'oct', k: 'c2VjcmV0' }]
    await BentSite.register(wire, op)
    const told = await wire.ok('get_discovery', { op_host: op.issuer })
    expect(told).toMatchObject({ issuer: op.issuer, metadata: { ...plain(op.metadata) } })
    expect(told.fetched_at).toBeGreaterThan(1_700_000_000)
    const { jwks } = await wire.ok('get_jwks', { op_host: op.issuer })
    expect(jwks).toEqual({ keys: [op.key.jwk] })
    expect(op.calls()).toEqual({ discovery: 1, jwks: 1, registration: 1 })
  })

  test('is asked for where no site is, and keys that could not be had then are asked for anew', async () => {
    await using op = await BentOp.start({ alg: 'ES256' })
    op.bend({ jwks: answers(json({}, 500)) })
    const params = { op_host: op.issuer }
    expect(await wire.ok('get_discovery', params)).toMatchObject({ issuer: op.issuer })
    expect(await wire.refused('get_jwks', params)).toMatchObject({
      error: 'op_unreachable',
      retryable: true,
    })
    op.straighten()
    expect((await wire.ok('get_jwks', params)).jwks.keys).toHaveLength(1)
    expect(op.calls()).toEqual({ discovery: 1, jwks: 3 })
  })

  test('is refused by the words of a registration', async () => {
    for (const command of ['get_discovery', 'get_jwks']) {
      expect(await wire.refused(command)).toMatchObject({ error: 'invalid_op_host' })
      for (const [op_host, error] of [
        ['http://op.example', 'invalid_op_host'],
        ['https://10.1.2.3', 'op_host_not_allowed'],
        ['https://localhost', 'op_host_not_allowed'],
      ]) {
        expect(await wire.refused(command, { op_host })).toMatchObject({ error })
      }
    }
  })
})

describe('refuses instead of metadata', () => {
  test.each<[name: string, answer: Answer | Takeover, refused: Members]>([
    [
      '404',
      json({ error: 'not_found' }, 404),
      { ...nothing, details: { ...where, http_status: 404 } },
    ],
    ['404 with HTML', html(404), { ...nothing, details: { ...where, http_status: 404 } }],
    ['HTML', html(), { ...nothing, details: where }],
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
  const site = await BentSite.register(wire, good)
  const params = { op_host: evil.issuer, authorization_redirect_uri }
  await refusesCommand(wire, evil, ['register_site', params], {
    refused: unusable,
    calls: { discovery: 1 },
  })
  expect(good.calls()).toEqual({ discovery: 1, jwks: 1, registration: 1 })
  await site.accepts()
})
