/** Sessions as the operator lists and ends them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BentOp, BentSite } from '../support/bent_op/index.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { seedSessions } from '../support/seed_sessions.js'
import { type Reply, Wire } from '../support/wire.js'

const MANY = 10_000

let op: BentOp
let daemon: TestDaemon
let admin: Wire
let wire: Wire

beforeAll(async () => {
  op = await BentOp.start()
  daemon = await TestDaemon.start()
  admin = await Wire.connect(daemon.admin_socket)
  wire = await Wire.connect(daemon.socket)
})

afterAll(async () => {
  admin[Symbol.dispose]()
  wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

/** Every page of a listing. */
async function pagesOf(params: object): Promise<Reply['data'][][]> {
  const pages: Reply['data'][][] = []
  let after: string | undefined
  do {
    const page: Reply['data'] = await admin.ok('list_sessions', {
      ...params,
      ...(after && { after }),
    })
    pages.push(page.sessions)
    after = page.next
  } while (after !== undefined)
  return pages
}

/** A connection of a website that hears of logouts. */
async function listen(oxd_id: string): Promise<Wire> {
  const listening = await Wire.connect(daemon.socket)
  await listening.ok('subscribe', { oxd_id, events: ['logout'] })
  return listening
}

test('a login is listed without what it could be taken over with, and ended by its name', async () => {
  const site = await BentSite.register(wire, op)
  const { oxd_id } = site
  const { session_id, session_ref, access_token } = await site.accepts()
  using listening = await listen(oxd_id)
  const [[listed] = []] = await pagesOf({ site: oxd_id })
  expect(listed).toMatchObject({
    session_ref,
    oxd_id,
    issuer: op.issuer,
    sub: op.sub,
    realm: 'default',
  })
  expect(listed.expires_at).toBeGreaterThan(listed.created_at)
  expect(JSON.stringify(listed)).not.toContain(session_id)
  expect(JSON.stringify(listed)).not.toContain(access_token)

  const ended = await relyd(['sessions', 'end', session_ref, '--json', '--config', daemon.config])
  expect(JSON.parse(ended.stdout)).toEqual({ ended: 1, tokens_revoked: 0 })
  const event: unknown = await listening.nextUnasked()
  expect(event).toMatchObject({ event: 'logout', data: { oxd_id, session_ref, sub: op.sub } })
  expect(await wire.refused('get_session', { oxd_id, session_id })).toMatchObject({
    error: 'invalid_session_id',
  })
  expect(op.isActive(access_token)).toBe(true)
  // Once more is no error: it is gone.
  expect(await admin.ok('end_sessions', { session_ref })).toEqual({ ended: 0, tokens_revoked: 0 })
})

test('the OP forgets the tokens, if it is asked to', async () => {
  const site = await BentSite.register(wire, op)
  const { oxd_id } = site
  const tokens = [await site.accepts(), await site.accepts()].map((one) => one.access_token)
  const foreign = await (await BentSite.register(wire, op)).accepts()
  const given = { site: oxd_id, sub: op.sub, issuer: op.issuer, revoke_tokens: true }
  expect(await admin.ok('end_sessions', given)).toEqual({ ended: 2, tokens_revoked: 2 })
  expect(tokens.map((token) => op.isActive(token))).toEqual([false, false])
  expect(op.isActive(foreign.access_token)).toBe(true)
})

test('an OP that is down keeps no session alive', async () => {
  const site = await BentSite.register(wire, op)
  await site.accepts()
  op.bend({ revocation: () => (response) => response.destroy() })
  const given = { site: site.oxd_id, revoke_tokens: true }
  expect(await admin.ok('end_sessions', given)).toEqual({ ended: 1, tokens_revoked: 0 })
  op.straighten()
})

