/** Hundreds of thousands of frames of oxd, right and nearly right, leave the daemon as it was. Seeded: FC_SEED=N looks elsewhere. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'
import { runOxdFuzz } from '../support/oxd/run_oxd_fuzz.js'
import { openDescriptors } from '../support/process.js'
import { registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

/** Over one connection. */
const COMMANDS = 200_000

/** One in so many begins a login; others are refused, each in its way. */
const LOGINS = 20

/** MiB that the daemon may have grown by; a leak of 64 bytes a command takes 12. */
const GROWTH = 8

/** Of 200 frames each. */
const CONNECTIONS = 1000

let op: Op
let daemon: TestDaemon
let oxd_id: string

beforeAll(async () => {
  op = await startOp()
  daemon = await startOxdDaemon({
    record: false,
    memory: true,
    daemon: { default_op: op.issuer },
  })
  using wire = await Wire.connect(daemon.socket)
  oxd_id = await registerIssued(wire, op)
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

test(`${COMMANDS} commands over one connection, and it is as it was`, {
  timeout: 300_000,
}, async () => {
  using client = await OxdWire.connect(daemon.port)
  const outcomes = new Map<string, number>()
  const run = async (from: number, to: number) => {
    for (let i = from; i < to; i += 1) {
      const bytes = frame(i)
      // As PHP, one in ten.
      client.socket.write(i % 10 === 0 ? bytes.repeat(2) : bytes)
      const { status, data } = await client.next()
      const outcome = status === 'ok' ? 'ok' : data.error
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
  }
  // Caches are full, and code is compiled, before it is weighed.
  const before = COMMANDS / 10
  await run(0, before)
  const kept = await daemon.keptMib()
  await run(before, COMMANDS)
  await daemon.expectKept(kept, GROWTH)
  expect(outcomes.get('ok')).toBe(COMMANDS / LOGINS)
  expect([...outcomes.values()].reduce((sum, n) => sum + n, 0)).toBe(COMMANDS)
  expect(outcomes.size).toBeGreaterThanOrEqual(4)
})

test(`${CONNECTIONS * 200} frames of any length, split and prefix, and it is as it was`, {
  timeout: 300_000,
}, async () => {
  const { pid } = daemon
  const descriptors = openDescriptors(pid)
  const kept = await daemon.keptMib()
  await runOxdFuzz(daemon.socket, CONNECTIONS, oxd_id)
  using client = await OxdWire.connect(daemon.socket)
  await client.ok('get_authorization_url', { oxd_id })
  client[Symbol.dispose]()
  expect(daemon.pid).toBe(pid)
  expect(daemon.log.filter(({ level }) => level >= 50)).toEqual([])
  const open = () => openDescriptors(pid)
  await expect.poll(open, { timeout: 15_000, interval: 20 }).toBeLessThanOrEqual(descriptors)
  await daemon.expectKept(kept, GROWTH)
})

/** Of a request as some client writes it. */
function frame(i: number): string {
  const body = (command: string, params: unknown) => JSON.stringify({ command, params })
  const text =
    i % LOGINS === 0
      ? body('get_authorization_url', { oxd_id, prompt: null, host: 'localhost' })
      : [
          body('get_authorization_url', { oxd_id: `nobody ${i}` }),
          body(`none ${i}`, { some: 'ключ 🗝' }),
          body('get_authorization_url', { oxd_id, custom_parameters: { [`ключ ${i}`]: {} } }),
          body('get_authorization_url', null),
          `{"broken ${i}`,
        ][i % 5]
  const length = (i % 2 === 0 ? Buffer.byteLength(text as string) : text?.length) as number
  return `${i % 3 === 0 ? `0${length}` : String(length).padStart(4, '0')}${text}`
}
