/** Thousands of nearly right frames of oxd, cut anywhere, are answered one by one. Long in test/interop. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'
import { runOxdFuzz } from '../support/oxd/run_oxd_fuzz.js'
import { registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

let op: Op
let daemon: TestDaemon
let oxd_id: string

beforeAll(async () => {
  op = await startOp()
  daemon = await startOxdDaemon({ daemon: { default_op: op.issuer } })
  using wire = await Wire.connect(daemon.socket)
  oxd_id = await registerIssued(wire, op)
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

test('trap 5: lengths, splits and prefixes, and the daemon goes on serving', async () => {
  await runOxdFuzz(daemon.socket, 15, oxd_id)
  using client = await OxdWire.connect(daemon.socket)
  await client.ok('get_authorization_url', { oxd_id })
  expect(daemon.log.filter(({ level }) => level >= 50)).toEqual([])
})
