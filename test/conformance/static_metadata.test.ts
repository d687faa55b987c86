/** OPs whose metadata the operator gives (P5), and the ways to set up an OP and a site at it (P43). */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BentOp, BentSite, type Members } from '../support/bent_op/index.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const redirect_uri = 'https://site.example/callback'
const client_secret = 'a secret of the operator'

/** Publishes its metadata to nobody. */
let op: BentOp
/** The same, and its keys neither. */
let silent: BentOp
let daemon: TestDaemon
let wire: Wire

const file = (name: string) => join(daemon.folder, `${name}.json`)

function write(name: string, metadata: Members | string): void {
  writeFileSync(file(name), typeof metadata === 'string' ? metadata : JSON.stringify(metadata))
}

beforeAll(async () => {
  op = await BentOp.start({ alg: 'ES256' })
  silent = await BentOp.start({ alg: 'ES256' })
  daemon = new TestDaemon({
    daemon: { op_timeout: 1 },
    sections: [
      `[op quiet]\nop_host = ${op.issuer}\nmetadata_file = {folder}/quiet.json`,
      `[op silent]\nop_host = ${silent.issuer}\nmetadata_file = {folder}/silent.json`,
    ].join('\n'),
  })
  write('quiet', `\uFEFF${JSON.stringify(op.metadata)}`)
  write('silent', { ...silent.metadata, jwks_uri: undefined, jwks: { keys: silent.keys } })
  await daemon.start()
  wire = await Wire.connect(daemon.socket)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
  await silent[Symbol.asyncDispose]()
})

function issued(at: BentOp): { client_id: string; client_secret: string } {
  const { client_id } = at.addClient({
    client_id: 'issued',
    client_secret,
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: [redirect_uri],
  })
  return { client_id, client_secret }
}

describe('P43 C1 C2 C3', () => {
  test('given metadata, registered client', async () => {
    const start = op.asked.length
    const site = await BentSite.register(wire, op)
    await site.accepts()
    expect(op.calls(start)).toEqual({ jwks: 1, registration: 1, token: 1, userinfo: 1 })
  })

  test('given metadata with its keys, given client', async () => {
    const site = await BentSite.register(wire, silent, issued(silent))
    await site.accepts()
    expect(silent.calls()).toEqual({ token: 1, userinfo: 1 })
  })

  test('fetched metadata, given client', async () => {
    await using other = await BentOp.start({ alg: 'ES256' })
    const site = await BentSite.register(wire, other, issued(other))
    await site.accepts()
    expect(other.calls()).toEqual({ discovery: 1, jwks: 1, token: 1, userinfo: 1 })
  })
})

test('P5 given metadata is what everybody is told', async () => {
  const { issuer, metadata } = await wire.ok('get_discovery', { op_host: silent.issuer })
  expect(issuer).toBe(silent.issuer)
  expect(metadata).toMatchObject({ token_endpoint: silent.address('token') })
  expect(metadata).not.toHaveProperty('jwks')
  const { jwks } = await wire.ok('get_jwks', { op_host: silent.issuer })
  expect(jwks).toEqual({ keys: silent.keys })
})

test('P5 keys that were fetched by given metadata are known after a restart, while the OP is down', async () => {
  const site = await BentSite.register(wire, op)
  await daemon.stop()
  await daemon.start()
  wire[Symbol.dispose]()
  wire = await Wire.connect(daemon.socket)
  const start = op.asked.length
  const { jwks } = await wire.ok('get_jwks', { op_host: op.issuer })
  expect(jwks).toEqual({ keys: [op.key.jwk] })
  expect(op.calls(start)).toEqual({})
  await new BentSite(wire, op, site.oxd_id).accepts()
})

test('P5 at a reload the file is read again; a bad one changes nothing', async () => {
  const reload = async (wanted: string) => {
    const before = daemon.log.length
    process.kill(daemon.pid, 'SIGHUP')
    await expect
      .poll(() =>
        daemon.log
          .slice(before)
          .map(({ msg }) => msg)
          .join(),
      )
      .toContain(wanted)
    return daemon.log.slice(before)
  }
  const told = async () => (await wire.ok('get_discovery', { op_host: op.issuer })).metadata
  write('quiet', { ...op.metadata, end_session_endpoint: `${op.issuer}/bye` })
  expect(JSON.stringify(await reload('reloaded'))).toContain('[op quiet] metadata_file')
  expect(await told()).toMatchObject({ end_session_endpoint: `${op.issuer}/bye` })
  write('quiet', { ...op.metadata, token_endpoint: 7 })
  expect(JSON.stringify(await reload('not reloaded'))).toContain('token_endpoint')
  expect(await told()).toMatchObject({ end_session_endpoint: `${op.issuer}/bye` })
  write('quiet', op.metadata)
  await reload('reloaded')
  expect(await told()).not.toHaveProperty('end_session_endpoint')
})

test('P5 given no more, the OP is asked again, whatever the file had said', async () => {
  await using other = await BentOp.start({ alg: 'ES256' })
  const section = `[op other]\nop_host = ${other.issuer}\n`
  await using one = new TestDaemon({
    sections: `${section}metadata_file = {folder}/other.json\n`,
  })
  const path = join(one.folder, 'other.json')
  writeFileSync(
    path,
    JSON.stringify({ ...other.metadata, end_session_endpoint: 'https://x.example' }),
  )
  await one.start()
  {
    using first = await Wire.connect(one.socket)
    await BentSite.register(first, other)
  }
  await one.stop()
  rmSync(path)
  await using two = new TestDaemon({
    daemon: { state_directory: join(one.folder, 'state') },
  })
  await two.start()
  using second = await Wire.connect(two.socket)
  const { metadata } = await second.ok('get_discovery', { op_host: other.issuer })
  expect(metadata).not.toHaveProperty('end_session_endpoint')
  expect(other.calls()).toMatchObject({ discovery: 1 })
})

test('P5 neither check-config nor a start takes a file that will not do', async () => {
  await using one = new TestDaemon({
    sections: `[op bad]\nop_host = ${op.issuer}\nmetadata_file = {folder}/op.json\n`,
  })
  const path = join(one.folder, 'op.json')
  writeFileSync(path, JSON.stringify({ ...op.metadata, jwks_uri: undefined }))
  const checked = await relyd(['check-config', '--config', one.config])
  expect(checked.status).not.toBe(0)
  expect(checked.stderr).toContain(`metadata_file ${path} is of no use`)
  await expect(one.start()).rejects.toThrow(/has no jwks_uri/)
  // Who asks a daemon that runs needs no such file.
  const { stderr } = await relyd(['status', '--config', one.config])
  expect(stderr).not.toContain('op.json')
  writeFileSync(path, JSON.stringify(op.metadata))
  const good = await relyd(['check-config', '--config', one.config])
  expect(good).toMatchObject({
    status: 0,
    stdout: expect.stringContaining(`metadata of ${op.issuer}`),
  })
})
