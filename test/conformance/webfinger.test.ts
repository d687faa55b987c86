/** An OP found by what an End-User types in, over hosts that answer well and badly (RFC 7033, P1). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Answer,
  answers,
  type Bend,
  BentOp,
  BentSite,
  type Calls,
  hang,
  html,
  huge,
  json,
  type Members,
  redirect,
  refusesCommand,
  resetMidBody,
  type Takeover,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const rel = 'http://openid.net/specs/connect/1.0/issuer'
const without = { error: 'no_issuer_found', retryable: false }

let daemon: TestDaemon
let wire: Wire

beforeAll(async () => {
  daemon = await TestDaemon.start({
    daemon: { op_timeout: 1 },
    sections: [
      '[realm default]\nwebfinger = yes\nlookups_per_minute = 100000\nregistrations_per_minute = 1000',
      '[listener shop]\naddress = unix:{folder}/shop.sock\nrealm = shop',
      '[realm shop]\nlookups_per_minute = 2',
    ].join('\n'),
  })
  wire = await Wire.connect(daemon.socket)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
})

/** An OP that nothing but WebFinger leads to from its host. */
function hidden(metadata: Record<string, unknown> = {}): Promise<BentOp> {
  const issuer_path = `/${Math.random().toString(36).slice(2)}`
  return BentOp.start({ alg: 'ES256', issuer_path, metadata })
}

function host(op: BentOp): string {
  return new URL(op.origin).host
}

/** Nothing is asked beyond `calls`; an honest answer is good afterwards, and leads to a login. */
async function refuses(
  webfinger: Bend,
  refused: Members,
  calls: Calls = { webfinger: 1 },
): Promise<void> {
  await using op = await hidden()
  const resource = `acct:alice@${host(op)}`
  await refusesCommand(wire, op, ['get_issuer', { resource }], {
    bends: { webfinger },
    refused,
    calls,
  })
  await leadsToLogin(op, resource)
}

async function leadsToLogin(op: BentOp, resource: string): Promise<void> {
  const { issuer } = await wire.ok('get_issuer', { resource })
  expect(issuer).toBe(op.issuer)
  const site = await BentSite.register(wire, op, { op_host: issuer })
  await site.accepts()
}

describe('finds the OP', () => {
  test.each([
    ['P43 oidcc-client-test-discovery-webfinger-acct', (op: BentOp) => `acct:alice@${host(op)}`],
    ['P43 oidcc-client-test-discovery-webfinger-url', (op: BentOp) => `${op.origin}/alice`],
  ])('%s', async (_, identifier) => {
    await using op = await hidden()
    const resource = identifier(op)
    const found = await wire.ok('get_issuer', { resource })
    expect(found).toEqual({ issuer: op.issuer, resource, subject: resource })
    expect(Object.fromEntries(new URL(op.last('webfinger').url, op.origin).searchParams)).toEqual({
      resource,
      rel,
    })
    const site = await BentSite.register(wire, op, { op_host: found.issuer })
    await site.accepts()
  })

  test('rp-discovery-webfinger-unknown-member', async () => {
    await using op = await hidden()
    op.bend({
      webfinger: () =>
        json({
          subject: 7,
          aliases: 'none',
          properties: { 'http://example/x': null },
          expires: 'never',
          links: [
            null,
            'link',
            { href: 'https://no.rel.example' },
            { rel: 'http://webfinger.net/rel/avatar', href: 'http://127.0.0.1/a.png' },
            { rel, href: op.issuer, type: 7, titles: { und: 'OP' }, properties: {}, more: [] },
            { rel, href: 'https://second.example' },
          ],
        }),
    })
    expect(await wire.ok('get_issuer', { resource: `acct:a@${host(op)}` })).toEqual({
      issuer: op.issuer,
      resource: `acct:a@${host(op)}`,
    })
    op.straighten()
  })

  test.each([301, 302, 303, 307, 308])('through a redirect with %i', async (status) => {
    await using op = await hidden()
    await using front = await BentOp.start({ alg: 'ES256' })
    front.bend({ webfinger: (_, { url }) => redirect(`${op.origin}${url}`, status) })
    const resource = `acct:alice@${host(front)}`
    expect(await wire.ok('get_issuer', { resource })).toMatchObject({ issuer: op.issuer })
    front.straighten()
    expect(front.calls()).toEqual({ webfinger: 1 })
    expect(op.calls()).toMatchObject({ webfinger: 1, discovery: 1 })
    // Nobody was told more than what was asked about.
    expect(JSON.stringify(op.last('webfinger').headers)).not.toContain('authorization')
  })
})

describe('is told that there is none by', () => {
  test.each<[name: string, answer: Answer | Takeover, details?: object]>([
    [
      'rp-discovery-webfinger-http-href',
      json({
        links: [
          { rel, href: 'http://op.example' },
          { rel, href: 'https://op.example' },
        ],
      }),
    ],
    ['no links', json({ subject: 'acct:alice@op.example' })],
    ['an empty list', json({ links: [] })],
    ['links of other kinds', json({ links: [{ rel: 'self', href: 'https://op.example' }] })],
    ['links that are no list', json({ links: { rel, href: 'https://op.example' } })],
    ['a link without href', json({ links: [{ rel }] })],
    [
      'an href that is no text',
      json({ links: [{ rel, href: ['https://op.example'] }] }),
      { received: ['https://op.example'] },
    ],
    ['an href with a query', json({ links: [{ rel, href: 'https://op.example/?a' }] })],
    ['an href with a fragment', json({ links: [{ rel, href: 'https://op.example/#a' }] })],
    ['an href with a user', json({ links: [{ rel, href: 'https://a@op.example/' }] })],
    ['an href that is a script', json({ links: [{ rel, href: 'javascript:alert(1)' }] })],
    ['an href without end', json({ links: [{ rel, href: `https://${'a'.repeat(5000)}` }] })],
    ['a JSON array', json([])],
    ['null', json(Buffer.from('null'))],
    ['what is no JSON', json(Buffer.from('{'))],
    ['HTML', html()],
    ['404', json({}, 404), { http_status: 404 }],
    ['400', json({ error: 'invalid_request' }, 400)],
    ['a redirect to nowhere', { status: 302, headers: {}, body: '' }],
    ['a redirect to http', redirect('http://op.example/.well-known/webfinger')],
    ['a redirect to a file', redirect('file:///etc/passwd')],
  ])('%s', async (_, answer, details) => {
    const error_description = expect.stringContaining("ask the End-User for the OP's address")
    await refuses(answers(answer), { ...without, error_description, ...(details && { details }) })
  })

  test('redirects without end', async () => {
    const round: Bend = (_, { url }) => redirect(url)
    await refuses(round, without, { webfinger: 4 })
  })
})

