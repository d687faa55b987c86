/** get_authorization_url as oxd clients know it. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'
import { registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

let op: Op
let daemon: TestDaemon
let oxd_id: string

beforeAll(async () => {
  op = await startOp()
  daemon = await startOxdDaemon({
    daemon: { default_op: op.issuer },
    sections: '[listener plain]\naddress = unix:{folder}/plain.sock\nrealm = plain',
  })
  using wire = await Wire.connect(daemon.socket)
  oxd_id = await registerIssued(wire, op)
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

test('hd and custom_parameters travel to the OP', async () => {
  using client = await OxdWire.connect(daemon.socket)
  const data = await client.ok('get_authorization_url', {
    oxd_id,
    hd: 'example.com',
    custom_parameters: { theme: 'dark' },
    host: 'localhost',
    prompt: null,
  })
  expect(Object.keys(data)).toEqual(['authorization_url'])
  const { searchParams } = new URL(data.authorization_url)
  expect(Object.fromEntries(searchParams)).toMatchObject({ hd: 'example.com', theme: 'dark' })
  expect(searchParams.get('prompt')).toBeNull()
})

test('an oxd_id in a list, by which quotas and log would not know the site, is refused', async () => {
  using client = await OxdWire.connect(daemon.socket)
  const { details } = await client.refused('get_authorization_url', { oxd_id: [oxd_id] })
  expect(details).toMatchObject({ field: 'oxd_id' })
})

test('a realm that is not marked refuses oxd clients, in a frame that they can read', async () => {
  using client = await OxdWire.connect(join(daemon.folder, 'plain.sock'))
  expect(await client.refused('get_authorization_url', { oxd_id })).toMatchObject({
    error: 'unsupported_operation',
    error_description: expect.stringContaining('oxd_clients'),
  })
  await client.closed
})
