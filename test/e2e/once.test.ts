/** A callback succeeds once, however many times it comes at the same time, and across a restart. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { Wire } from '../support/wire.js'

const TIMES = 50
const redirect_uri = 'http://site.example/callback'

let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start()
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

async function loginToComplete() {
  using wire = await Wire.connect(daemon.socket)
  const { oxd_id } = await wire.ok('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri: redirect_uri,
  })
  const { authorization_url, binding } = await wire.ok('get_authorization_url', { oxd_id })
  return { oxd_id, binding, callback: await new EndUser().logIn(authorization_url) }
}

/** Sends the same callback over as many connections at once. */
async function race(login: object): Promise<string[]> {
  const wires = await Promise.all(
    Array.from({ length: TIMES }, (_, n) =>
      Wire.connect(n % 2 ? daemon.socket : { port: daemon.port }, n % 3 ? 'json' : 'msgpack'),
    ),
  )
  try {
    return await Promise.all(
      wires.map(async (wire) => {
        const { status, data } = await wire.call('get_tokens_by_callback', login)
        return status === 'ok' ? 'ok' : data.error
      }),
    )
  } finally {
    for (const wire of wires) wire[Symbol.dispose]()
  }
}

test('S34 of 50 parallel callbacks with one state, one succeeds', async () => {
  const outcomes = await race(await loginToComplete())
  expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(1)
  expect(outcomes.filter((outcome) => outcome === 'invalid_state')).toHaveLength(TIMES - 1)
})

test('P42 a login begun before a restart is completed once after it', async () => {
  const login = await loginToComplete()
  expect(await daemon.stop()).toBe(0)
  await daemon.start()
  const before = await race(login)
  expect(before.filter((outcome) => outcome === 'ok')).toHaveLength(1)
  await daemon.signal('SIGKILL')
  await daemon.start()
  expect(new Set(await race(login))).toEqual(new Set(['invalid_state']))
})

test('a session lives on across a restart', async () => {
  const login = await loginToComplete()
  using before = await Wire.connect(daemon.socket)
  const { session_id } = await before.ok('get_tokens_by_callback', login)
  await daemon.signal('SIGKILL')
  await daemon.start()
  using after = await Wire.connect(daemon.socket)
  const { claims } = await after.ok('get_user_info', { oxd_id: login.oxd_id, session_id })
  expect(claims.sub).toBe('alice')
})

test('a callback from another browser does not complete the login, nor spoil it', async () => {
  const { oxd_id, callback, binding } = await loginToComplete()
  using wire = await Wire.connect(daemon.socket)
  for (const brought of [
    {},
    { binding: 'A'.repeat(22) },
    { cookie: '' },
    { cookie: 'session=1' },
  ]) {
    const { error } = await wire.refused('get_tokens_by_callback', { oxd_id, callback, ...brought })
    expect(error).toBe('invalid_binding')
  }
  const { sub } = await wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
  expect(sub).toBe('alice')
})

test("a site cannot complete another site's login", async () => {
  const { callback, binding } = await loginToComplete()
  const other = await loginToComplete()
  using wire = await Wire.connect(daemon.socket)
  const { error } = await wire.refused('get_tokens_by_callback', {
    oxd_id: other.oxd_id,
    callback,
    binding,
  })
  expect(error).toBe('invalid_state')
})
