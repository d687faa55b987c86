/** What was acknowledged survives SIGKILL at any instant: states are taken exactly once, registrations stay. */
import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { declined, registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

const KILLS = 200
const CONNECTIONS = 4
const IN_FLIGHT = 64

let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start({ record: false })
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

/** What clients know when the daemon is gone. */
interface Known {
  /** State to binding: acknowledged, not sent back. */
  waiting: Map<string, string>
  /** Sent back, and no answer came. */
  sent: Map<string, string>
  /** Sent back, and answered. */
  taken: Map<string, string>
  sites: string[]
}

async function loadUntilKilled(oxd_id: string, known: Known): Promise<void> {
  const wires = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => Wire.connect(daemon.socket, 'msgpack')),
  )
  const work = Array.from({ length: IN_FLIGHT }, async (_, worker) => {
    const wire = wires[worker % CONNECTIONS] as Wire
    for (let turn = 0; ; turn += 1) {
      const { state, binding } = await wire.ok('get_authorization_url', { oxd_id })
      known.waiting.set(state, binding)
      if (turn % 3 === 1) {
        known.waiting.delete(state)
        known.sent.set(state, binding)
        await wire.refused('get_tokens_by_callback', back(oxd_id, state, binding))
        known.sent.delete(state)
        known.taken.set(state, binding)
      }
      if (worker === 0) known.sites.push(await registerIssued(wire, op))
    }
  })
  setTimeout(() => daemon.signal('SIGKILL'), randomInt(5, 50))
  const ends = await Promise.allSettled(work)
  expect(ends.map(({ status }) => status)).toEqual(ends.map(() => 'rejected'))
}

function back(oxd_id: string, state: string, binding: string) {
  return { oxd_id, callback: declined(op, state), binding }
}

async function outcomes(
  wire: Wire,
  oxd_id: string,
  states: Map<string, string>,
): Promise<string[]> {
  return Promise.all(
    [...states].map(async ([state, binding]) => {
      const { error } = await wire.refused('get_tokens_by_callback', back(oxd_id, state, binding))
      return error
    }),
  )
}

test(`after each of ${KILLS} kills, acknowledged states are taken exactly once and registrations are there`, async () => {
  using setup = await Wire.connect(daemon.socket)
  const oxd_id = await registerIssued(setup, op)
  let checked = 0
  for (let kill = 0; kill < KILLS; kill += 1) {
    const known: Known = { waiting: new Map(), sent: new Map(), taken: new Map(), sites: [] }
    await loadUntilKilled(oxd_id, known)
    await daemon.start()
    using wire = await Wire.connect(daemon.socket, 'msgpack')
    expect(new Set(await outcomes(wire, oxd_id, known.taken))).not.toContain('op_error')
    const first = await outcomes(wire, oxd_id, known.waiting)
    expect(first.filter((error) => error !== 'op_error')).toEqual([])
    // Whether the kill came before or after their commit, nobody knows; a second time never works.
    await outcomes(wire, oxd_id, known.sent)
    for (const states of [known.waiting, known.sent]) {
      const again = await outcomes(wire, oxd_id, states)
      expect(again.filter((error) => error !== 'invalid_state')).toEqual([])
    }
    for (const site of known.sites) {
      expect(await wire.ok('get_site', { oxd_id: site })).toMatchObject({ client_id: 'issued' })
    }
    checked += known.waiting.size + known.taken.size
  }
  expect(checked).toBeGreaterThan(KILLS)
}, 280_000)
