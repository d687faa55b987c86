/** Every client library of oxD gets its replies, sent and read as it sends and reads. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { oxdClients } from '../support/oxd/clients/index.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { issuedSite } from '../support/site.js'
import { Wire } from '../support/wire.js'

/** Makes replies longer than a read of Python's, and brings their own length, whatever it is, into them. */
const LENGTHS = Array.from({ length: 200 }, (_, i) => 1150 + i).join('')

let op: Op
let daemon: TestDaemon
let oxd_id: string

beforeAll(async () => {
  op = await startOp()
  daemon = await startOxdDaemon({ daemon: { default_op: op.issuer } })
  using wire = await Wire.connect(daemon.socket)
  const site = { ...issuedSite(op), scope: ['openid', LENGTHS] }
  oxd_id = (await wire.ok('register_site', site)).oxd_id
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
      expect(searchParams.get('scope')).toBe(`openid ${LENGTHS}`)
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
