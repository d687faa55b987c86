/** Claims that no OP should answer, as UserInfo and in an ID Token: they hurt neither daemon nor client. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Answer,
  BentOp,
  BentSite,
  json,
  type Members,
  signText,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { type DialectName, Wire } from '../support/wire.js'

let daemon: TestDaemon
let op: BentOp

beforeAll(async () => {
  daemon = await TestDaemon.start()
  op = await BentOp.start()
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

/** As text, so that a member may be named __proto__ and nesting has no limit. */
function userInfo(members: string) {
  return () => json(Buffer.from(`{"sub":"${op.sub}",${members}}`))
}

function nested(levels: number): string {
  return `"a":${'['.repeat(levels)}${']'.repeat(levels)}`
}

describe.each<DialectName>(['json', 'msgpack'])('over %s', (dialect) => {
  test.each([
    [
      'names that JavaScript gives a meaning to',
      '"constructor":1,"toJSON":1,"toString":1,"then":1',
    ],
    ['a name of its own', '"__proto__":{"polluted":1}'],
    ['nesting that a frame has room for', nested(20)],
    ['halves of surrogate pairs', '"name":"\\ud800","\\udc00":1'],
  ])('%s', async (_, members) => {
    using wire = await Wire.connect(daemon.socket, dialect)
    const site = await BentSite.register(wire, op)
    const { oxd_id } = site
    const { session_id } = await site.accepts()
    op.bend({ userinfo: userInfo(members) })
    const { claims } = await wire.ok('get_user_info', { oxd_id, session_id })
    expect(Object.keys(claims).length).toBeGreaterThan(1)
    expect(JSON.stringify(claims).isWellFormed()).toBe(true)
    expect(claims.polluted).toBe(undefined)
    op.straighten()

    const bends = { claims: (honest: Members) => ({ ...JSON.parse(`{${members}}`), ...honest }) }
    await site.accepts({ bends })
  })

  test.each([30, 1000, 100_000])('%d levels of nesting are refused', async (levels) => {
    using wire = await Wire.connect(daemon.socket, dialect)
    const site = await BentSite.register(wire, op)
    const { oxd_id } = site
    const { session_id } = await site.accepts()
    op.bend({ userinfo: userInfo(nested(levels)) })
    expect(await wire.refused('get_user_info', { oxd_id, session_id })).toMatchObject({
      error: 'invalid_op_response',
    })
    op.straighten()
    const id_token = (_jwt: string, header: Members, claims: Members) =>
      signText(header, JSON.stringify(claims).replace('{', `{${nested(levels)},`), op.key)
    await site.refuses({ bends: { id_token } }, { error: 'invalid_op_response' })
  })
})

test.each([
  ['discovery', 'no_connect_discovery_response'],
  ['jwks', 'invalid_op_response'],
  ['registration', 'invalid_op_response'],
  ['token', 'invalid_op_response'],
] as const)(
  '100,000 levels of nesting in the answer of %s are refused',
  async (endpoint, error) => {
    await using fresh = await BentOp.start()
    using wire = await Wire.connect(daemon.socket)
    fresh.bend({
      [endpoint]: (honest: Answer) =>
        json(
          Buffer.from(JSON.stringify(honest.body).replace('{', `{${nested(100_000)},`)),
          honest.status,
        ),
    })
    const register = () => BentSite.register(wire, fresh)
    if (endpoint === 'discovery' || endpoint === 'registration') {
      await expect(register()).rejects.toThrow(error)
      fresh.straighten()
      await (await register()).accepts()
      return
    }
    const site = await register()
    const login = await site.begin()
    const { data } = await wire.call('get_tokens_by_callback', login)
    expect(data.error).toBe(error)
    fresh.straighten()
    await site.accepts({}, endpoint === 'jwks' ? { jwks: 1, token: 1, userinfo: 1 } : undefined)
  },
)

test('none of it was a failure of the daemon', () => {
  expect(daemon.log.filter(({ level }) => level >= 50)).toEqual([])
})
