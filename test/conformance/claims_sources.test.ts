/** Claims that others than the OP vouch for (OIDC Core 5.6.2): verified and apart, or not used. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type Bends,
  BentOp,
  BentSite,
  breakSignature,
  type Calls,
  expectNoSecrets,
  html,
  json,
  type Members,
  makeKey,
  redirect,
  set,
  unsignedJwt,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

let daemon: TestDaemon
let wire: Wire
let op: BentOp
/** Whom the operator believes, and whom not. */
let provider: BentOp
let stranger: BentOp
let site: BentSite
let session: { oxd_id: string; session_id: string }

beforeAll(async () => {
  op = await BentOp.start()
  provider = await BentOp.start({ alg: 'ES256' })
  stranger = await BentOp.start({ alg: 'ES256' })
  daemon = await TestDaemon.start({
    daemon: { op_timeout: 1 },
    sections: `[op one]\nop_host = ${op.issuer}\nclaims_providers = ${provider.issuer}\n`,
  })
  wire = await Wire.connect(daemon.socket)
  site = await BentSite.register(wire, op)
  const { session_id } = await site.accepts()
  session = { oxd_id: site.oxd_id, session_id }
  // So that the provider's keys are known, and only its claims are asked for.
  await askedWith(provider.aggregated(claims))
  op.straighten()
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op, provider, stranger)
  await daemon[Symbol.asyncDispose]()
  for (const one of [op, provider, stranger]) await one[Symbol.asyncDispose]()
})

const claims = { phone_number: '+49 30 1', 'name#de': 'Alice, geprüft' }

beforeEach(() => () => {
  for (const one of [op, provider, stranger]) one.straighten()
})

/** What get_user_info answers when the OP says this besides. */
function askedWith(more: Members) {
  op.bend({ userinfo_claims: set(more) })
  return wire.ok('get_user_info', session)
}

/** None of these claims comes through; whom they are said to be of is asked this much, and logins go on. */
async function leftOut(more: Members, expected: object, calls: Calls = {}): Promise<void> {
  const stored = await daemon.stored()
  const starts = [op, provider, stranger].map((one) => one.asked.length)
  const answer = await askedWith(more)
  expect(answer).toEqual({ claims: own(), ...expected })
  const asked = [op, provider, stranger].map((one, at) => one.calls(starts[at]))
  expect(asked).toEqual([{ userinfo: 1 }, calls, {}])
  expect(await daemon.stored()).toEqual(stored)
  for (const one of [op, provider]) one.straighten()
  await site.accepts()
}

/** A source's JWT or token is what the OP issued: it goes no further. */
const own = () => ({ sub: op.sub, ...op.user })

test('oidcc-client-test-aggregated-claims, P32: signed by whom the operator lists', async () => {
  const answer = await askedWith(provider.aggregated(claims))
  expect(answer).toEqual({
    claims: own(),
    sourced_claims: [{ source: 'src1', issuer: provider.issuer, claims }],
  })
})

test('oidcc-client-test-distributed-claims, P32: fetched with the token that the OP gave', async () => {
  const start = provider.asked.length
  const answer = await askedWith(provider.distributed(claims))
  expect(answer).toEqual({
    claims: own(),
    sourced_claims: [{ source: 'src1', issuer: provider.issuer, claims }],
  })
  expect(provider.calls(start)).toEqual({ claims_source: 1 })
  const { headers, url } = provider.last('claims_source')
  expect(headers.authorization).toMatch(/^Bearer ./)
  expect(url).not.toContain('token')
})

test('claims that the OP does not say come from there are left out, and sub always is', async () => {
  const foreign = { phone_number: '1', sub: 'mallory', email: 'm@x' }
  const { _claim_sources } = provider.aggregated(foreign)
  const names = ['phone_number', 'sub', 'iss', '__proto__', 'nothing', '_claim_names']
  const _claim_names = JSON.parse(`{${names.map((name) => `"${name}":"src1"`)}}`)
  const answer = await askedWith({ _claim_names, _claim_sources })
  expect(answer).toEqual({
    claims: own(),
    sourced_claims: [{ source: 'src1', issuer: provider.issuer, claims: { phone_number: '1' } }],
  })
})

test('one source that fails does not fail another', async () => {
  const one = provider.aggregated({ phone_number: '1' }, 'good')
  const other = stranger.aggregated({ email: 'm@x' }, 'bad')
  const answer = await askedWith({
    _claim_names: { ...(one['_claim_names'] as Members), ...(other['_claim_names'] as Members) },
    _claim_sources: {
      ...(one['_claim_sources'] as Members),
      ...(other['_claim_sources'] as Members),
    },
  })
  expect(answer).toMatchObject({
    sourced_claims: [{ source: 'good' }],
    failed_sources: [
      { source: 'bad', claim_names: ['email'], error: 'claims_provider_not_trusted' },
    ],
  })
})

