/** Every client library of oxD gets its replies, read as it reads. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { oxdClients } from '../support/oxd/clients/index.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
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

describe.each(oxdClients)('%s', (_, connect) => {
  test('two commands', async () => {
    const client = connect(daemon.port)
    for (let i = 0; i < 2; i += 1) {
      expect(await client.request('get_authorization_url', { oxd_id })).toMatchObject({
        status: 'ok',
        data: { authorization_url: expect.stringContaining('response_type=code') },
      })
    }
    client.close()
  })
})
