/** Events of the built daemon: over the wire in both dialects, and to a website's listeners. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Schema from 'typebox/schema'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { schemaOf } from '../../daemon/src/command.js'
import { events, MOST_SITES } from '../../daemon/src/events.js'
import { type Op, startOp } from '../../demosite/src/op.js'
import { Client, type LogoutEvent } from '../../sdk/src/index.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { redirect_uri, registerIssued } from '../support/site.js'
import { type DialectName, Wire } from '../support/wire.js'

let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start({
    daemon: { default_op: op.issuer },
    sections:
      '[listener other]\naddress = unix:{folder}/other.sock\nrealm = other\n[listener brief]\naddress = unix:{folder}/brief.sock\nidle_timeout = 1',
  })
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

async function register(wire: Wire): Promise<string> {
  return (await wire.ok('register_site', { authorization_redirect_uri: redirect_uri })).oxd_id
}

/** A login and its end. @returns what the site knew of it */
async function logInAndOut(wire: Wire, oxd_id: string) {
  const { authorization_url, binding } = await wire.ok('get_authorization_url', { oxd_id })
  const callback = await new EndUser().logIn(authorization_url)
  const login = await wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
  await wire.ok('get_logout_uri', { oxd_id, session_id: login.session_id })
  return login
}

describe.each<DialectName>(['json', 'msgpack'])('over %s', (dialect) => {
  test('a subscriber is told of its site’s sessions, as declared, and of no other’s', async () => {
    using wire = await Wire.connect(daemon.socket, dialect)
    using other = await Wire.connect(daemon.socket, dialect)
    using unasking = await Wire.connect(daemon.socket, dialect)
    const [mine, theirs] = [await register(wire), await register(other)]
    expect(await wire.ok('subscribe', { oxd_id: mine })).toEqual({ events: ['logout'] })
    await other.ok('subscribe', { oxd_id: theirs })
    const { issuer, sub, session_ref } = await logInAndOut(unasking, mine)
    const told = (await wire.nextUnasked()) as unknown as { event: string; data: object }
    expect(told).toEqual({
      event: 'logout',
      data: expect.objectContaining({ oxd_id: mine, issuer, sub, session_ref }),
    })
    expect(Schema.Check(schemaOf(events.logout.data), told.data)).toBe(true)
    await Promise.all([other.ok('ping'), unasking.ok('ping')])
    expect([wire.unasked, other.unasked, unasking.unasked]).toEqual([[], [], []])
  })

  test('an empty list ends it, and so does the removal of the site', async () => {
    using wire = await Wire.connect(daemon.socket, dialect)
    const oxd_id = await register(wire)
    await wire.ok('subscribe', { oxd_id, events: ['logout'] })
    expect(await wire.ok('subscribe', { oxd_id, events: [] })).toEqual({ events: [] })
    await logInAndOut(wire, oxd_id)
    await wire.ok('subscribe', { oxd_id })
    await wire.ok('remove_site', { oxd_id })
    expect(await wire.refused('subscribe', { oxd_id })).toMatchObject({ error: 'invalid_oxd_id' })
    expect(wire.unasked).toEqual([])
  })
})

test('nobody subscribes to a site of another realm', async () => {
  using home = await Wire.connect(daemon.socket)
  using abroad = await Wire.connect(join(daemon.folder, 'other.sock'))
  const oxd_id = await register(home)
  expect(await abroad.refused('subscribe', { oxd_id })).toMatchObject({ error: 'invalid_oxd_id' })
  await logInAndOut(home, oxd_id)
  await abroad.ok('ping')
  expect(abroad.unasked).toEqual([])
})

test('one connection has a bounded number of sites, and those that are removed do not count', async () => {
  using wire = await Wire.connect(daemon.socket)
  let removed = ''
  for (let n = 0; n < MOST_SITES; n += 1) {
    removed = await registerIssued(wire, op)
    await wire.ok('subscribe', { oxd_id: removed })
  }
  const oxd_id = await registerIssued(wire, op)
  expect(await wire.refused('subscribe', { oxd_id })).toMatchObject({
    error: 'quota_exceeded',
    details: { quota: 'subscriptions', limit: MOST_SITES },
  })
  await wire.ok('remove_site', { oxd_id: removed })
  await wire.ok('subscribe', { oxd_id })
})

