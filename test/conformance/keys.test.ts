/** An OP's keys: rotated, missing, strange, or not to be had (OIDC Core 10.1.1, RFC 7517, M11). */
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type Answer,
  answers,
  BentOp,
  BentSite,
  breakSignature,
  type Calls,
  hang,
  html,
  huge,
  json,
  makeKey,
  type Refused,
  redirect,
  resetMidBody,
  set,
  signJwt,
  type Takeover,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

/** Refetches that an unknown kid can cause at once (providers.ts). */
const BURST = 3

let daemon: TestDaemon
let wire: Wire
// One for each test: refetches are throttled by OP.
let op: BentOp

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { op_timeout: 1 } })
  wire = await Wire.connect(daemon.socket)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
})

beforeEach(async () => {
  // ES256: keys that are quickly made.
  op = await BentOp.start({ alg: 'ES256' })
  return () => op[Symbol.asyncDispose]()
})

const refetched: Calls = { token: 1, jwks: 1, userinfo: 1 }
const bad = 'invalid_id_token_bad_signature'
const noKid = { header: set({ kid: undefined }) }

describe('P28 a rotation', () => {
  test('oidcc-client-test-discovery-jwks-uri-keys', async () => {
    const site = await BentSite.register(wire, op)
    expect(op.calls()).toEqual({ discovery: 1, jwks: 1, registration: 1 })
    await site.accepts()
  })

  test('oidcc-client-test-signing-key-rotation', async () => {
    const site = await BentSite.register(wire, op)
    await site.accepts()
    op.rotate()
    await site.accepts({}, refetched)
    await site.accepts()
  })

  test('oidcc-client-test-signing-key-rotation-just-before-signing', async () => {
    const site = await BentSite.register(wire, op)
    await site.accepts(
      { bends: { token: (honest) => honest }, callback: () => op.rotate() },
      refetched,
    )
  })

  test('two in a row', async () => {
    const site = await BentSite.register(wire, op)
    op.rotate()
    await site.accepts({}, refetched)
    op.rotate()
    await site.accepts({}, refetched)
  })

  test('takes the old keys from those who still sign with them', async () => {
    const site = await BentSite.register(wire, op)
    const old = op.key
    op.rotate()
    await site.accepts({}, refetched)
    await site.refuses({ bends: { key: old } }, { error: bad, calls: { token: 1, jwks: 1 } })
  })

  test('fails none of many logins that meet it together', async () => {
    const site = await BentSite.register(wire, op)
    const begun = await Promise.all(Array.from({ length: 20 }, () => site.begin()))
    op.rotate()
    const start = op.asked.length
    const replies = await Promise.all(begun.map((one) => wire.call('get_tokens_by_callback', one)))
    expect(replies.map(({ data }) => data.error ?? 'ok')).toEqual(begun.map(() => 'ok'))
    const { jwks } = op.calls(start)
    expect(jwks).toBeLessThanOrEqual(BURST)
  })
})

describe('P27 without a kid', () => {
  test('oidcc-client-test-kid-absent-single-jwks', async () => {
    const site = await BentSite.register(wire, op)
    await site.accepts({ bends: noKid })
  })

  test('oidcc-client-test-kid-absent-multiple-jwks', async () => {
    await using op = await BentOp.start()
    const others = (['RS256', 'ES256', 'ES256K', 'EdDSA'] as const).flatMap((alg) =>
      [1, 2, 3].map(() => makeKey(alg).jwk),
    )
    op.keys = [...others, op.key.jwk].map((jwk) => ({ ...jwk, alg: undefined, use: undefined }))
    const site = await BentSite.register(wire, op)
    await site.accepts({ bends: noKid })
    await site.refuses(
      { bends: { ...noKid, id_token: breakSignature } },
      { error: bad, calls: { token: 1, jwks: 1 } },
    )
  })

  test('a lone key that is rotated is fetched again, as nothing else tells it from the old one', async () => {
    await using op = await BentOp.start()
    const site = await BentSite.register(wire, op)
    await site.accepts({ bends: noKid })
    op.rotate()
    await site.accepts({ bends: noKid }, refetched)
  })

  test('a key that is too weak to be used hides none of the others', async () => {
    await using op = await BentOp.start()
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    op.keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'weak', use: 'sig' }, ...op.keys]
    const site = await BentSite.register(wire, op)
    await site.accepts({ bends: noKid })
  })
})

describe('accepts among its keys', () => {
  test.each<[name: string, keys: (good: object) => object[]]>([
    ['one of an unknown kty', (good) => [{ kty: 'XYZ', kid: 'x', alg: 'ES256' }, good]],
    ['one without kty', (good) => [{ kid: 'x' }, good]],
    ['one of an unknown curve', (good) => [{ kty: 'EC', crv: 'P-999', x: 'AA', y: 'AA' }, good]],
    ['one that is broken', (good) => [{ kty: 'RSA', kid: 'x', n: '!', e: '' }, good]],
    ['one for encryption', (good) => [{ ...makeKey('ES256').jwk, use: 'enc' }, good]],
    [
      'another with the same kid (M11)',
      (good) => [{ ...makeKey('ES256').jwk, kid: op.key.kid }, good],
    ],
    [
      'a broken one with the same kid',
      (good) => [{ kty: 'EC', crv: 'P-256', kid: op.key.kid, x: '!' }, good],
    ],
    ['many', (good) => [...Array.from({ length: 99 }, (_, kid) => ({ kty: 'XYZ', kid })), good]],
  ])('%s', async (_, keys) => {
    op.bend({ jwks: answers(json({ keys: keys(op.key.jwk) })) })
    const site = await BentSite.register(wire, op)
    op.straighten()
    await site.accepts()
    expect(op.calls()['jwks']).toBe(1)
  })
})

