/** Every command of the table, with all that its declaration forbids: generated, so that new commands join by themselves. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import {
  exampleParams,
  MARKER,
  misfitsOf,
  type Params,
  siteTable,
  table,
  withSurrogate,
} from '../support/declared.js'
import { exchange, openings } from '../support/peer.js'
import { redirect_uri, registerIssued } from '../support/site.js'
import { type DialectName, type Reply, Wire } from '../support/wire.js'

let op: Op
let daemon: TestDaemon
let other: string

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start({
    daemon: { default_op: op.issuer },
    sections: '[listener other]\naddress = unix:{folder}/other.sock\nrealm = other',
  })
  other = join(daemon.folder, 'other.sock')
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

const dialects: DialectName[] = ['json', 'msgpack']

function expectRefused({ status, data }: Reply, name: string, what: string): void {
  expect({ what, status, ...data }).toMatchObject({ status: 'error', error: 'invalid_request' })
  const { field } = data.details
  expect(field === name || field.startsWith(`${name}.`), `${what}: ${name}, not ${field}`).toBe(
    true,
  )
  expect(data.error_description, what).toContain(field)
  expectNoValue(data, what)
}

/** Values may be secrets; names are not. */
function expectNoValue(data: object, what: string): void {
  const text = JSON.stringify(data)
  for (const value of [MARKER, '7654321']) expect(text, what).not.toContain(value)
}

/** Letters of the start, and the count. */
const REQUEST_ID = /.[0-9a-z]{8}-\d+/s

describe.each(siteTable)('%s', (name, command) => {
  test('S45 through another realm answers, byte for byte, what an id that never was answers', async () => {
    using home = await Wire.connect(daemon.socket)
    for (const dialect of dialects) {
      const oxd_id = await registerIssued(home, op)
      const answer = (one: string) => {
        const { magic, encode } = openings[dialect]
        const params = exampleParams(command, { oxd_id: one })
        return exchange(other, [magic, encode({ id: 1, command: name, params })])
      }
      const foreign = unnumbered(await answer(oxd_id))
      expect(foreign).toContain('invalid_oxd_id')
      expect(foreign).toBe(unnumbered(await answer(randomUUID())))
      expect(await home.ok('get_site', { oxd_id })).toMatchObject({ oxd_id })
    }
  })

  test('at home finds the site, and no longer when it is removed', async () => {
    using wire = await Wire.connect(daemon.socket)
    const oxd_id = await registerIssued(wire, op)
    const params = exampleParams(command, { oxd_id })
    const { data } = await wire.call(name, params)
    expect(['invalid_oxd_id', 'unsupported_operation']).not.toContain(data.error)
    await wire.call('remove_site', { oxd_id })
    expect(await wire.refused(name, params)).toMatchObject({ error: 'invalid_oxd_id' })
  })
})

test('S31 through another realm takes the time that an id that never was takes', {
  retry: 2,
}, async () => {
  using home = await Wire.connect(daemon.socket, 'msgpack')
  using wire = await Wire.connect(other, 'msgpack')
  const oxd_id = await registerIssued(home, op)
  const took = { foreign: [] as number[], unknown: [] as number[] }
  for (let turn = 0; turn < 400; turn += 1) {
    // In use at home, so that it lies in whatever cache there is.
    await home.ok('get_site', { oxd_id })
    for (const kind of turn % 2 === 0 ? kinds : kinds.toReversed()) {
      const asked = kind === 'foreign' ? oxd_id : randomUUID()
      const started = performance.now()
      await wire.refused('get_site', { oxd_id: asked })
      took[kind].push(performance.now() - started)
    }
  }
  const ratio = median(took.foreign) / median(took.unknown)
  expect(ratio).toBeGreaterThan(1 / 3)
  expect(ratio).toBeLessThan(3)
})

const kinds = ['foreign', 'unknown'] as const

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number
}

