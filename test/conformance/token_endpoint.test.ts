/** Answers of a token endpoint that must not end in a login, and odd ones that may (RFC 6749 5, M10). */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Answer,
  answers,
  type Bend,
  BentOp,
  BentSite,
  drip,
  expectNoSecrets,
  hang,
  html,
  huge,
  json,
  type Refused,
  redirect,
  reset,
  resetMidBody,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

let daemon: TestDaemon
let wire: Wire
let op: BentOp
let site: BentSite

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { op_timeout: 1 } })
  wire = await Wire.connect(daemon.socket)
  op = await BentOp.start()
  site = await BentSite.register(wire, op)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

const unreachable: Refused = { error: 'op_unreachable' }
const invalid: Refused = { error: 'invalid_op_response' }
const withStatus = (http_status: number): Refused => ({ ...invalid, details: { http_status } })

describe('refuses members', () => {
  test.each<[name: string, members: Record<string, unknown>, received?: unknown]>([
    ['M10 token_type mac', { token_type: 'mac' }, 'mac'],
    ['M10 token_type missing', { token_type: undefined }],
    ['token_type DPoP, which nobody asked for', { token_type: 'DPoP' }, 'dpop'],
    ['token_type not a string', { token_type: ['Bearer'] }, ['Bearer']],
    ['access_token missing', { access_token: undefined }],
    ['access_token empty', { access_token: '' }],
    ['access_token not a string', { access_token: { a: 1 } }],
    ['refresh_token not a string', { refresh_token: 7 }],
    ['expires_in negative', { expires_in: -1 }, -1],
    ['expires_in no number', { expires_in: 'soon' }, 'soon'],
    ['scope a list', { scope: ['openid'] }, ['openid']],
  ])('%s', async (_, members, received) => {
    const [member] = Object.keys(members)
    const bends = { token: withMembers(members) }
    const { details } = await site.refuses({ bends }, { ...invalid, spec: 'RFC 6749 5.1' })
    expect(details).toEqual({ member, ...(received !== undefined && { received }) })
  })
})

describe('P24 refuses', () => {
  test.each<[name: string, answer: Bend, refused: Refused]>([
    [
      'M10 200 with an error',
      () => json({ error: 'invalid_grant', error_description: 'code used' }),
      {
        error: 'op_error',
        details: { error: 'invalid_grant', error_description: 'code used', http_status: 200 },
      },
    ],
    ['M10 an HTML body', () => html(), invalid],
    ['HTML that says it is JSON', () => json(Buffer.from('<html>')), invalid],
    ['M10 a JSON array', () => json([]), invalid],
    ['JSON null', () => json(Buffer.from('null')), invalid],
    ['no body', () => json(Buffer.alloc(0)), invalid],
    ['204', () => ({ status: 204, headers: {}, body: '' }), withStatus(204)],
    ['201 with tokens', (honest) => ({ ...honest, status: 201 }), invalid],
    ['M10 302', () => redirect(`${op.issuer}/elsewhere`), withStatus(302)],
    ['307', () => redirect(`${op.issuer}/elsewhere`, 307), invalid],
    ['308 to the same place', () => redirect(op.address('token'), 308), invalid],
    [
      'M10 a gzip bomb, though nobody asked for gzip',
      () => json(gzipSync(Buffer.alloc(8 << 20, ' ')), 200, { 'content-encoding': 'gzip' }),
      invalid,
    ],
    ['M10 a body of 10 MB', () => huge(10_000_000), unreachable],
    ['headers of 64 KB', (honest) => withHeader(honest, 'x-long', 'a'.repeat(65_536)), unreachable],
    ['a reset before the answer', () => reset, unreachable],
    ['M10 a reset mid-body', () => resetMidBody, unreachable],
    ['M10 P45 no answer within op_timeout', () => hang, unreachable],
    ['M10 a byte at a time without end', () => drip, unreachable],
    [
      '500',
      () => json({ error: 'server_error' }, 500),
      { ...unreachable, details: { http_status: 500 } },
    ],
    ['503 with HTML', () => html(503), { ...unreachable, details: { http_status: 503 } }],
    [
      '400 with an OAuth error',
      () => json({ error: 'invalid_grant', error_description: 'code expired' }, 400),
      {
        error: 'op_error',
        details: { error: 'invalid_grant', error_description: 'code expired', http_status: 400 },
      },
    ],
    [
      'an access token with a line break',
      withMembers({ access_token: 'a\r\nx-more: b' }),
      { ...invalid, spec: 'RFC 6749 A.12' },
    ],
    ['an access token that is not ASCII', withMembers({ access_token: 'é€'.repeat(9) }), invalid],
    ['a refresh token with a NUL', withMembers({ refresh_token: 'a\0b' }), invalid],
    ['400 with HTML', () => html(400), withStatus(400)],
    ['400 with an error that is no string', () => json({ error: 7 }, 400), invalid],
    [
      '401 with an OAuth error and no challenge',
      () => json({ error: 'invalid_client' }, 401),
      { error: 'op_error', details: { error: 'invalid_client', http_status: 401 } },
    ],
  ])('%s', async (_, answer, refused) => {
    await site.refuses({ bends: { token: answer } }, refused)
  })

  test('no text of an OP’s HTML reaches the site', async () => {
    const data = await site.refuses({ bends: { token: answers(html(400)) } }, invalid)
    expect(JSON.stringify(data)).not.toContain('updating')
  })

  // RFC 6749 5.1 has application/json; oauth4webapi alone would read JSON whatever it is called.
  test('M10 tokens that say they are HTML', async () => {
    const bend: Bend = (honest) => withHeader(honest, 'content-type', 'text/html')
    await site.refuses({ bends: { token: bend } }, invalid)
  })
})

describe('accepts', () => {
  test.each<[name: string, bend: Bend, data: object]>([
    ['fapi2 token-type-case-insensitivity', withMembers({ token_type: 'bEARER' }), {}],
    [
      'fapi2 token-endpoint-response-without-expires_in',
      withMembers({ expires_in: undefined }),
      {},
    ],
    ['expires_in as text', withMembers({ expires_in: '300' }), { expires_in: 300 }],
    ['expires_in with a fraction', withMembers({ expires_in: 299.5 }), { expires_in: 299 }],
    [
      'M2 expires_in 1e300',
      withMembers({ expires_in: 1e300 }),
      { expires_in: expect.toSatisfy(Number.isSafeInteger) },
    ],
    ['an empty scope', withMembers({ scope: '' }), {}],
    ['unknown members', withMembers({ 'x-y': [1], token: 'x' }), {}],
    [
      'M10 a byte order mark',
      ({ body, ...rest }) => ({ ...rest, body: `\uFEFF${text(body)}` }),
      {},
    ],
  ])('%s', async (_, bend, data) => {
    expect(await site.accepts({ bends: { token: bend } })).toMatchObject(data)
  })
})

function withHeader(honest: Answer, name: string, value: string): Answer {
  return { ...honest, headers: { ...honest.headers, [name]: value } }
}

function text(body: Answer['body']): string {
  return JSON.stringify(body)
}
