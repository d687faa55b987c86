/** Every client library of oxD gets its replies, sent and read as it sends and reads. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { oxdClients } from '../support/oxd/clients/index.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'
import { issuedSite } from '../support/site.js'
import { Wire } from '../support/wire.js'

/** Numbers of four digits that go into each reply, so that it is longer than a read of Python's. */
const NUMBERS = 200

let op: Op
let daemon: TestDaemon
let oxd_id: string
/** The numbers around the length of the reply that tells them: it has its own length in it. */
let lengths: string

beforeAll(async () => {
  op = await startOp()
  daemon = await startOxdDaemon({ daemon: { default_op: op.issuer } })
  using wire = await Wire.connect(daemon.socket)
  using oxd = await OxdWire.connect(daemon.socket)
  const ask = async (digits: string) => {
    const site = { ...issuedSite(op), scope: ['openid', digits] }
    oxd_id = (await wire.ok('register_site', site)).oxd_id
    return JSON.stringify(await oxd.call('get_authorization_url', { oxd_id })).length
  }
  const length = await ask('0'.repeat(4 * NUMBERS))
  lengths = Array.from({ length: NUMBERS }, (_, i) => length - NUMBERS / 2 + i).join('')
  expect(await ask(lengths)).toBe(length)
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

describe.each(oxdClients)('%s', (_, connect) => {
  test('is understood, and understands', async () => {
    const client = connect(daemon.port)
    // The same twice: each is a login of its own.
    const states = new Set<unknown>()
    for (let times = 0; times < 2; times += 1) {
      const { status, data } = await client.request('get_authorization_url', { oxd_id })
      expect(status).toBe('ok')
      const { searchParams } = new URL(data.authorization_url)
      expect(searchParams.get('scope')).toBe(`openid ${lengths}`)
      states.add(searchParams.get('state'))
    }
    expect(states.size).toBe(2)

    // Sent in characters that no two libraries count alike, and told again.
    const misfit = 'ключ-漢字-🗝'
    const params = { oxd_id, custom_parameters: { [misfit]: {} } }
    const { status, data } = await client.request('GET_AUTHORIZATION_URL', params)
    expect([status, data.error]).toEqual(['error', 'invalid_request'])
    expect(data.details.field).toBe(`custom_parameters.${misfit}`)

    expect(await client.request('no_such_command')).toMatchObject({
      status: 'error',
      data: { error: 'unsupported_operation' },
    })
    client.close()
  })
})
