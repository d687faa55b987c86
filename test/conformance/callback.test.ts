/** Authorization responses that must not complete a login (OIDC Core 3.1.2.7, RFC 9207, RFC 6749 10.12). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type BentLogin,
  BentOp,
  BentSite,
  expectNoSecrets,
  type Refused,
  refusesCommand,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

let daemon: TestDaemon
let wire: Wire
let op: BentOp
let site: BentSite
/** An OP that knows nothing of RFC 9207. */
let old_op: BentOp
let old_site: BentSite

beforeAll(async () => {
  daemon = await TestDaemon.start()
  wire = await Wire.connect(daemon.socket)
  op = await BentOp.start()
  site = await BentSite.register(wire, op)
  old_op = await BentOp.start({
    metadata: { authorization_response_iss_parameter_supported: undefined },
  })
  old_site = await BentSite.register(wire, old_op)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  expectNoSecrets(daemon.log, op, old_op)
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
  await old_op[Symbol.asyncDispose]()
})

/** The OP is asked nothing at all. */
const calls = {}
const unread: Refused = { error: 'invalid_request', calls, spent: false }
const bent = (callback: BentLogin['callback']): BentLogin => ({ ...(callback && { callback }) })
const error = (members: Record<string, string>): BentLogin =>
  bent((response) => {
    response.delete('code')
    for (const [name, value] of Object.entries(members)) response.set(name, value)
  })

describe('refuses', () => {
  test.each<[name: string, login: BentLogin, refused: Refused]>([
    [
      'P47 fapi2 remove-authorization-response-iss: RFC 9207 iss missing',
      bent((response) => response.delete('iss')),
      { error: 'invalid_issuer', calls },
    ],
    [
      'fapi2 invalid-authorization-response-iss: RFC 9207 iss wrong',
      bent((response) => response.set('iss', `${op.issuer}1`)),
      { error: 'invalid_issuer', calls },
    ],
    [
      'iss with a trailing slash',
      bent((response) => response.set('iss', `${op.issuer}/`)),
      { error: 'invalid_issuer', calls },
    ],
    [
      'iss empty',
      bent((response) => response.set('iss', '')),
      { error: 'invalid_issuer', spec: 'RFC 9207 2.4', calls },
    ],
    [
      'M6 S10 mix-up: the response of another OP with this one’s state',
      bent((response) => response.set('iss', old_op.issuer)),
      { error: 'invalid_issuer', calls },
    ],
    [
      'M8 fapi2 missing-authorization-response-state',
      bent((response) => response.delete('state')),
      unread,
    ],
    ['state empty', bent((response) => response.set('state', '')), unread],
    [
      'state twice, the same',
      bent((response) => response.append('state', response.get('state') as string)),
      unread,
    ],
    ['state twice', bent((response) => response.append('state', 'x')), unread],
    ['code twice', bent((response) => response.append('code', 'x')), unread],
    ['iss twice', bent((response) => response.append('iss', op.issuer)), unread],
    ['error twice', bent((response) => twice(response, 'error')), unread],
    [
      'fapi2 invalid-authorization-response-state: a letter more',
      bent((response) => response.set('state', `${response.get('state')}1`)),
      { error: 'invalid_state', calls },
    ],
    [
      'state of nobody',
      bent((response) => response.set('state', Buffer.alloc(24, 0xff).toString('base64url'))),
      { error: 'invalid_state', calls },
    ],
    [
      'an access token from the front channel, which nobody asked for',
      bent((response) => response.set('access_token', 'x')),
      { error: 'invalid_op_response', details: { parameter: 'access_token' }, calls },
    ],
    [
      'neither code nor error',
      bent((response) => response.delete('code')),
      { error: 'invalid_op_response', calls },
    ],
    [
      'an error of the OP',
      error({ error: 'access_denied', error_description: 'Alice said no' }),
      {
        error: 'op_error',
        details: { error: 'access_denied', error_description: 'Alice said no' },
        calls,
      },
    ],
    [
      'an error whose text would move a terminal’s cursor',
      error({ error: 'x\u001b[2J', error_description: `a\r\n\u009b\u202e${'b '.repeat(2000)}` }),
      {
        error: 'op_error',
        details: {
          error: 'x?[2J',
          error_description: expect.stringMatching(/^a\?\?\?\?(b ){147}b…$/),
        },
        calls,
      },
    ],
    [
      'an error of another OP',
      error({ error: 'access_denied', iss: 'https://evil.example' }),
      { error: 'invalid_issuer', calls },
    ],
    [
      'an error together with a code',
      bent((response) => response.set('error', 'server_error')),
      { error: 'op_error', details: { error: 'server_error' }, calls },
    ],
    [
      'an ID Token from the front channel, which nobody asked for',
      bent((response) => response.set('id_token', 'e30.e30.')),
      { error: 'invalid_op_response', calls },
    ],
    [
      'a JARM response, which nobody asked for',
      bent((response) => response.set('response', 'e30.e30.')),
      { error: 'invalid_op_response', calls },
    ],
    [
      'a code that the OP did not issue',
      bent((response) => response.set('code', 'x')),
      { error: 'op_error', details: { error: 'invalid_grant', http_status: 400 } },
    ],
  ])('%s', async (_, login, refused) => {
    await site.refuses(login, refused)
  })

  test('an iss that is wrong, of an OP that does not announce one', async () => {
    await old_site.refuses(
      bent((response) => response.set('iss', op.issuer)),
      { error: 'invalid_issuer', calls },
    )
  })

  test('M8 S8 a login that another browser began, which stays that browser’s', async () => {
    const start = op.asked.length
    const stored = await daemon.stored()
    const [victim, attacker] = [await site.begin(), await site.begin()]
    expect(
      await wire.refused('get_tokens_by_callback', { ...attacker, binding: victim.binding }),
    ).toMatchObject({ error: 'invalid_binding' })
    const { binding: _, ...unbound } = attacker
    expect(await wire.refused('get_tokens_by_callback', unbound)).toMatchObject({
      error: 'invalid_binding',
    })
    expect(op.calls(start)).toEqual({})
    expect(await daemon.stored()).toEqual(stored)
    expect(await wire.ok('get_tokens_by_callback', victim)).toMatchObject({ sub: op.sub })
    expect(await wire.ok('get_tokens_by_callback', attacker)).toMatchObject({ sub: op.sub })
    await site.accepts()
  })

  test('a login of another site, which stays that site’s', async () => {
    const other = await BentSite.register(wire, op)
    const start = op.asked.length
    const begun = await site.begin()
    expect(
      await wire.refused('get_tokens_by_callback', { ...begun, oxd_id: other.oxd_id }),
    ).toMatchObject({ error: 'invalid_state' })
    expect(op.calls(start)).toEqual({})
    expect(await wire.ok('get_tokens_by_callback', begun)).toMatchObject({ sub: op.sub })
  })

  test('M8 C8 a replayed callback', async () => {
    const begun = await site.begin()
    const { session_id } = await wire.ok('get_tokens_by_callback', begun)
    await refusesCommand(wire, op, ['get_tokens_by_callback', begun], {
      refused: { error: 'invalid_state', retryable: false },
    })
    // The first one's session is not the replay's to lose.
    await wire.ok('get_user_info', { oxd_id: site.oxd_id, session_id })
    await site.accepts()
  })

  test('S34 all but one of fifty callbacks at once', async () => {
    const begun = await site.begin()
    const start = op.asked.length
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => wire.call('get_tokens_by_callback', begun)),
    )
    const outcomes = replies.map(({ data }) => data.error ?? 'ok')
    expect(outcomes.filter((one) => one === 'ok')).toHaveLength(1)
    expect(outcomes.filter((one) => one === 'invalid_state')).toHaveLength(49)
    expect(op.calls(start)).toEqual({ token: 1 })
  })

  test('picked parts without iss, where logins with this redirect URI go to two OPs', async () => {
    const { oxd_id, callback, binding } = await site.begin()
    const { code, state, iss } = Object.fromEntries(new URL(callback).searchParams)
    const start = op.asked.length
    expect(
      await wire.refused('get_tokens_by_code', { oxd_id, code, state, binding }),
    ).toMatchObject({ error: 'invalid_issuer' })
    expect(op.calls(start)).toEqual({})
    expect(
      await wire.refused('get_tokens_by_code', { oxd_id, code, state, iss, binding }),
    ).toMatchObject({ error: 'invalid_state' })
  })
})

