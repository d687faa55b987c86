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

test('login_hint and max_age may be among custom_parameters, and nothing that the protocol sets', async () => {
  using client = await OxdWire.connect(daemon.socket)
  const begin = (custom_parameters: object) =>
    client.call('get_authorization_url', { oxd_id, custom_parameters })
  const { data } = await begin({ login_hint: 'alice', max_age: 60, theme: 'dark' })
  expect(Object.fromEntries(new URL(data.authorization_url).searchParams)).toMatchObject({
    login_hint: 'alice',
    max_age: '60',
    theme: 'dark',
  })
  for (const custom of [
    { max_age: '-1' },
    { redirect_uri: 'https://evil.example' },
    { state: 'x' },
  ]) {
    expect(await begin(custom)).toMatchObject({
      status: 'error',
      data: { details: { field: `custom_parameters.${Object.keys(custom)[0]}` } },
    })
  }
})

test('a realm that is not marked refuses oxd clients, in a frame that they can read', async () => {
  using client = await OxdWire.connect(join(daemon.folder, 'plain.sock'))
  expect(await client.refused('get_authorization_url', { oxd_id })).toMatchObject({
    error: 'unsupported_operation',
    error_description: expect.stringContaining('oxd_clients'),
  })
  await client.closed
})
