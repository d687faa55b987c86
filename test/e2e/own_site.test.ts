/** A site hears of itself only: an oxd_id is a bearer secret on TCP, and no command gives another's away. */
import type { TSchema } from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Command, type Fields, schemaOf } from '../../daemon/src/command.js'
import { commands } from '../../daemon/src/commands/index.js'
import { type Op, startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

const all = Object.entries(commands as Record<string, Command>)
const ofSites = all.filter(([, { params }]) => 'oxd_id' in params)

let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start({ daemon: { default_op: op.issuer } })
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

/** Every place in a schema, as `member.items.member`. */
function places(schema: TSchema, at = ''): string[] {
  const { properties = {}, items } = schema as { properties?: object; items?: TSchema }
  const inside = Object.entries(properties).flatMap(([name, one]) => places(one, `${at}.${name}`))
  return [at, ...inside, ...(items ? places(items, `${at}.items`) : [])]
}

/** Something of the right type for every parameter that must be there, and for the others if wanted. */
function someParams(params: Fields, optional: boolean): Record<string, unknown> {
  const given = Object.entries(params).filter(([, { required }]) => required || optional)
  return Object.fromEntries(given.map(([name, { schema }]) => [name, someValue(schema)]))
}

function someValue(schema: TSchema): unknown {
  const { type, enum: values } = schema as { type?: string; enum?: unknown[] }
  if (values) return values[0]
  if (type === 'array') return ['openid']
  if (type === 'integer') return 1
  if (type === 'boolean') return true
  return type === 'object' ? {} : 'https://site.example/?state=x&code=y'
}

describe('the declarations', () => {
  test('the walk sees the members of results', () => {
    expect(places(schemaOf(commands.get_site.result))).toContain('.oxd_id')
    expect(places(schemaOf(commands.get_site.result))).toContain('.scope.items')
  })

  test.each(all)('of %s have no place for a list of sites', (_, { result }) => {
    const lists = places(schemaOf(result)).filter((place) => place.includes('.items'))
    expect(lists.filter((place) => /site|oxd|client_id|registration/.test(place))).toEqual([])
  })
})

describe.each(['unix', 'tcp'])('over %s', (kind) => {
  const connect = () => Wire.connect(kind === 'unix' ? daemon.socket : { port: daemon.port })

  test.each(ofSites)(
    '%s answers nobody without an oxd_id, and no pattern of one',
    async (name, { params }) => {
      using wire = await connect()
      const oxd_id = await registerIssued(wire, op)
      const { oxd_id: _, ...others } = someParams(params, false)
      expect((await wire.refused(name, others)).error).toBe('invalid_request')
      for (const wrong of [
        '%',
        '*',
        '_'.repeat(oxd_id.length),
        oxd_id.slice(0, -1),
        `${oxd_id} `,
      ]) {
        const { error } = await wire.refused(name, { ...others, oxd_id: wrong })
        expect(error).toBe('invalid_oxd_id')
      }
      expect((await wire.refused(name, { ...others, oxd_id: [oxd_id] })).error).toBe(
        'invalid_request',
      )
    },
  )

  test("no command's reply to one site has another's id in it", async () => {
    using wire = await connect()
    const others = await Promise.all(Array.from({ length: 5 }, () => registerIssued(wire, op)))
    for (const [name, { params }] of all) {
      for (const optional of [false, true]) {
        // A site of its own for each, as one of them removes it.
        const oxd_id = await registerIssued(wire, op)
        const site = 'oxd_id' in params ? { oxd_id } : {}
        const reply = JSON.stringify(
          await wire.call(name, { ...someParams(params, optional), ...site }),
        )
        expect(others.filter((other) => reply.includes(other))).toEqual([])
      }
    }
    for (const oxd_id of others) expect((await wire.ok('get_site', { oxd_id })).oxd_id).toBe(oxd_id)
  })
})
