/** UMA commands of oxd clients, as long as no UMA is served: good parameters find none, others their own codes. */
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
let client: OxdWire
let oxd_id: string

beforeAll(async () => {
  op = await startOp()
  daemon = await startOxdDaemon({
    daemon: { default_op: op.issuer, log_level: 'debug' },
    sections:
      '[listener older]\naddress = unix:{folder}/older.sock\nrealm = older\n[realm older]\noxd_clients = 3.0',
  })
  using wire = await Wire.connect(daemon.socket)
  oxd_id = await registerIssued(wire, op)
  client = await OxdWire.connect(daemon.socket)
})

afterAll(async () => {
  client[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

const resources = [
  { path: '/photos', conditions: [{ httpMethods: ['GET'], scopes: ['view'], ticketScopes: null }] },
]
const ticket = '016f84e8-f9b9-11e0-bd6f-0021cc6004de'
const back = 'https://rp.example/claims'

const good: [command: string, params: object][] = [
  ['uma_rs_protect', { resources, overwrite: true }],
  ['uma_rs_protect', { resources: JSON.stringify(resources) }],
  ['uma_rs_check_access', { rpt: null, path: '/photos', http_method: 'GET' }],
  ['uma_rs_check_access', { rpt: '', path: '/photos', http_method: 'get' }],
  ['uma_rp_get_claims_gathering_url', { ticket, claims_redirect_uri: [back] }],
  ['introspect_rpt', { rpt: 'an-rpt' }],
]

test.each(good)('%s finds no UMA', async (command, params) => {
  expect(await client.refused(command, { oxd_id, ...params })).toMatchObject({
    error: 'no_uma_discovery_response',
    error_description: expect.stringContaining('does not serve UMA'),
  })
})

test.each<[command: string, params: object, code: string]>([
  ['uma_rs_protect', {}, 'invalid_uma_request'],
  ['uma_rs_protect', { resources: [] }, 'invalid_uma_request'],
  ['uma_rs_protect', { resources: '[]' }, 'invalid_uma_request'],
  ['uma_rs_protect', { resources: 'photos' }, 'invalid_request'],
  ['uma_rs_protect', { resources: [...resources, ...resources] }, 'http_method_not_unique'],
  ['uma_rs_check_access', { http_method: 'GET' }, 'invalid_path_parameter'],
  ['uma_rs_check_access', { path: '/photos' }, 'invalid_http_method'],
  ['uma_rs_check_access', { path: '/photos', http_method: 'GET /' }, 'invalid_http_method'],
  ['uma_rp_get_claims_gathering_url', { claims_redirect_uri: back }, 'invalid_ticket_parameter'],
  ['uma_rp_get_claims_gathering_url', { ticket }, 'invalid_claims_redirect_uri_parameter'],
  [
    'uma_rp_get_claims_gathering_url',
    { ticket, claims_redirect_uri: 'javascript:alert(1)' },
    'invalid_claims_redirect_uri_parameter',
  ],
  ['uma_rp_authorize_rpt', { ticket }, 'invalid_rpt_parameter'],
  ['uma_rp_authorize_rpt', { rpt: 'an-rpt' }, 'invalid_ticket_parameter'],
  ['uma_rp_get_gat', {}, 'invalid_request'],
  ['introspect_rpt', { rpt: '' }, 'invalid_rpt_parameter'],
])('%s with %j: %s', async (command, params, code) => {
  expect(await client.refused(command, { oxd_id, ...params })).toMatchObject({ error: code })
})

test('JSON that has room in a frame, and none on the stack of who looks into it, fits nothing', async () => {
  const deep = '['.repeat(4800) + ']'.repeat(4800)
  const resources = `[{"path":${deep}}]`
  const refused = await client.refused('uma_rs_protect', { oxd_id, resources })
  expect(refused).toMatchObject({
    error: 'invalid_request',
    details: { field: expect.stringMatching(/^resources/) },
  })
})

test('nobody hears of a path that is too long what clients take for "not protected"', async () => {
  const path = `/${'a'.repeat(5000)}`
  const params = { oxd_id, path, http_method: 'GET' }
  expect(await client.refused('uma_rs_check_access', params)).toMatchObject({
    error: 'internal_error',
    details: { reason: 'invalid_request', field: 'path' },
  })
})

test('the site is looked up before its parameters are judged', async () => {
  const unknown = 'e1ec8c9c-2a43-4e34-9a3d-4f6c1a0c7d11'
  const { error } = await client.refused('uma_rs_protect', { oxd_id: unknown })
  expect(error).not.toBe('invalid_uma_request')
})

test('trap 16: every failure to get an RPT is one that oxdpython notices', async () => {
  for (const [params, reason] of [
    [{ ticket, scope: ['view'], state: 'a-state' }, 'no_uma_discovery_response'],
    [{ ticket: null }, 'invalid_ticket_parameter'],
    [{ ticket: { no: 'text' } }, 'invalid_request'],
  ] as const) {
    expect(await client.refused('uma_rp_get_rpt', { oxd_id, ...params })).toMatchObject({
      error: 'internal_error',
      details: { reason },
    })
  }
})

test('trap 16: nor does it notice a site that is not there by another code', async () => {
  const unknown = 'e1ec8c9c-2a43-4e34-9a3d-4f6c1a0c7d11'
  for (const [oxd_id, reason] of [
    [unknown, 'invalid_oxd_id'],
    ['', 'invalid_request'],
  ] as const) {
    expect(await client.refused('uma_rp_get_rpt', { oxd_id, ticket })).toMatchObject({
      error: 'internal_error',
      details: { reason },
    })
  }
})

test('trap 19: UMA 1 is refused in a frame, in each of its forms and generations', async () => {
  const older = join(daemon.folder, 'older.sock')
  using wire = await Wire.connect(older)
  using uma1 = await OxdWire.connect(older)
  const site = { oxd_id: await registerIssued(wire, op) }
  const refused = async (client: OxdWire, command: string, params: object) =>
    (await client.refused(command, params)).error
  expect(await refused(uma1, 'uma_rp_get_rpt', site)).toBe('internal_error')
  for (const [command, params, code] of [
    ['uma_rp_get_rpt', { force_new: false }, 'internal_error'],
    ['uma_rp_get_gat', { scopes: ['view'] }, 'unsupported_operation'],
    ['uma_rp_authorize_rpt', { rpt: 'an-rpt', ticket }, 'unsupported_operation'],
  ] as const) {
    expect(await refused(uma1, command, { ...site, ...params })).toBe(code)
    expect(await refused(client, command, { oxd_id, ...params })).toBe(code)
  }
})

test('RPTs, tickets and claims stay out of the log', async () => {
  const secret = 'hunter2-hunter2-hunter2'
  for (const name of ['ticket', 'rpt', 'pct', 'claim_token', 'state']) {
    await client.refused('uma_rp_get_rpt', { oxd_id, [name]: secret })
  }
  await client.refused('introspect_rpt', { oxd_id, rpt: secret })
  const check = { oxd_id, rpt: secret, path: '/', http_method: 'GET' }
  const { details } = await client.refused('uma_rs_check_access', check)
  const log = () => JSON.stringify(daemon.log)
  await expect.poll(log).toContain(details.request_id)
  expect(log()).not.toContain('hunter2')
})
