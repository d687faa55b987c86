/** Answers that mean harm: a typed error in bounded time and memory, and the next good answer is read. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  type Answer,
  answers,
  BentOp,
  BentSite,
  drip,
  hang,
  hostile,
  html,
  huge,
  json,
  makeKey,
  redirect,
  reset,
  resetMidBody,
  set,
  type Takeover,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { openDescriptors } from '../support/process.js'
import { Wire } from '../support/wire.js'

const authorization_redirect_uri = 'https://site.example/callback'

/** Milliseconds: op_timeout of two seconds, and what a busy machine takes beyond it. */
const IN_TIME = 10_000

let daemon: TestDaemon
let wire: Wire

beforeAll(async () => {
  daemon = await TestDaemon.start({ memory: true, daemon: { op_timeout: 2 } })
  wire = await Wire.connect(daemon.socket)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  const outcomes = daemon.log.map(({ outcome }) => outcome)
  await daemon[Symbol.asyncDispose]()
  expect(outcomes).not.toContain('internal_error')
})

/** A site with a session, at an OP of its own. */
async function withSession(op: BentOp): Promise<{ site: BentSite; session: object }> {
  const site = await BentSite.register(wire, op)
  const { session_id } = await site.accepts()
  return { site, session: { oxd_id: site.oxd_id, session_id } }
}

const invalid = 'invalid_op_response'
const unreachable = 'op_unreachable'

type Row = [name: string, answer: Answer | Takeover, error: string, says?: string]

/** Refused as soon as they are seen. */
const quick: Row[] = [
  ['a gzip bomb', hostile.gzipBomb, invalid, 'content-encoding'],
  ['a gzip bomb, slowly', hostile.slowBomb, invalid, 'content-encoding'],
  ['brotli', json({}, 200, { 'content-encoding': 'br' }), invalid, 'content-encoding'],
  ['two encodings', json({}, 200, { 'content-encoding': 'identity, gzip' }), invalid],
  ['10 MB', huge(10_000_000), unreachable, 'longer than 1048576 bytes'],
  ['ten gigabytes, as it says', hostile.boast, unreachable, 'longer than 1048576 bytes'],
  ['a body without end', hostile.endlessBody, unreachable, 'longer than 1048576 bytes'],
  ['headers without end', hostile.endlessHeaders, unreachable, 'headers are longer than 32768'],
  ['a header without end', hostile.endlessHeader, unreachable, 'headers are longer than 32768'],
  ['trailers without end', hostile.endlessTrailers, unreachable],
  ['500 with a body, a byte at a time', hostile.slowError, unreachable, 'answered 500'],
  ['100', hostile.goOn, unreachable],
  ['101', hostile.upgrade, unreachable],
  ['no HTTP', hostile.noHttp, unreachable],
  ['two lengths', hostile.twoLengths, unreachable],
  ['a reset', reset, unreachable],
  ['a reset in the middle', resetMidBody, unreachable],
  ['HTML', html(), invalid, 'not JSON'],
  ['302', redirect('/elsewhere'), invalid],
  ['no JSON', json(Buffer.from('{"sub":')), invalid],
  ['nothing at all, as JSON', json(Buffer.alloc(0)), invalid],
  ['JSON nested 100,000 deep', json(Buffer.from(hostile.nested(100_000))), invalid, 'nested'],
  [
    'JSON nested 100,000 deep below a good member',
    json(Buffer.from(`{"sub":"alice","a":${hostile.nested(100_000)}}`)),
    invalid,
    'nested',
  ],
]

/** Stopped by the clock alone. */
const slow: Row[] = [
  ['nothing', hang, unreachable, 'no answer in time'],
  ['a header, a byte at a time', hostile.slowHeaders, unreachable, 'no answer in time'],
  ['a body, a byte at a time', drip, unreachable, 'no answer in time'],
  ['hints without end', hostile.endlessHints, unreachable, 'no answer in time'],
  ['a status without end', hostile.endlessStatus, unreachable],
  ['a chunk’s head without end', hostile.endlessChunkHead, unreachable],
]

