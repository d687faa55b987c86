/** The admin socket and the commands of the operator. */
import { statSync } from 'node:fs'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { adminCommands } from '../../daemon/src/admin/commands/index.js'
import { BentOp } from '../support/bent_op/index.js'
import { relyd } from '../support/cli.js'
import { closed } from '../support/closed.js'
import { TestDaemon } from '../support/daemon.js'
import { readRecord } from '../support/record.js'
import { Wire } from '../support/wire.js'

let daemon: TestDaemon

beforeAll(async () => {
  daemon = await TestDaemon.start()
})

afterAll(() => daemon[Symbol.asyncDispose]())

test('S45 the socket is for its owner alone', () => {
  expect(statSync(daemon.admin_socket).mode & 0o777).toBe(0o600)
})

test('status says what the daemon is, listens on and holds', async () => {
  using wire = await Wire.connect(daemon.admin_socket)
  const status = await wire.ok('status')
  expect(status).toMatchObject({
    pid: daemon.pid,
    config: daemon.config,
    schema: expect.any(Number),
  })
  expect(status['listeners']).toEqual([
    { name: 'site', address: `unix:${daemon.socket}`, realms: ['default'], connections: 0 },
    { name: 'tcp', address: `tcp:127.0.0.1:${daemon.port}`, realms: ['default'], connections: 0 },
  ])
  const told = await relyd(['status', '--config', daemon.config])
  expect(told.stdout).toContain(`unix:${daemon.socket}`)
  expect(told.status).toBe(0)
})

test('websites have no admin commands, and the operator none of theirs', async () => {
  using site = await Wire.connect(daemon.socket)
  using admin = await Wire.connect(daemon.admin_socket)
  expect(await site.refused('status')).toMatchObject({ error: 'unsupported_operation' })
  expect(await admin.refused('ping')).toMatchObject({ error: 'unsupported_operation' })
})

test('S43 what the operator’s commands are sent amiss is refused, and harms nobody', async () => {
  using wire = await Wire.connect(daemon.admin_socket)
  const anything = [7, '', 'x'.repeat(10_000), [], {}, -1, 1e300]
  for (const [name, { params }] of Object.entries(adminCommands)) {
    for (const value of anything) {
      const amiss = Object.fromEntries(Object.keys(params).map((param) => [param, value]))
      const reply = await wire.call(name, { ...amiss, nobody_knows_this: value })
      expect(reply.status).toBe('error')
      expect(reply.data.error).not.toBe('internal_error')
    }
  }
  for (const bytes of [
    '{"id":1,"command"\n',
    'GET / HTTP/9.9\r\n\r\n',
    '\u0000',
    '}'.repeat(1000),
  ]) {
    const stranger = connect(daemon.admin_socket)
    stranger.resume().end(bytes)
    await closed(stranger)
  }
  expect(await wire.ok('status')).toMatchObject({ pid: daemon.pid })
})

test('without a daemon, the command line says so with an exit code of its own', async () => {
  const other = new TestDaemon()
  await using _ = other
  const { status, stderr } = await relyd(['status', '--config', other.config])
  expect(stderr).toContain(`nobody listens on ${other.admin_socket}`)
  expect(status).toBe(3)
})

test("a site's whole life", async () => {
  await using op = await BentOp.start()
  using wire = await Wire.connect(daemon.admin_socket)
  const redirect_uris = ['https://site.example/callback']
  const client = { client_id: 'issued', client_secret: 'marker of the operator' }
  const given = { name: 'shop', op_host: op.issuer, redirect_uris, ...client }
  const { oxd_id, made } = await wire.ok('add_site', given)
  expect(made).toBe(true)
  const { sites } = await wire.ok('list_sites')
  expect(sites).toMatchObject([{ oxd_id, name: 'shop', client_id: 'issued', sessions: 0 }])
  const renamed = await wire.ok('update_site', { site: 'shop', name: 'store' })
  expect(await wire.ok('show_site', { site: oxd_id.slice(0, 8) })).toEqual(renamed)
  const exported = await wire.ok('export_sites')
  expect(exported).toMatchObject({ sites: [{ oxd_id, name: 'store' }], left_out: 0 })
  const imported = { ...exported.sites[0], client_secret: client.client_secret }
  expect(await wire.ok('import_sites', { sites: [imported], dry_run: true })).toMatchObject({
    sites: [{ name: 'store', outcome: 'unchanged' }],
  })
  expect(await wire.ok('list_sessions', { site: 'store' })).toEqual({ sessions: [] })
  const nobody = { ended: 0, tokens_revoked: 0 }
  expect(await wire.ok('end_sessions', { site: 'store' })).toEqual(nobody)
  expect(await wire.ok('remove_site', { site: 'store' })).toMatchObject({ oxd_id, sessions: 0 })
  expect(await wire.ok('list_sites')).toEqual({ sites: [] })
})

test('keys that relyd made are replaced when the operator says so', async () => {
  await using op = await BentOp.start({
    metadata: {
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: ['ES256'],
    },
  })
  using wire = await Wire.connect(daemon.admin_socket)
  const { client_id, jwks } = await wire.ok('add_site', {
    name: 'keyed',
    op_host: op.issuer,
    redirect_uris: ['https://keyed.example/callback'],
  })
  const rotate = ['sites', 'rotate-keys', 'keyed', '--config', daemon.config]
  const { status, stdout } = await relyd(rotate)
  expect(status).toBe(0)
  expect(stdout).toContain('The site keyed of the realm default has new keys.')
  expect(stdout).toContain(`${op.issuer} was told of them`)
  const [kid, old] = (op.clients.get(client_id)?.jwks?.keys ?? []).map((key) => key['kid'])
  expect(stdout).toContain(kid)
  expect(old).toBe(jwks.keys[0].kid)
  await wire.ok('remove_site', { site: 'keyed' })
})

test('every admin command was hit', () => {
  const hit = readRecord(inject('record')).flatMap(({ command, outcome }) =>
    outcome === 'ok' ? command : [],
  )
  const names = Object.keys(adminCommands).map((name) => `admin/${name}`)
  expect([...new Set(hit)]).toEqual(expect.arrayContaining(names))
})
