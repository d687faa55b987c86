/** What /metrics says of a daemon at work, read by a parser of others, and what it must never say. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { metrics } from '../../daemon/src/metrics/table.js'
import { openKept } from '../../daemon/src/store/kept_database.js'
import { BentOp, BentSite, reset } from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { parsedByReferee, Scrape } from '../support/scrape.js'
import { Wire } from '../support/wire.js'

const docs = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')

let daemon: TestDaemon
let op: BentOp
let wire: Wire

beforeAll(async () => {
  daemon = await TestDaemon.start({
    sections: '[realm default]\nregistrations_per_minute = 100000\npending_logins_per_site = 3\n',
  })
  op = await BentOp.start()
  wire = await Wire.connect(daemon.socket)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

const scrape = () => Scrape.of(daemon.admin_socket)

test('every metric is documented, every documented one is there, with its type', async () => {
  const { types } = await scrape()
  const documented = [...docs.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)]
  expect(types).toEqual(Object.fromEntries(documented.map(([, name, type]) => [name, type])))
})

function expectDeclaredLabels({ samples }: Scrape): void {
  for (const [name, labels] of samples) {
    const spec = metrics[name.replace(/_(bucket|sum|count)$/, '') as keyof typeof metrics]
    if (!spec) continue
    const { le: _, ...others } = labels
    expect([name, Object.keys(others)]).toEqual([name, [...spec.labels]])
  }
}

test("Prometheus' own Python client reads what these tests read", async () => {
  await BentSite.register(wire, op)
  const { text, types, samples } = await scrape()
  const parsed = parsedByReferee(text)
  if (!parsed) return
  // It calls a counter without its suffix.
  const names = Object.entries(types).map(([name, type]) => [
    type === 'counter' ? name.replace(/_total$/, '') : name,
    type,
  ])
  expect(parsed.types).toEqual(Object.fromEntries(names))
  expect(parsed.samples).toEqual(samples)
})

test('a login, a refresh, a failed call and a refusal each move what counts them, and nothing else', async () => {
  const before = await scrape()
  const asked = op.asked.length
  const site = await BentSite.register(wire, op, { scope: ['openid', 'offline_access'] })
  const { oxd_id } = site
  await wire.ok('subscribe', { oxd_id })
  const { session_id, access_token } = await site.accepts()
  await wire.ok('get_access_token', { oxd_id, session_id, rejected_access_token: access_token })
  const failed = await site.attempt({ bends: { token: () => reset } })
  expect(failed.data.error).toBe('op_unreachable')
  await wire.refused('get_site', { oxd_id: 'nobody' })
  await wire.refused('nonsense')
  wire.socket.write('{"id":1}\n')
  expect((await wire.nextUnasked()).data.error).toBe('invalid_frame')
  // The third of three, and one more.
  for (let pending = 0; pending < 3; pending += 1)
    await wire.ok('get_authorization_url', { oxd_id })
  await wire.refused('get_authorization_url', { oxd_id })
  const after = await scrape()
  expectDeclaredLabels(after)

  const moved = (name: string, labels = {}) =>
    after.value(name, labels) - before.value(name, labels)
  const host = new URL(op.issuer).host
  const commands = (command: string, outcome: string) =>
    moved('relyd_commands_total', { command, realm: 'default', outcome })
  expect({
    logins: commands('get_tokens_by_callback', 'ok'),
    failed: commands('get_tokens_by_callback', 'op_unreachable'),
    unknown_site: commands('get_site', 'invalid_oxd_id'),
    unknown: commands('unknown', 'unsupported_operation'),
    timed: moved('relyd_command_duration_seconds_count', { command: 'get_tokens_by_callback' }),
    broken: moved('relyd_frames_refused_total', { realm: 'default', outcome: 'invalid_frame' }),
    over: moved('relyd_quota_refusals_total', {
      realm: 'default',
      option: 'pending_logins_per_site',
    }),
    refreshes: moved('relyd_refreshes_total', { outcome: 'ok' }),
    op_failed: moved('relyd_op_calls_total', { op: host, outcome: 'op_unreachable' }),
    subscribers: moved('relyd_subscribers'),
    sites: moved('relyd_sites', { realm: 'default' }),
    sessions: moved('relyd_sessions', { realm: 'default' }),
    pending: moved('relyd_pending_logins', { realm: 'default' }),
  }).toEqual({
    logins: 1,
    failed: 1,
    unknown_site: 1,
    unknown: 1,
    timed: 2,
    broken: 1,
    over: 1,
    refreshes: 1,
    op_failed: 1,
    subscribers: 1,
    sites: 1,
    sessions: 1,
    pending: 3,
  })
  const calls = op.asked.length - asked
  expect(calls).toBeGreaterThan(4)
  expect(moved('relyd_op_calls_total', { op: host, outcome: 'ok' })).toBe(calls - 1)
  expect(moved('relyd_op_call_duration_seconds_count', { op: host })).toBe(calls)
  expect(moved('relyd_store_commits_total', { outcome: 'ok' })).toBeGreaterThan(5)
  expect(moved('relyd_store_commit_duration_seconds_count')).toBeGreaterThan(5)
  expect(moved('relyd_store_writes_total')).toBeGreaterThanOrEqual(
    moved('relyd_store_commits_total'),
  )
  expect(moved('relyd_store_bytes')).toBeGreaterThan(500)
  expect(after.value('relyd_op_documents_age_seconds', { op: host })).toBeLessThan(60)
  expect(after.value('relyd_connections', { listener: 'site' })).toBe(1)
  expect(moved('relyd_connections_total', { listener: 'admin' })).toBe(1)
  expect(after.value('relyd_key_age_seconds')).toBeLessThan(60)
  expect(after.value('relyd_keys')).toBe(1)

  await wire.ok('end_session', { oxd_id, session_id })
  expect((await scrape()).value('relyd_events_total', { event: 'logout' })).toBe(1)
})

test('the time of an operator is told apart from that of a site', async () => {
  using admin = await Wire.connect(daemon.admin_socket)
  const times = async () => {
    const now = await scrape()
    return ['remove_site', 'admin/remove_site'].map((command) =>
      now.value('relyd_command_duration_seconds_count', { command }),
    )
  }
  const [of_sites = 0, of_operator = 0] = await times()
  await admin.refused('remove_site', { site: 'nobody' })
  expect(await times()).toEqual([of_sites, of_operator + 1])
})

test('what has expired is swept and counted', async () => {
  const swept = async () => (await scrape()).value('relyd_swept_rows_total')
  const before = await swept()
  const db = openKept(`${daemon.folder}/state/store/relyd.db`)
  db.prepare('UPDATE registrations SET finished = 0, lease_until = 0').run()
  db.close()
  await expect.poll(swept, { timeout: 5000 }).toBeGreaterThan(before)
})

test('no label holds an oxd_id, a session, a secret or an End-User', async () => {
  const site = await BentSite.register(wire, op)
  const { session_id, sub } = await site.accepts()
  const { text } = await scrape()
  expect(text).toContain('get_tokens_by_callback')
  for (const value of [site.oxd_id.slice(0, 8), session_id, sub, op.sub, ...op.secrets]) {
    expect(text).not.toContain(value)
  }
})

test('a site that names 1,000 OPs, dead ones and some that answer, makes 20 series of them', async () => {
  const before = (await scrape()).labelValues('op').size
  const server = () => createServer((_request, response) => response.writeHead(404).end())
  const living = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const one = server().listen(0, '127.0.0.1')
      await new Promise((resolve) => one.once('listening', resolve))
      return one
    }),
  )
  const dead = Array.from({ length: 960 }, (_, at) => `${100 + at}`)
  const ports = [...dead, ...living.map((one) => String((one.address() as AddressInfo).port))]
  const authorization_redirect_uri = 'https://site.example/callback'
  await Promise.all(
    ports.map((port) =>
      wire.refused('register_site', {
        op_host: `http://127.0.0.1:${port}`,
        authorization_redirect_uri,
      }),
    ),
  )
  for (const one of living) one.close()
  const after = await scrape()
  const names = after.labelValues('op')
  expect(names.has('other')).toBe(true)
  expect(names.size).toBe(21)
  expect(names.size).toBeGreaterThan(before)
  expect(after.value('relyd_op_calls_total', { op: 'other' })).toBeGreaterThanOrEqual(960)
})