test('who waits for events is not idle', async () => {
  const path = join(daemon.folder, 'brief.sock')
  using idle = await Wire.connect(path)
  using waiting = await Wire.connect(path)
  await waiting.ok('subscribe', { oxd_id: await registerIssued(waiting, op) })
  await idle.ok('ping')
  await idle.closed
  await waiting.ok('ping')
})

describe('a website', () => {
  let cfgs = 0

  /** A client of a site of its own, which is not registered yet. */
  function newClient(on = daemon): Client {
    cfgs += 1
    const cfg = join(on.folder, `site${cfgs}.cfg`)
    writeFileSync(
      cfg,
      `[oxd]\nsocket = ${on.socket}\n[client]\nop_host = ${op.issuer}\nauthorization_redirect_uri = ${redirect_uri}\n`,
    )
    const client = new Client(cfg)
    onTestFinished(() => client.close())
    return client
  }

  async function logOut(client: Client): Promise<void> {
    const { authorization_url, set_cookie } = await client.getAuthorizationUrl()
    const { session_id } = await client.getTokensByCallback({
      callback: await new EndUser().logIn(authorization_url),
      cookie: set_cookie.split(';', 1)[0],
    })
    await client.getLogoutUri({ session_id })
  }

  /** Warnings of the SDK from now on. */
  function warnings(): string[] {
    const told: string[] = []
    const note = ({ name, message }: Error) => {
      if (name === 'RelydEventWarning') told.push(message)
    }
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    return told
  }

  const subscriptions = (on = daemon) =>
    on.log.filter(({ command, outcome }) => command === 'subscribe' && outcome === 'ok').length

  test('hears of logouts from its first listener to its last, and is registered for it', async () => {
    const client = newClient()
    const before = subscriptions()
    const heard: LogoutEvent[] = []
    const listener = (event: LogoutEvent) => heard.push(event)
    client.on('logout', listener)
    await expect.poll(subscriptions).toBe(before + 1)
    await logOut(client)
    await expect.poll(() => heard).toHaveLength(1)
    expect(heard[0]).toMatchObject({
      issuer: op.issuer,
      sub: 'alice',
      session_ref: expect.stringMatching(/^[0-9a-f]{40}$/),
    })
    client.off('logout', listener)
    await expect.poll(subscriptions).toBe(before + 2)
    await logOut(client)
    client.on('logout', listener)
    await expect.poll(subscriptions).toBe(before + 3)
    await logOut(client)
    await expect.poll(() => heard).toHaveLength(2)
  })

  test('a listener that fails is told of, and costs nobody anything', async () => {
    const client = newClient()
    const told = warnings()
    let heard = 0
    const before = subscriptions()
    client.on('logout', () => {
      throw new Error('no such user')
    })
    client.on('logout', async () => {
      throw new Error('the database is away')
    })
    client.on('logout', () => {
      heard += 1
    })
    await expect.poll(subscriptions).toBe(before + 1)
    await logOut(client)
    await expect.poll(() => heard).toBe(1)
    await expect.poll(() => told.join()).toMatch(/no such user.*the database is away/s)
    await logOut(client)
    await expect.poll(() => heard).toBe(2)
  })

  test('hears again after a restart of the daemon, without a call and without a warning', async () => {
    await using own = await TestDaemon.start()
    const client = newClient(own)
    const told = warnings()
    let heard = 0
    client.on('logout', () => {
      heard += 1
    })
    await expect.poll(() => subscriptions(own)).toBe(1)
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const before = subscriptions(own)
      await own.signal(signal)
      await own.start()
      await expect.poll(() => subscriptions(own), { timeout: 10_000 }).toBe(before + 1)
      await logOut(client)
      await expect.poll(() => heard).toBe(signal === 'SIGTERM' ? 1 : 2)
    }
    expect(told).toEqual([])
    await client.close()
  })

  test('a site that was removed is not registered anew by its listeners, only by its next use', async () => {
    const client = newClient()
    let heard = 0
    client.on('logout', () => {
      heard += 1
    })
    const first = await client.registerSite()
    await client.removeSite()
    const registrations = () =>
      daemon.log.filter(({ command }) => command === 'register_site').length
    const before = registrations()
    await client.ping()
    expect(registrations()).toBe(before)
    const subscribed = subscriptions()
    expect(await client.registerSite()).not.toBe(first)
    await expect.poll(subscriptions).toBe(subscribed + 1)
    await logOut(client)
    await expect.poll(() => heard).toBe(1)
  })
})