/** OAuth and OIDC errors by what another login can come to. */
describe('oidcc-client-test-form-post-error: tells whether another login can help', () => {
  test.each([
    ['with_end_user', 'login_required', 'start the login without prompt=none'],
    ['with_end_user', 'interaction_required', 'start the login without prompt=none'],
    ['with_end_user', 'account_selection_required', 'start the login without prompt=none'],
    ['with_end_user', 'consent_required', 'start the login without prompt=none'],
    ['later', 'temporarily_unavailable', 'start the login again later'],
    ['later', 'server_error', 'start the login again later'],
    ['no', 'access_denied', 'said no'],
    ['no', 'unmet_authentication_requirements', 'cannot authenticate the End-User'],
    ['no', 'registration_not_supported', 'leave registration out'],
    [undefined, 'of_its_own', 'the OP answered of_its_own'],
    [undefined, 'constructor', 'the OP answered constructor'],
  ])('%s: %s', async (login_retry, code, words) => {
    for (const response_mode of ['query', 'fragment', 'form_post']) {
      const { details, error_description } = await site.refuses(
        { ...error({ error: code }), request: { response_mode } },
        { error: 'op_error', calls },
      )
      expect(details).toEqual({ error: code, ...(login_retry && { login_retry }) })
      expect(error_description).toContain(words)
    }
  })
})

describe('accepts', () => {
  test.each(['query', 'fragment', 'form_post'] as const)(
    'P13 oidcc-client-test (form-post): a code by %s',
    async (response_mode) => {
      await site.accepts({ request: { response_mode } })
    },
  )

  test('a code in a query from an OP that knows nothing else', async () => {
    await site.accepts({ as: 'query', request: { response_mode: 'form_post' } })
  })

  test('no iss from an OP that does not announce it', async () => {
    await old_site.accepts()
  })

  test('unknown parameters', async () => {
    await site.accepts(bent((response) => response.set('session_state', 'a b.c')))
  })

  test.each<[name: string, form: (callback: string) => string]>([
    ['the path and query', (callback) => callback.replace(/^https:\/\/[^/]+/, '')],
    ['the query alone, as a form body', (callback) => new URL(callback).search.slice(1)],
  ])('%s', async (_, form) => {
    const begun = await site.begin()
    const callback = form(begun.callback)
    expect(await wire.ok('get_tokens_by_callback', { ...begun, callback })).toMatchObject({
      sub: op.sub,
    })
  })

  test('picked parts with iss', async () => {
    const { oxd_id, callback, binding } = await site.begin()
    const { code, state, iss } = Object.fromEntries(new URL(callback).searchParams)
    expect(
      await wire.ok('get_tokens_by_code', { oxd_id, code, state, iss, binding }),
    ).toMatchObject({ sub: op.sub })
  })
})

function twice(response: URLSearchParams, name: string): void {
  response.append(name, 'a')
  response.append(name, 'b')
}