describe.concurrent('for UserInfo', () => {
  test.each([...quick, ...slow])('%s', async (_, answer, error, says = '') => {
    await using op = await BentOp.start({ alg: 'ES256' })
    const { session } = await withSession(op)
    const connections = await op.connections
    op.bend({ userinfo: answers(answer) })
    const started = performance.now()
    const data = await wire.refused('get_user_info', session)
    expect(performance.now() - started).toBeLessThan(IN_TIME)
    op.straighten()
    expect(data).toMatchObject({ error, retryable: error === unreachable })
    expect(data.error_description).toContain(says)
    expect(JSON.stringify(data).length).toBeLessThan(1000)
    // The pool is none the worse for it, and what was refused is not held on to.
    const { claims } = await wire.ok('get_user_info', session)
    expect(claims).toMatchObject({ sub: 'alice' })
    await vi.waitFor(
      async () => expect(await op.connections).toBeLessThanOrEqual(connections),
      IN_TIME,
    )
  })
})

describe.concurrent('for tokens', () => {
  test.each(quick)('%s', async (_, answer, error) => {
    await using op = await BentOp.start({ alg: 'ES256' })
    const site = await BentSite.register(wire, op)
    await site.refuses({ bends: { token: answers(answer) } }, { error })
  })
})

describe.concurrent('for metadata', () => {
  test.each([...quick, ...slow])('%s', async (_, answer, error, says = '') => {
    await using op = await BentOp.start({ alg: 'ES256' })
    const params = { op_host: op.issuer, authorization_redirect_uri }
    op.bend({ discovery: answers(answer) })
    const data = await wire.refused('register_site', params)
    op.straighten()
    expect(data).toMatchObject({
      error: 'no_connect_discovery_response',
      retryable: error === unreachable,
    })
    expect(data.error_description).toContain(says)
    expect(op.calls()).toEqual({ discovery: 1 })
    await (await BentSite.register(wire, op)).accepts()
  })

  const long = `https://op.example/${'a'.repeat(2048)}`
  test.each<[name: string, members: Record<string, unknown>]>([
    ['an issuer of 1 MB', { issuer: `https://op.example/${'a'.repeat(1_000_000)}` }],
    ['an endpoint of 1 MB', { token_endpoint: `${long}${'a'.repeat(1_000_000)}` }],
    ['an authorization_endpoint of 2 KB', { authorization_endpoint: long }],
    ['an end_session_endpoint of 2 KB', { end_session_endpoint: long }],
    ['an endpoint that is an object', { userinfo_endpoint: { href: 'https://op.example' } }],
    ['methods that are a number', { token_endpoint_auth_methods_supported: 7 }],
    ['methods that are a word', { token_endpoint_auth_methods_supported: 'none' }],
    ['algorithms that are an object', { id_token_signing_alg_values_supported: { length: 1 } }],
    ['algorithms that are numbers', { id_token_signing_alg_values_supported: [256] }],
    ['grant types that are true', { grant_types_supported: true }],
  ])('with %s', async (_, members) => {
    await using op = await BentOp.start({ alg: 'ES256' })
    const params = { op_host: op.issuer, authorization_redirect_uri }
    op.bend({ discovery: withMembers(members) })
    const data = await wire.refused('register_site', params)
    op.straighten()
    expect(data).toMatchObject({ error: 'invalid_op_metadata' })
    expect(JSON.stringify(data).length).toBeLessThan(1000)
    await (await BentSite.register(wire, op)).accepts()
  })
})

describe.concurrent('for keys', () => {
  const filler = Array.from({ length: 10_000 }, (_, kid) => ({ kty: 'XYZ', kid }))

  test.each<Row>([
    ...quick,
    ['10,000 of them', json({ keys: filler }), invalid, '100 keys'],
    ['101 of them', json({ keys: filler.slice(0, 101) }), invalid, '100 keys'],
  ])('%s', async (_, answer, error, says = '') => {
    await using op = await BentOp.start({ alg: 'ES256' })
    const site = await BentSite.register(wire, op)
    const login = { bends: { key: makeKey('ES256'), jwks: answers(answer) } }
    const data = await site.refuses(login, { error, calls: { token: 1, jwks: 1 } })
    expect(data.error_description).toContain(says)
  })
})