describe('refuses an ID Token signed by', () => {
  test.each<[name: string, keys: (jwk: object) => object[]]>([
    ['a key that is not published', () => [makeKey('ES256').jwk]],
    ['a key for encryption (M11)', (jwk) => [{ ...jwk, use: 'enc' }]],
    ['a key for another algorithm', (jwk) => [{ ...jwk, alg: 'ES384' }]],
    ['a key of an unknown kty (M11)', (jwk) => [{ ...jwk, kty: 'XYZ' }]],
  ])('%s', async (_, keys) => {
    const site = await BentSite.register(wire, op)
    const key = makeKey('ES256')
    await site.refuses(
      { bends: { key, jwks: answers(json({ keys: [...keys(key.jwk), op.key.jwk] })) } },
      { error: bad, calls: { token: 1, jwks: 1 } },
    )
  })

  test('a key that is published with its private half (M11)', async () => {
    const site = await BentSite.register(wire, op)
    const key = makeKey('ES256')
    const leaked = { ...key.jwk, ...key.private_key.export({ format: 'jwk' }) }
    await site.refuses(
      { bends: { key, jwks: answers(json({ keys: [leaked, op.key.jwk] })) } },
      { error: bad, calls: { token: 1, jwks: 1 } },
    )
  })

  test('an RSA key of 1024 bits', async () => {
    await using op = await BentOp.start()
    const pair = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const weak = {
      kid: 'weak',
      alg: 'RS256' as const,
      private_key: pair.privateKey,
      jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid: 'weak', alg: 'RS256' },
    }
    op.keys = [{ ...weak.jwk }, op.key.jwk]
    const site = await BentSite.register(wire, op)
    const bends = {
      id_token: (_: string, header: object, claims: object) =>
        signJwt({ ...header, kid: 'weak' }, { ...claims }, weak),
    }
    await site.refuses({ bends }, { error: bad })
  })
})

describe('M11 keys that cannot be had when an unknown kid asks for them', () => {
  const unreachable = { error: 'op_unreachable' }
  const invalid = { error: 'invalid_op_response', spec: 'RFC 7517 5' }

  // The keys that were known before serve on: the honest login that follows fetches none.
  test.each<[name: string, jwks: (op: BentOp) => Answer | Takeover, refused: Refused]>([
    ['500', () => json({}, 500), unreachable],
    ['404', () => json({ error: 'not_found' }, 404), invalid],
    ['302', () => redirect(op.address('jwks')), invalid],
    ['HTML', () => html(), invalid],
    ['an empty set', () => json({ keys: [] }), invalid],
    ['no keys member', () => json({}), invalid],
    ['a bare list', () => json([]), invalid],
    ['keys that are no objects', () => json({ keys: ['RSA'] }), invalid],
    [
      '10 000 keys',
      ({ key }) =>
        json({ keys: Array.from({ length: 10_000 }, () => ({ kty: 'XYZ', kid: key.kid })) }),
      invalid,
    ],
    ['10 MB', () => huge(10_000_000), unreachable],
    ['a reset mid-body', () => resetMidBody, unreachable],
    ['no answer', () => hang, unreachable],
  ])('%s', async (_, jwks, refused) => {
    const site = await BentSite.register(wire, op)
    const login = { bends: { key: makeKey('ES256'), jwks: answers(jwks(op)) } }
    await site.refuses(login, { ...refused, calls: { token: 1, jwks: 1 } })
  })

  test('at registration: a login fetches them', async () => {
    op.bend({ jwks: answers(json({}, 500)) })
    const site = await BentSite.register(wire, op)
    op.straighten()
    await site.accepts({}, refetched)
    await site.accepts()
  })

  test('at registration and at the login', async () => {
    op.bend({ jwks: answers(json({}, 500)) })
    const site = await BentSite.register(wire, op)
    const login = { bends: { jwks: answers(json({}, 500)) } }
    await site.refuses(login, { ...unreachable, calls: { token: 1, jwks: 1 }, next: refetched })
  })
})

test('M11 a flood of random kids asks for the keys a few times only', async () => {
  const site = await BentSite.register(wire, op)
  const start = op.asked.length
  const flood = 20
  const before = await daemon.stored()
  for (let n = 0; n < flood; n += 1) {
    const { data } = await site.attempt({ bends: { header: set({ kid: `random-${n}` }) } })
    expect(data.error).toBe(bad)
  }
  expect(op.calls(start)).toEqual({ token: flood, jwks: BURST })
  expect(await daemon.stored()).toEqual(before)
  await site.accepts()
})
