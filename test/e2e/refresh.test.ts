/** One expiring session, many processes, one refresh: over slow OPs, restarts, several daemons and kills. */
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openKept } from '../../daemon/src/store/kept_database.js'
import { type DaemonOptions, TestDaemon } from '../support/daemon.js'
import { cfgOf, expiredLogin, OfflineOp } from '../support/offline_site.js'
import { type Outcome, SiteProcesses } from '../support/site_processes.js'
import { Wire } from '../support/wire.js'

const PROCESSES = 16

async function startOp(rotates = true): Promise<OfflineOp> {
  const op = await OfflineOp.start(rotates)
  onTestFinished(() => op[Symbol.asyncDispose]())
  return op
}

async function startDaemon(options: DaemonOptions = {}): Promise<TestDaemon> {
  const daemon = await TestDaemon.start(options)
  onTestFinished(() => daemon[Symbol.asyncDispose]())
  return daemon
}

async function connect(daemon: TestDaemon): Promise<Wire> {
  const wire = await Wire.connect(daemon.socket)
  onTestFinished(() => wire[Symbol.dispose]())
  return wire
}

/** All have the same access token, which works. */
async function expectOne(
  daemon: TestDaemon,
  oxd_id: string,
  outcomes: Outcome[],
): Promise<Outcome> {
  const [first] = outcomes
  expect(first).toMatchObject({ access_token: expect.any(String), token_type: 'Bearer' })
  expect(new Set(outcomes.map(({ access_token }) => access_token)).size).toBe(1)
  const wire = await connect(daemon)
  const { access_token } = first
  const { claims } = await wire.ok('get_user_info', { oxd_id, access_token })
  expect(claims.sub).toBe('alice')
  return first
}

test.each([
  ['an OP that rotates and detects reuse', true, 0],
  ['an OP that goes on with the same refresh token', false, 0],
  ['an OP that takes 3 s', true, 3000],
])('16 processes, one refresh: %s', async (_, rotates, ms) => {
  const op = await startOp(rotates)
  op.gate = () => new Promise((resolve) => setTimeout(resolve, ms))
  const daemon = await startDaemon()
  const { oxd_id, cfg, login } = await expiredLogin(daemon, op)
  const { session_id } = login
  await using site = await SiteProcesses.start(PROCESSES, cfg, 'getAccessToken', { session_id })
  const { access_token } = await expectOne(daemon, oxd_id, await site.call())
  expect(access_token).not.toBe(login.access_token)
  expect(op.asked).toBe(1)
})

test('16 processes with one refresh token, one refresh', async () => {
  const op = await startOp()
  const daemon = await startDaemon()
  const { oxd_id, cfg, login } = await expiredLogin(daemon, op)
  const { refresh_token } = login
  const params = { refresh_token }
  await using site = await SiteProcesses.start(
    PROCESSES,
    cfg,
    'getAccessTokenByRefreshToken',
    params,
  )
  const outcomes = await site.call()
  await expectOne(daemon, oxd_id, outcomes)
  const rotated = new Set(outcomes.map((outcome) => outcome.refresh_token))
  expect(rotated.size).toBe(1)
  expect(rotated.has(refresh_token)).toBe(false)
  expect(op.asked).toBe(1)
})

test('16 processes, one refresh, while one daemon follows another', async () => {
  const op = await startOp()
  const letGo = op.hold()
  const daemon = await startDaemon()
  const { oxd_id, cfg, login } = await expiredLogin(daemon, op)
  const { session_id } = login
  await using site = await SiteProcesses.start(PROCESSES, cfg, 'getAccessToken', { session_id })
  const wire = await connect(daemon)
  const before = site.call(0, PROCESSES / 2)
  await expect.poll(() => op.asked).toBe(1)
  const stopped = daemon.stop()
  await expect.poll(async () => (await wire.call('ping')).data.error).toBe('shutting_down')
  // Refused by the one, and answered by the next.
  const after = site.call(PROCESSES / 2)
  letGo()
  expect(await stopped).toBe(0)
  await daemon.start()
  await expectOne(daemon, oxd_id, [...(await before), ...(await after)])
  expect(op.asked).toBe(1)
})

test('a daemon that is told to stop finishes a refresh whose caller has gone', async () => {
  const op = await startOp()
  const letGo = op.hold()
  const daemon = await startDaemon({ daemon: { drain_timeout: 0 } })
  const { oxd_id, login } = await expiredLogin(daemon, op)
  const { session_id } = login
  const caller = await Wire.connect(daemon.socket)
  void caller.call('get_access_token', { oxd_id, session_id })
  await expect.poll(() => op.asked).toBe(1)
  caller[Symbol.dispose]()
  const stopped = daemon.stop()
  await expect
    .poll(() =>
      Wire.connect(daemon.socket).then(
        () => 'there',
        () => 'gone',
      ),
    )
    .toBe('gone')
  letGo()
  expect(await stopped).toBe(0)
  await daemon.start()
  const wire = await connect(daemon)
  await expectOne(daemon, oxd_id, [await wire.ok('get_access_token', { oxd_id, session_id })])
  expect(op.asked).toBe(1)
})