describe('cannot tell, and may try again, after', () => {
  test.each<[name: string, answer: Answer | Takeover]>([
    ['500', json({}, 500)],
    ['10 MB', huge(10_000_000)],
    ['a reset mid-body', resetMidBody],
    ['no answer', hang],
  ])('%s', async (_, answer) => {
    await refuses(answers(answer), { error: 'op_unreachable', retryable: true })
  })
})

describe('P1 the address policy holds for', () => {
  const refused = { error: 'op_host_not_allowed', retryable: false }

  test.each([
    ['the host itself', 'alice@10.1.2.3'],
    ['a name of loopback', 'alice@localhost'],
    ['an address of IPv6', 'https://[::1]/alice'],
    ['a number', 'https://2130706434/alice'],
  ])('%s', async (_, resource) => {
    expect(await wire.refused('get_issuer', { resource })).toMatchObject(refused)
  })

  test('a redirect', async () => {
    await refuses(answers(redirect('https://10.1.2.3/.well-known/webfinger')), refused)
  })

  test('the OP that is named', async () => {
    await refuses(answers(json({ links: [{ rel, href: 'https://10.1.2.3' }] })), refused)
  })

  test('http, which is for hosts that the operator names', async () => {
    expect(await wire.refused('get_issuer', { resource: 'http://op.example/a' })).toMatchObject({
      error: 'invalid_request',
      details: { field: 'resource' },
    })
  })
})

describe('the OP that is named', () => {
  test('has to say that it is that issuer', async () => {
    await using op = await hidden()
    const resource = `acct:alice@${host(op)}`
    await refusesCommand(wire, op, ['get_issuer', { resource }], {
      bends: { discovery: withMembers({ issuer: 'https://other.example' }) },
      refused: {
        error: 'invalid_op_metadata',
        details: { member: 'issuer', received: 'https://other.example' },
      },
      calls: { webfinger: 1, discovery: 1 },
    })
    await leadsToLogin(op, resource)
  })

  test('P3 has to say so to the letter', async () => {
    await using op = await BentOp.start({ alg: 'ES256' })
    const resource = `acct:alice@${host(op)}`
    await refusesCommand(wire, op, ['get_issuer', { resource }], {
      bends: { webfinger: withMembers({ links: [{ rel, href: `${op.issuer}/` }] }) },
      refused: {
        error: 'invalid_op_metadata',
        details: { member: 'issuer', expected: `${op.issuer}/`, received: op.issuer },
      },
      // Its metadata is good, under the name that it has there.
      calls: { webfinger: 1, discovery: 1, jwks: 1 },
    })
    await leadsToLogin(op, resource)
  })

  test('is known from then on, and asked once', async () => {
    await using op = await hidden()
    const resource = `acct:alice@${host(op)}`
    await wire.ok('get_issuer', { resource })
    await wire.ok('get_issuer', { resource })
    await wire.ok('get_discovery', { op_host: op.issuer })
    expect(op.calls()).toEqual({ webfinger: 2, discovery: 1, jwks: 1 })
  })
})

test('P1 no host is asked where the operator has not allowed it', async () => {
  await using op = await hidden()
  using shop = await Wire.connect({ path: `${daemon.folder}/shop.sock` })
  const resource = `acct:alice@${host(op)}`
  expect(await shop.refused('get_issuer', { resource })).toMatchObject({
    error: 'webfinger_not_allowed',
    error_description: expect.stringContaining('webfinger = yes in [realm shop]'),
    retryable: false,
  })
  expect(op.calls()).toEqual({})
})

test('a realm asks OPs at which it has no site so many times a minute, and knows the others still', async () => {
  await using op = await hidden()
  await using other = await hidden()
  using shop = await Wire.connect({ path: `${daemon.folder}/shop.sock` })
  const ask = (op_host: string) => shop.call('get_discovery', { op_host })
  expect((await ask(op.issuer)).status).toBe('ok')
  expect((await ask('https://10.1.2.3')).data).toMatchObject({ error: 'op_host_not_allowed' })
  op.bend({ discovery: answers(json({}, 404)) })
  expect((await ask(`${op.issuer}/else`)).data).toMatchObject({
    error: 'no_connect_discovery_response',
  })
  op.straighten()
  expect((await ask(other.issuer)).data).toMatchObject({
    error: 'quota_exceeded',
    details: { option: 'lookups_per_minute' },
  })
  expect(other.calls()).toEqual({})
  expect((await ask(op.issuer)).status).toBe('ok')
  expect((await shop.ok('get_jwks', { op_host: op.issuer })).jwks.keys).toHaveLength(1)
})