describe('not used', () => {
  const invalid = 'invalid_user_info'
  const malformed = 'invalid_op_response'
  test.each<[name: string, bends: Bends, error: string]>([
    [
      'S1 oidcc-client-test-aggregated-claims: alg none',
      { source_jwt: (_, __, one) => unsignedJwt(one) },
      invalid,
    ],
    ['a broken signature', { source_jwt: breakSignature }, invalid],
    ['S3 HS256', { source_header: set({ alg: 'HS256' }) }, invalid],
    [
      "the OP's own issuer, which is not listed",
      { source_claims: (one) => ({ ...one, iss: op.issuer }) },
      'claims_provider_not_trusted',
    ],
    ['no issuer', { source_claims: set({ iss: undefined }) }, 'claims_provider_not_trusted'],
    [
      'a listed issuer with a slash',
      { source_claims: (one) => ({ ...one, iss: `${one['iss']}/` }) },
      'claims_provider_not_trusted',
    ],
    ['expired', { source_claims: set({ exp: 1 }) }, invalid],
    ['of the future', { source_claims: set({ iat: 9_999_999_999 }) }, invalid],
    ['S4 crit', { source_header: set({ crit: ['x'], x: 1 }) }, malformed],
    ['no JWT', { source_jwt: () => 'nonsense' }, malformed],
    [
      'nested deeper than a reply is',
      { source_claims: set({ phone_number: JSON.parse(`${'['.repeat(28)}${']'.repeat(28)}`) }) },
      'invalid_op_response',
    ],
  ])('aggregated: %s', async (_, bends, error) => {
    provider.bend(bends)
    await leftOut(provider.aggregated(claims), { failed_sources: [failed(error)] })
  })

  test.each<[name: string, bends: () => Bends, error: string, calls?: Calls]>([
    [
      'a key that its issuer does not publish',
      () => ({ source_key: makeKey('ES256') }),
      invalid,
      { jwks: 1 },
    ],
    ['JSON', () => ({ claims_source: () => json(claims) }), malformed],
    ['HTML', () => ({ claims_source: () => html() }), malformed],
    ['a redirect', () => ({ claims_source: () => redirect(stranger.issuer) }), malformed],
    ['500', () => ({ claims_source: () => json({}, 500) }), 'op_unreachable'],
    ['403', () => ({ claims_source: () => json({}, 403) }), malformed],
  ])('distributed: %s', async (_, bends, error, calls) => {
    provider.bend(bends())
    const expected = { failed_sources: [failed(error)] }
    await leftOut(provider.distributed(claims), expected, { claims_source: 1, ...calls })
  })

  test('S37 of an endpoint elsewhere, which is not asked, and gets no token', async () => {
    const expected = { failed_sources: [failed('claims_provider_not_trusted')] }
    await leftOut(stranger.distributed(claims), expected)
  })

  test.each<[name: string, where: unknown]>([
    ['an address without TLS', { endpoint: 'http://claims.example/', access_token: 'x' }],
    ['no address', { endpoint: 'claims', access_token: 'x' }],
    ['nothing', {}],
    ['no object', 'https://claims.example/'],
    ['a token that is no text', { endpoint: 'the provider', access_token: { a: 1 } }],
    ['a JWT that is no text', { JWT: { a: 1 } }],
  ])('said badly: %s', async (_, where) => {
    const known = JSON.parse(
      JSON.stringify(where).replace('the provider', provider.address('claims_source')),
    )
    const more = { _claim_names: { phone_number: 'src1' }, _claim_sources: { src1: known } }
    const expected = { failed_sources: [expect.objectContaining({ error: malformed })] }
    await leftOut(more, expected)
  })

  test.each<[name: string, more: Members, told?: Members[]]>([
    ['names without sources', { _claim_names: { a: 'src1' } }, [{ source: 'src1' }]],
    ['sources without names', { _claim_sources: { src1: { JWT: 'x' } } }],
    ['lists', { _claim_names: ['a'], _claim_sources: ['b'] }],
  ])('and not passed on: %s', async (_, more, told) => {
    const failed_sources = told?.map((one) => expect.objectContaining(one))
    await leftOut(more, failed_sources ? { failed_sources } : {})
  })

  test('by a site of an OP for which relyd.cfg lists nobody', async () => {
    const site = await BentSite.register(wire, stranger)
    const { session_id } = await site.accepts()
    stranger.bend({ userinfo_claims: set(provider.aggregated(claims)) })
    const answer = await wire.ok('get_user_info', { oxd_id: site.oxd_id, session_id })
    expect(answer).toEqual({
      claims: { sub: stranger.sub, ...stranger.user },
      failed_sources: [failed('claims_provider_not_trusted')],
    })
  })
})

test('of a source that is not there, or has none of the claims, are told as missing', async () => {
  const answer = await askedWith({
    ...provider.aggregated({ other: 1 }),
    _claim_names: { phone_number: 'src1', email: 'nowhere' },
  })
  expect(answer.claims).toEqual(own())
  expect(answer).not.toHaveProperty('sourced_claims')
  expect(answer.failed_sources).toMatchObject([
    { source: 'src1', claim_names: ['phone_number'], error: 'invalid_op_response' },
    { source: 'nowhere', claim_names: ['email'], error: 'invalid_op_response' },
  ])
})

test('beyond ten sources are told as missing', async () => {
  const names = Array.from({ length: 12 }, (_, n) => [`claim${n}`, `src${n}`])
  const answer = await askedWith({ _claim_names: Object.fromEntries(names), _claim_sources: {} })
  expect(answer.failed_sources).toHaveLength(12)
})

test('in an ID Token, their access tokens and JWTs go to no site', async () => {
  const site = await BentSite.register(wire, op)
  const bends = { claims: set(provider.distributed(claims)) }
  const { session_id, id_token_claims } = await site.accepts({ bends })
  const { oxd_id } = site
  const session = await wire.ok('get_session', { oxd_id, session_id })
  for (const told of [id_token_claims, session.id_token_claims]) {
    expect(told).toHaveProperty('sub', op.sub)
    expect(told).not.toHaveProperty('_claim_sources')
    expect(told).not.toHaveProperty('_claim_names')
  }
})

test('the daemon took none of it for a failure of its own', () => {
  expect(daemon.log.filter(({ level }) => level >= 50)).toEqual([])
})

function failed(error: string) {
  return {
    source: 'src1',
    claim_names: Object.keys(claims),
    error,
    error_description: expect.any(String),
  }
}