test('M13 P47 two daemons on one store, one refresh', async () => {
  const op = await startOp()
  const letGo = op.hold()
  const daemon = await startDaemon()
  const other = await startDaemon({ daemon: { state_directory: `${daemon.folder}/state` } })
  const { oxd_id, cfg, login } = await expiredLogin(daemon, op)
  const half = PROCESSES / 2
  const params = { session_id: login.session_id }
  await using here = await SiteProcesses.start(half, cfg, 'getAccessToken', params)
  await using there = await SiteProcesses.start(
    half,
    cfgOf(other, oxd_id),
    'getAccessToken',
    params,
  )
  const outcomes = Promise.all([here.call(), there.call()])
  await expect.poll(() => op.asked).toBe(1)
  letGo()
  await expectOne(daemon, oxd_id, (await outcomes).flat())
  expect(op.asked).toBe(1)
})

test('who waits for another daemon is told that this one stops, before the connection is cut', async () => {
  const op = await startOp()
  const letGo = op.hold()
  const daemon = await startDaemon()
  const state_directory = `${daemon.folder}/state`
  const other = await startDaemon({ daemon: { state_directory, drain_timeout: 1 } })
  const { oxd_id, login } = await expiredLogin(daemon, op)
  const params = { oxd_id, session_id: login.session_id }
  const holding = (await connect(daemon)).ok('get_access_token', params)
  await expect.poll(() => op.asked).toBe(1)
  const wire = await connect(other)
  const waiting = wire.refused('get_access_token', params)
  await wire.ok('ping')
  const stopped = other.stop()
  expect(await waiting).toMatchObject({ error: 'shutting_down', retryable: true })
  expect(await stopped).toBe(0)
  letGo()
  expect(await holding).toHaveProperty('access_token')
  expect(op.asked).toBe(1)
})

/** As if the time had passed that a holder has; the daemon is down. */
function letLeaseRunOut({ folder }: TestDaemon): void {
  const db = openKept(join(folder, 'state/store/relyd.db'))
  try {
    const { changes } = db
      .prepare(
        'UPDATE sessions SET lease_until = lease_until - 600 WHERE lease_until > unixepoch()',
      )
      .run()
    expect(changes).toBe(1)
  } finally {
    db.close()
  }
}

test('a kill in the middle of a refresh: the session survives an OP that rotates nothing', async () => {
  const op = await startOp(false)
  const letGo = op.hold()
  const daemon = await startDaemon()
  const { oxd_id, login } = await expiredLogin(daemon, op)
  const { session_id } = login
  const lost = (await connect(daemon)).call('get_access_token', { oxd_id, session_id })
  await expect.poll(() => op.asked).toBe(1)
  await daemon.signal('SIGKILL')
  await expect(lost).rejects.toThrow('closed')
  letGo()
  letLeaseRunOut(daemon)
  await daemon.start()
  const wire = await connect(daemon)
  const again = [1, 2, 3].map(() => wire.ok('get_access_token', { oxd_id, session_id }))
  await expectOne(daemon, oxd_id, await Promise.all(again))
  expect(op.asked).toBe(2)
})

test('M13 a kill in the middle of a refresh: an OP that detects reuse is asked once more, and then log in again', async () => {
  const op = await startOp()
  const letGo = op.hold()
  const daemon = await startDaemon()
  const { oxd_id, login } = await expiredLogin(daemon, op)
  const { session_id, refresh_token } = login
  const lost = (await connect(daemon)).call('get_access_token', { oxd_id, session_id })
  await expect.poll(() => op.asked).toBe(1)
  await daemon.signal('SIGKILL')
  await expect(lost).rejects.toThrow('closed')
  const consumed = new Promise((resolve) => op.op.provider.once('grant.success', resolve))
  letGo()
  await consumed
  let errors = 0
  op.op.provider.on('grant.error', () => {
    errors += 1
  })
  letLeaseRunOut(daemon)
  await daemon.start()
  const wire = await connect(daemon)
  const rejection = { error: 'refresh_token_rejected', retryable: false }
  for (let turn = 0; turn < 3; turn += 1) {
    const refused = await wire.refused('get_access_token', { oxd_id, session_id })
    expect(refused).toMatchObject(rejection)
  }
  const classic = { oxd_id, refresh_token }
  expect(await wire.refused('get_access_token_by_refresh_token', classic)).toMatchObject(rejection)
  expect(errors).toBe(1)
  expect(await wire.ok('get_session', { oxd_id, session_id })).toMatchObject({ sub: 'alice' })
})
