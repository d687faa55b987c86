/** One cfg makes one registration, however many processes start with it, and whoever of them dies. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const SITE = fileURLToPath(new URL('../peers/site_process.js', import.meta.url))
const PROCESSES = 20

let op: Op
let daemon: TestDaemon
let cfg: string
let registrations: number
/** Settles when the OP is asked to register, and holds the answer back while `hold` is pending. */
let asked: Promise<void>
let hold: Promise<void>

beforeEach(async () => {
  registrations = 0
  hold = Promise.resolve()
  let ask = () => {}
  asked = new Promise((resolve) => {
    ask = resolve
  })
  const registration = {
    enabled: true,
    async secretFactory() {
      registrations += 1
      ask()
      await hold
      return randomBytes(32).toString('base64url')
    },
  }
  op = await startOp({ configuration: { features: { registration } } })
  daemon = await TestDaemon.start()
  cfg = join(daemon.folder, 'site.cfg')
  writeFileSync(
    cfg,
    `# a site\n[oxd]\nsocket = ${daemon.socket}\nid =\n\n[client]\nop_host = ${op.issuer}\nauthorization_redirect_uri = http://site.example/callback\n`,
    { mode: 0o640 },
  )
})

afterEach(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

/** A website's process: asks for one authorization URL and prints its client_id. */
function startSite(): ChildProcess {
  return spawn(process.execPath, [SITE, cfg], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function outputOf(site: ChildProcess): Promise<string> {
  const [output] = await Promise.all([
    text(site.stdout as NodeJS.ReadableStream),
    once(site, 'exit'),
  ])
  return output
}

async function startAll(): Promise<Set<string>> {
  return new Set(await Promise.all(Array.from({ length: PROCESSES }, () => outputOf(startSite()))))
}

test(`${PROCESSES} processes that start with one empty cfg make one registration`, async () => {
  const client_ids = await startAll()
  expect(client_ids.size).toBe(1)
  expect([...client_ids][0]).toMatch(/^client_id=.+/)
  expect(registrations).toBe(1)
  const written = readFileSync(cfg, 'utf8')
  expect(written).toMatch(/^# a site\n\[oxd\]\nsocket = .*\nid = [0-9a-f-]{36}\n/)
})

test('also when the first of them is killed between its request and the write-back', async () => {
  let release = () => {}
  hold = new Promise((resolve) => {
    release = resolve
  })
  const first = startSite()
  await asked
  first.kill('SIGKILL')
  await once(first, 'exit')
  expect(readFileSync(cfg, 'utf8')).toMatch(/^id =$/m)
  const others = startAll()
  release()
  expect((await others).size).toBe(1)
  expect(registrations).toBe(1)
})

test('a key answers the same site again, and refuses other parameters', async () => {
  using wire = await Wire.connect(daemon.socket)
  const params = {
    op_host: op.issuer,
    authorization_redirect_uri: 'http://site.example/callback',
    scope: ['openid', 'email'],
    idempotency_key: 'k'.repeat(43),
  }
  const sites = await Promise.all([
    wire.call('register_site', params),
    wire.call('register_site', params),
  ])
  expect(sites.map(({ status, data }) => (status === 'ok' ? 'ok' : data.error)).sort()).toEqual([
    'ok',
    'registration_in_progress',
  ])
  const { oxd_id } = await wire.ok('register_site', params)
  expect(sites.some(({ data }) => data.oxd_id === oxd_id)).toBe(true)
  expect(registrations).toBe(1)
  const other = { ...params, scope: ['openid'] }
  expect(await wire.refused('register_site', other)).toMatchObject({
    error: 'idempotency_key_reused',
    details: { field: 'idempotency_key' },
  })
  await wire.ok('remove_site', { oxd_id })
  expect((await wire.ok('register_site', params)).oxd_id).not.toBe(oxd_id)
})