test('nothing is ended where nobody said what', async () => {
  for (const params of [{}, { realm: 'default' }, { revoke_tokens: true }]) {
    expect(await admin.refused('end_sessions', params)).toMatchObject({ error: 'invalid_request' })
  }
  expect(await admin.refused('list_sessions', { after: 'nonsense' })).toMatchObject({
    error: 'invalid_request',
    details: { field: 'after' },
  })
  const usage = await relyd(['sessions', 'end', '--config', daemon.config])
  expect(usage).toMatchObject({ status: 2, stderr: expect.stringContaining('say which') })
  const ref = '0'.repeat(40)
  const unknown = await relyd(['sessions', 'end', ref, '--json', '--config', daemon.config])
  expect(unknown).toMatchObject({ status: 1, stdout: '' })
  expect(unknown.stderr).toContain(`there is no session ${ref}`)
})

test('all of one issuer are ended, as when it is not trusted any more, and of no other', async () => {
  const { oxd_id } = await BentSite.register(wire, op)
  const gone = 'https://op.example/11111111-2222-3333-4444-555555555555/v2.0'
  const seeds = Array.from({ length: 450 }, (_, n) => ({ oxd_id, issuer: gone, sub: `user ${n}` }))
  await seedSessions(daemon, [...seeds, { oxd_id, issuer: op.issuer, sub: 'stays' }])
  const end = (...more: string[]) =>
    relyd(['sessions', 'end', '--issuer', gone, '--json', '--config', daemon.config, ...more])
  expect(JSON.parse((await end('--realm', 'other')).stdout)).toMatchObject({ ended: 0 })
  expect(JSON.parse((await end()).stdout)).toEqual({ ended: 450, tokens_revoked: 0 })
  const [left] = await pagesOf({ site: oxd_id })
  expect(left?.map(({ sub }) => sub)).toEqual(['stays'])
})

test('what an OP says moves nothing on a terminal', async () => {
  const { oxd_id } = await BentSite.register(wire, op)
  const sub = '\u001b[31mred\u009b1m\u202eder\n'
  await seedSessions(daemon, [{ oxd_id, issuer: op.issuer, sub }])
  const list = (...more: string[]) =>
    relyd(['sessions', 'list', '--site', oxd_id, '--config', daemon.config, ...more])
  const [table, json] = await Promise.all([list(), list('--json')])
  for (const { stdout } of [table, json]) {
    expect(stdout).toContain('[31mred')
    expect(stdout).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u)
  }
  expect(JSON.parse(json.stdout).sessions[0].sub).toBe(sub)
})

test(`${MANY} sessions are listed and ended in pages, while others are served`, async () => {
  const { oxd_id } = await BentSite.register(wire, op)
  const quiet = await BentSite.register(wire, op)
  const seeds = Array.from({ length: MANY }, (_, index) => ({
    oxd_id,
    issuer: op.issuer,
    sub: `user ${index % 100}`,
  }))
  await seedSessions(daemon, seeds)
  const kept = await quiet.accepts()

  let slowest = 0
  let pings = 0
  let busy = true
  const pinging = (async () => {
    while (busy) {
      const began = performance.now()
      await wire.ok('ping')
      slowest = Math.max(slowest, performance.now() - began)
      pings += 1
    }
  })()
  const pages = await pagesOf({ site: oxd_id })
  const refs = pages.flat().map(({ session_ref }) => session_ref)
  expect(new Set(refs).size).toBe(MANY)
  expect(Math.max(...pages.map(({ length }) => length))).toBe(100)
  const one = await pagesOf({ site: oxd_id, sub: 'user 7' })
  expect(one.flat()).toHaveLength(MANY / 100)

  // Each call ends a bounded part.
  const part = await admin.ok('end_sessions', { site: oxd_id })
  expect(part.ended).toBe(200)
  const all = await relyd([
    'sessions',
    'end',
    '--site',
    oxd_id,
    '--json',
    '--config',
    daemon.config,
  ])
  expect(JSON.parse(all.stdout)).toEqual({ ended: MANY - 200, tokens_revoked: 0 })
  busy = false
  await pinging
  expect((await pagesOf({ site: oxd_id })).flat()).toEqual([])
  expect(
    await wire.ok('get_session', { oxd_id: quiet.oxd_id, session_id: kept.session_id }),
  ).toMatchObject({ sub: op.sub })
  expect(pings).toBeGreaterThan(100)
  expect(slowest).toBeLessThan(1000)
})