describe.each(dialects)('over %s', (dialect) => {
  test.each(table)('%s refuses what does not fit, by name, and goes on', async (name, command) => {
    using wire = await Wire.connect(daemon.socket, dialect)
    const fitting = exampleParams(command)
    for (const [param, { schema, required }] of Object.entries(command.params)) {
      for (const [what, value] of misfitsOf(schema)) {
        const reply = await wire.call(name, { ...fitting, [param]: value })
        expectRefused(reply, param, `${param}: ${what}`)
      }
      if (!required) continue
      const { [param]: _, ...without } = fitting
      expectRefused(await wire.call(name, without), param, `${param} missing`)
      expectRefused(await wire.call(name, { ...without, [param]: null }), param, `${param} null`)
    }
    for (const stray of ['no_such_parameter', '__proto__', 'constructor', 'x'.repeat(100_000)]) {
      const params = Object.fromEntries([...Object.entries(fitting), [stray, MARKER]])
      const { data } = await wire.call(name, params)
      expect(data, stray.slice(0, 20)).toMatchObject({ error: 'invalid_request' })
      expect(JSON.stringify(data).length).toBeLessThan(400)
      expectNoValue(data, stray.slice(0, 20))
    }
    await wire.ok('ping')
  })

  test.each(table)(
    '%s in a frame over 1 MiB costs that connection alone',
    async (name, command) => {
      using wire = await Wire.connect(daemon.socket, dialect)
      using neighbour = await Wire.connect(daemon.socket, dialect)
      const call = wire.call(name, { ...exampleParams(command), more: 'x'.repeat(1024 * 1024) })
      expect((await wire.nextUnasked()).data).toMatchObject({ error: 'frame_too_large' })
      await expect(call).rejects.toThrow()
      await wire.closed
      await neighbour.ok('ping')
    },
  )
})

test.each(table)('%s refuses half of a surrogate pair in every text', async (name, command) => {
  using wire = await Wire.connect(daemon.socket)
  const fitting = exampleParams(command)
  for (const [param, { schema }] of Object.entries(command.params)) {
    for (const value of withSurrogate(schema)) {
      const request = { command: name, params: { ...fitting, [param]: value } }
      // What no encoder of ours writes.
      wire.socket.write(`${JSON.stringify(request)}\n`)
      expectRefused(await wire.nextUnasked(), param, param)
    }
  }
  await wire.ok('ping')
})

test.each(table)('%s repeats no value in an error', async (name, command) => {
  using wire = await Wire.connect(daemon.socket)
  const oxd_id = await registerIssued(wire, op)
  const fitting: Params = exampleParams(command, meaningful)
  for (const [param, { schema }] of Object.entries(command.params)) {
    const value = marked(param, schema)
    if (value === undefined) continue
    for (const base of [fitting, required(command, fitting)]) {
      const params = { ...base, ...('oxd_id' in base && { oxd_id }), [param]: value }
      const { status, data } = await wire.call(name, params)
      if (status === 'error') expectNoValue(data, `${param}: ${data.error_description}`)
    }
  }
})

/** Values with which a call gets beyond the check of types. */
const meaningful = { authorization_redirect_uri: redirect_uri, op_host: 'http://op.invalid' }

function marked(param: string, schema: object): unknown {
  // Refused before anything is sent there.
  if (param === 'op_host') return `http://${MARKER}.invalid`
  const [, text] = misfitsOf(schema).find(([what]) => what.includes('too long')) ?? []
  if (typeof text === 'string') return MARKER
  if (Array.isArray(text)) return [MARKER]
  return undefined
}

function required({ params }: { params: object }, fitting: Params): Params {
  return Object.fromEntries(
    Object.entries(params).flatMap(([name, { required }]) =>
      required || name === 'op_host' ? [[name, fitting[name]]] : [],
    ),
  )
}

/** A reply without the number that every request has, nor the byte before it, which in msgpack is its length. */
function unnumbered(reply: Buffer): string {
  const text = reply.toString('latin1')
  expect(text).toMatch(REQUEST_ID)
  return text.replace(REQUEST_ID, '')
}
