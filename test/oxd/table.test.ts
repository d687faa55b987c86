/** Every command of oxd, with all that its declaration forbids: generated, so that new commands join by themselves. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { exampleParams, MARKER } from '../support/declared.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { oxdMisfits, oxdTable } from '../support/oxd/oxd_declared.js'
import { type OxdReply, OxdWire } from '../support/oxd/oxd_wire.js'
import { registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOp()
  daemon = await startOxdDaemon({
    daemon: { default_op: op.issuer },
    sections:
      '[listener other]\naddress = unix:{folder}/other.sock\nrealm = other\n[realm other]\noxd_clients = 3.1',
  })
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

const site_table = oxdTable.filter(([, { params }]) => 'oxd_id' in params)

/** What clients send along with every command. */
const strays = {
  host: '127.0.0.1',
  port: 8099,
  https_extension: false,
  no_such_parameter: MARKER,
  // An own member, as JSON makes it.
  ...JSON.parse(`{"__proto__":{"oxd_id":"${MARKER}"},"constructor":"${MARKER}"}`),
}

function expectNoValue(data: unknown, what: string): void {
  const text = JSON.stringify(data)
  for (const value of [MARKER, '7654321']) expect(text, what).not.toContain(value)
}

/** A refusal as every client can read it, which names the parameter and repeats no value. */
function expectRefused({ status, data }: OxdReply, param: string, what: string): void {
  expect({ what, status, ...data }).toMatchObject({
    status: 'error',
    error: expect.stringMatching(/^[a-z_]+$/),
    error_description: expect.stringContaining(param),
  })
  expect(data.error, what).not.toBe('invalid_oxd_id')
  expectNoValue(data, what)
}

/** What does not tell one request from another. */
function unnumbered({ status, data }: OxdReply): object {
  const { details: { request_id: _, ...details } = {}, ...rest } = data ?? {}
  return { status, ...rest, details }
}

/** The same, without what differs between one site and another. */
function outcomeOf(reply: OxdReply): object {
  if (reply.status === 'error') return unnumbered(reply)
  return { status: 'ok', members: Object.keys(reply.data ?? {}).sort() }
}

async function expectOpen(wire: OxdWire): Promise<void> {
  expect(await wire.refused('test')).toMatchObject({ error: 'unsupported_operation' })
}

describe.each(site_table)('%s', (name, command) => {
  test('through another realm answers what an id that never was answers', async () => {
    using home = await Wire.connect(daemon.socket)
    using other = await OxdWire.connect(join(daemon.folder, 'other.sock'))
    const oxd_id = await registerIssued(home, op)
    const answer = async (one: string) =>
      unnumbered(await other.call(name, exampleParams(command, { oxd_id: one })))
    const foreign = await answer(oxd_id)
    expect(foreign).toMatchObject({ status: 'error' })
    expect(foreign).toEqual(await answer(randomUUID()))
    expect(JSON.stringify(foreign)).not.toContain(oxd_id)
    expect(await home.ok('get_site', { oxd_id })).toMatchObject({ oxd_id })
    await expectOpen(other)
  })
})

describe.each(oxdTable)('%s', (name, command) => {
  const fitting = exampleParams(command)

  test('refuses what no reading makes fit, by name, and goes on', async () => {
    using wire = await OxdWire.connect(daemon.socket)
    for (const [param, { schema, required }] of Object.entries(command.params)) {
      for (const [what, value] of oxdMisfits(schema)) {
        const reply = await wire.call(name, { ...fitting, [param]: value })
        expectRefused(reply, param, `${param}: ${what}`)
      }
      if (!required) continue
      const { [param]: _, ...without } = fitting
      expectRefused(await wire.call(name, without), param, `${param} missing`)
      for (const blank of [null, '', ' ']) {
        const reply = await wire.call(name, { ...without, [param]: blank })
        expectRefused(reply, param, `${param} is ${JSON.stringify(blank)}`)
      }
    }
    await expectOpen(wire)
  })

  test('ignores what it does not know, and nulls, and finds its site', async () => {
    using home = await Wire.connect(daemon.socket)
    using wire = await OxdWire.connect(daemon.socket)
    const entries = Object.entries(command.params)
    const nulls = entries.flatMap(([param, { required }]) => (required ? [] : [[param, null]]))
    const needed = entries.flatMap(([param, { required }]) =>
      required ? [[param, fitting[param]]] : [],
    )
    const answer = async (more: object) => {
      // One may be gone after the first answer.
      const site = 'oxd_id' in command.params && { oxd_id: await registerIssued(home, op) }
      const params = { ...more, ...Object.fromEntries(needed), ...site }
      return outcomeOf(await wire.call(name, params))
    }
    const bare = await answer({})
    expect(bare).not.toHaveProperty('error', 'invalid_oxd_id')
    expect(await answer({ ...Object.fromEntries(nulls), ...strays })).toEqual(bare)
    await expectOpen(wire)
  })

  test('and its other names are one, in any case of letters', async () => {
    using wire = await OxdWire.connect(daemon.socket)
    const answer = unnumbered(await wire.call(name, fitting))
    for (const other of [name.toUpperCase(), ...(command.names ?? [])]) {
      expect(unnumbered(await wire.call(other, fitting)), other).toEqual(answer)
    }
  })
})

test('nothing of this was unforeseen', () => {
  expect(daemon.log.filter(({ msg }) => msg === 'failed')).toEqual([])
})