describe('for keys', () => {
  // Making RSA keys stops this process, and with it every OP in it.
  test.each<[name: string, jwk: (n: string) => object]>([
    ['a modulus of 16384 bits', () => ({ n: Buffer.alloc(2048, 255).toString('base64url') })],
    ['an exponent of 2048 bits', (n) => ({ n, e: Buffer.alloc(256, 255).toString('base64url') })],
  ])('%s verifies nothing', async (_, members) => {
    await using op = await BentOp.start()
    const key = makeKey('RS256')
    const costly = { ...key.jwk, ...members(String(key.jwk['n'])) }
    op.keys = [costly, op.key.jwk]
    const site = await BentSite.register(wire, op)
    const data = await site.refuses(
      { bends: { key } },
      { error: 'invalid_id_token_bad_signature', calls: { token: 1, jwks: 1 } },
    )
    expect(data.error_description).toContain('publishes no key')
  })
})

describe.concurrent('an ID Token', () => {
  test.each([31, 2000])('with claims nested %i deep', async (depth) => {
    await using op = await BentOp.start({ alg: 'ES256' })
    const site = await BentSite.register(wire, op)
    await site.refuses(
      { bends: { claims: set({ deep: JSON.parse(hostile.nested(depth)) }) } },
      { error: 'invalid_op_response' },
    )
  })
})

test('an answer that nobody asked for reaches nobody', async () => {
  await using op = await BentOp.start({ alg: 'ES256' })
  const { session } = await withSession(op)
  op.bend({ userinfo: answers(hostile.twoAnswers) })
  expect(await wire.refused('get_user_info', session)).toMatchObject({ error: 'invalid_user_info' })
  op.straighten()
  const { claims } = await wire.ok('get_user_info', session)
  expect(claims).toMatchObject({ sub: 'alice' })
})

test('a token that is as long as the text it is sought in takes no time', async () => {
  await using op = await BentOp.start({ alg: 'ES256' })
  const site = await BentSite.register(wire, op)
  const text = 'a'.repeat(400_000)
  const said = { error: 'invalid_grant', error_description: text, access_token: text }
  const { data } = await site.attempt({ bends: { token: answers(json(said, 400)) } })
  expect(data).toMatchObject({ error: 'op_error' })
  expect(JSON.stringify(data).length).toBeLessThan(1000)
  await site.accepts()
})

test('what nobody uses of metadata, keys and registrations is not kept', async () => {
  await using op = await BentOp.start({ alg: 'ES256' })
  const ballast = Array.from({ length: 50_000 }, () => ({}))
  op.bend({
    discovery: withMembers({ ballast }),
    jwks: (answer) => {
      const { keys } = answer.body as { keys: object[] }
      return { ...answer, body: { keys: keys.map((key) => ({ ...key, ballast })) } }
    },
    registration: withMembers({ ballast }),
  })
  const site = await BentSite.register(wire, op)
  op.straighten()
  await site.accepts()
  const stored = readFileSync(join(daemon.folder, 'state/store/relyd.db-wal'), 'latin1')
  expect(stored).toContain(op.issuer)
  expect(stored).not.toContain('ballast')
})

test('S21 fifty rounds of 10 MB and of bombs leave no memory, socket or file behind', async () => {
  await using op = await BentOp.start({ alg: 'ES256' })
  const { session } = await withSession(op)
  const round = async (answer: Answer | Takeover) => {
    op.bend({ userinfo: answers(answer) })
    const replies = await Promise.all(
      Array.from({ length: 5 }, () => wire.call('get_user_info', session)),
    )
    for (const { status } of replies) expect(status).toBe('error')
    op.straighten()
    await wire.ok('get_user_info', session)
  }
  const hostilities = [huge(10_000_000), hostile.endlessBody, hostile.gzipBomb, hostile.boast]
  for (const answer of hostilities) await round(answer)
  const connections = await op.connections
  const kept = await daemon.keptMib()
  const files_before = openDescriptors(daemon.pid)
  for (let n = 0; n < 50; n += 1) await round(hostilities[n % 4] as Answer)
  // 250 answers that would have been 16 GB.
  await daemon.expectKept(kept, 8)
  await vi.waitFor(
    () => expect(openDescriptors(daemon.pid)).toBeLessThanOrEqual(files_before),
    IN_TIME,
  )
  await vi.waitFor(
    async () => expect(await op.connections).toBeLessThanOrEqual(connections),
    IN_TIME,
  )
})
