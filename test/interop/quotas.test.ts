/** Each quota refuses in words that name it and its option, lets go again, and costs no neighbour anything. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, BentOp, BentSite, hang, withMembers } from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { declined, issuedSite, registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

let op: BentOp
let daemon: TestDaemon

/** A realm of its own for each quota, on the socket of its name. */
const realms: Record<string, Record<string, number>> = {
  logins: { pending_logins_per_site: 2, pending_logins: 3 },
  sessions: { sessions_per_site: 1 },
  bytes: { store_megabytes_per_site: 1 },
  sites: { sites: 1 },
  registrations: { registrations_per_minute: 2 },
  requests: { requests_per_site: 2 },
  calls: { op_calls_per_site: 1 },
}

beforeAll(async () => {
  op = await BentOp.start()
  const sections = Object.entries(realms).map(
    ([name, quotas]) =>
      `[listener ${name}]\naddress = unix:{folder}/${name}.sock\nrealm = ${name}\n[realm ${name}]\n${lines(quotas)}`,
  )
  daemon = await TestDaemon.start({ daemon: { op_timeout: 1 }, sections: sections.join('\n') })
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

function lines(options: Record<string, number>): string {
  return Object.entries(options)
    .map(([name, value]) => `${name} = ${value}`)
    .join('\n')
}

function connect(realm: string): Promise<Wire> {
  return Wire.connect(`${daemon.folder}/${realm}.sock`)
}

function exceeded(realm: string, quota: string, option: string, limit: number) {
  return {
    error: 'quota_exceeded',
    error_description: expect.stringContaining(`${option} of [realm ${realm}]`),
    request_id: expect.any(String),
    retryable: true,
    details: { quota, option, limit },
  }
}

test('S20 pending logins, of the site and of its realm', async () => {
  using wire = await connect('logins')
  const site = await registerIssued(wire, op)
  const other = await registerIssued(wire, op)
  const { state, binding } = await wire.ok('get_authorization_url', { oxd_id: site })
  await wire.ok('get_authorization_url', { oxd_id: site })
  expect(await wire.refused('get_authorization_url', { oxd_id: site })).toEqual(
    exceeded('logins', 'pending_logins', 'pending_logins_per_site', 2),
  )
  // The realm's three are used by the second of these; half of them are this site's share.
  await wire.ok('get_authorization_url', { oxd_id: other })
  await wire.ok('get_authorization_url', { oxd_id: other })
  const callback = declined(op, state)
  await wire.refused('get_tokens_by_callback', { oxd_id: site, callback, binding })
  expect(await wire.refused('get_authorization_url', { oxd_id: other })).toMatchObject({
    details: { option: 'pending_logins_per_site' },
  })
  expect(await wire.ok('get_authorization_url', { oxd_id: site })).toHaveProperty('state')
})

test('sessions', async () => {
  using wire = await connect('sessions')
  const site = await BentSite.register(wire, op)
  const { oxd_id } = site
  const { session_id } = await site.accepts()
  expect(await wire.refused('get_authorization_url', { oxd_id })).toEqual(
    exceeded('sessions', 'sessions', 'sessions_per_site', 1),
  )
  const bystander = await BentSite.register(wire, op)
  await bystander.accepts()
  // What is there stays, and makes room when it ends.
  op.bend({})
  await wire.ok('get_user_info', { oxd_id, session_id })
})

test('bytes in the store', async () => {
  using wire = await connect('bytes')
  const site = await BentSite.register(wire, op)
  const { oxd_id } = site
  for (let login = 0; login < 20; login += 1) {
    const begun = await site.begin().catch(() => undefined)
    if (!begun) break
    op.bend({ token: withMembers({ refresh_token: 'r'.repeat(60_000) }) })
    await wire.ok('get_tokens_by_callback', begun)
    op.straighten()
  }
  expect(await wire.refused('get_authorization_url', { oxd_id })).toEqual(
    exceeded('bytes', 'store_megabytes', 'store_megabytes_per_site', 1),
  )
  const bystander = await BentSite.register(wire, op)
  await bystander.accepts()
})

test('sites', async () => {
  using wire = await connect('sites')
  const oxd_id = await registerIssued(wire, op, 'the key of the first')
  expect(await wire.refused('register_site', issuedSite(op))).toEqual(
    exceeded('sites', 'sites', 'sites', 1),
  )
  expect(await registerIssued(wire, op, 'the key of the first')).toBe(oxd_id)
  await wire.ok('remove_site', { oxd_id })
  expect(await registerIssued(wire, op)).not.toBe(oxd_id)
})

test('registrations in a minute, of which the same key takes one', async () => {
  using wire = await connect('registrations')
  const oxd_id = await registerIssued(wire, op, 'the key')
  for (let again = 0; again < 5; again += 1) {
    expect(await registerIssued(wire, op, 'the key')).toBe(oxd_id)
  }
  await registerIssued(wire, op)
  const asked = op.asked.length
  expect(await wire.refused('register_site', issuedSite(op))).toEqual(
    exceeded('registrations', 'registrations_per_minute', 'registrations_per_minute', 2),
  )
  expect(op.asked.length).toBe(asked)
  using elsewhere = await Wire.connect(daemon.socket)
  await registerIssued(elsewhere, op)
})

test('requests in flight, over all connections of the site', async () => {
  using wire = await connect('requests')
  using second = await connect('requests')
  await using slow = await BentOp.start()
  const site = await BentSite.register(wire, slow)
  const other = await registerIssued(wire, op)
  const begun = [await site.begin(), await site.begin(), await site.begin()]
  slow.bend({ token: () => hang })
  const hanging = begun.slice(0, 2).map((one) => wire.call('get_tokens_by_callback', one))
  await expect.poll(() => slow.calls(0)).toMatchObject({ token: 2 })
  expect(await second.refused('get_tokens_by_callback', begun[2])).toEqual(
    exceeded('requests', 'requests', 'requests_per_site', 2),
  )
  await second.ok('get_authorization_url', { oxd_id: other })
  for (const reply of await Promise.all(hanging)) {
    expect(reply.data).toMatchObject({ error: 'op_unreachable' })
  }
  // The refused callback was not touched.
  slow.straighten()
  await second.ok('get_tokens_by_callback', begun[2])
})

test('calls to OPs in flight: the site’s further ones wait, and other sites’ do not', async () => {
  using wire = await connect('calls')
  await using slow = await BentOp.start()
  const site = await BentSite.register(wire, slow)
  const other = await BentSite.register(wire, op)
  const begun = [await site.begin(), await site.begin()]
  const start = slow.asked.length
  let answer: (() => void) | undefined
  slow.bend({
    token: (honest) => (response) => {
      const { status, headers, body } = honest as Answer
      answer = () => response.writeHead(status, headers).end(JSON.stringify(body))
    },
  })
  const first = wire.call('get_tokens_by_callback', begun[0])
  const second = wire.call('get_tokens_by_callback', begun[1])
  await expect.poll(() => answer).toBeDefined()
  await other.accepts()
  expect(slow.calls(start)).toEqual({ token: 1 })
  slow.straighten()
  answer?.()
  expect(await first).toMatchObject({ status: 'ok' })
  expect(await second).toMatchObject({ status: 'ok' })
  expect(slow.calls(start)).toEqual({ token: 2 })
})

describe('a listener', () => {
  async function listener(options: Record<string, number>): Promise<TestDaemon> {
    return TestDaemon.start({
      sections: `[listener narrow]\naddress = unix:{folder}/narrow.sock\n${lines(options)}`,
    })
  }
  const narrow = (one: TestDaemon) => `${one.folder}/narrow.sock`

  test.each(['json', 'msgpack'] as const)(
    'tells one connection too many so in its dialect, %s, and takes others again later',
    async (dialect) => {
      await using one = await listener({ connections: 2 })
      const open = [await Wire.connect(narrow(one)), await Wire.connect(narrow(one))]
      for (const wire of open) await wire.ok('ping')
      using third = await Wire.connect(narrow(one), dialect)
      void third.call('ping')
      expect((await third.nextUnasked()).data).toMatchObject({
        error: 'quota_exceeded',
        error_description: expect.stringContaining('connections of [listener narrow]'),
      })
      await third.closed
      using elsewhere = await Wire.connect(one.socket)
      await elsewhere.ok('ping')
      open[0]?.[Symbol.dispose]()
      await expect
        .poll(async () => {
          using next = await Wire.connect(narrow(one), dialect)
          return await next.ok('ping').catch(() => ({}))
        })
        .toHaveProperty('version')
      open[1]?.[Symbol.dispose]()
    },
  )

  test('closes a connection whose frame does not arrive whole in time', async () => {
    await using one = await listener({ frame_timeout: 1 })
    using wire = await Wire.connect(narrow(one))
    await wire.ok('ping')
    wire.socket.write('{"id":7,"command":')
    expect((await wire.nextUnasked()).data).toMatchObject({
      error: 'invalid_frame',
      error_description: expect.stringContaining('frame_timeout'),
    })
    await wire.closed
  })

  test('closes a connection that nobody uses, and none that waits for its OP', async () => {
    await using one = await listener({ idle_timeout: 1 })
    await using slow = await BentOp.start()
    using idle = await Wire.connect(narrow(one))
    await idle.ok('ping')
    using waiting = await Wire.connect(narrow(one))
    const site = await BentSite.register(waiting, slow)
    const begun = await site.begin()
    let answer: (() => void) | undefined
    slow.bend({
      token: (honest) => (response) => {
        const { status, headers, body } = honest as Answer
        answer = () => response.writeHead(status, headers).end(JSON.stringify(body))
      },
    })
    const reply = waiting.ok('get_tokens_by_callback', begun)
    await idle.closed
    await expect.poll(() => answer).toBeDefined()
    answer?.()
    expect(await reply).toMatchObject({ sub: 'alice' })
  })

  test('closes whoever holds more than its share of the buffers, and nobody else', async () => {
    await using one = await listener({ buffer_megabytes: 8, frame_timeout: 3600 })
    using small = await Wire.connect(narrow(one))
    await small.ok('ping')
    small.socket.write('{"id":77,')
    const hoarders = await Promise.all(Array.from({ length: 12 }, () => Wire.connect(narrow(one))))
    const closed = Promise.race(hoarders.map((wire) => wire.closed))
    for (const wire of hoarders) wire.socket.write(`{"id":"${'x'.repeat(900_000)}`)
    await closed
    small.socket.write('"command":"ping"}\n')
    expect((await small.nextUnasked()).id).toBe(77)
    for (const wire of hoarders) wire[Symbol.dispose]()
  })

  test('keeps whoever reads late, but in time', async () => {
    await using one = await listener({ frame_timeout: 1 })
    // Sockets buffer a few hundred kilobytes of replies: some of these come to a little more.
    const late = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const wire = await Wire.connect(narrow(one))
        wire.socket.pause()
        const ping = wire.encode({ id: 'flood', command: 'ping' })
        wire.socket.write(Buffer.concat(Array<Buffer>(200 * (index + 1)).fill(ping)))
        return wire
      }),
    )
    using other = await Wire.connect(narrow(one))
    await other.ok('ping')
    for (const wire of late) wire.socket.resume()
    await Promise.all(late.map((wire) => wire.ok('ping')))
    // Twice as long as a reply may lie unread, and none of these does.
    for (const _ of [1, 2]) {
      using slow = await Wire.connect(narrow(one))
      slow.socket.write('{"id":7,')
      await slow.closed
    }
    for (const wire of late) {
      await wire.ok('ping')
      wire[Symbol.dispose]()
    }
  })

  test('closes who never reads, and serves others meanwhile', async () => {
    await using one = await listener({ frame_timeout: 1 })
    using other = await Wire.connect(narrow(one))
    using deaf = await Wire.connect(narrow(one))
    deaf.socket.pause()
    const oxd_id = await registerIssued(other, op)
    const frame = deaf.encode({ id: 1, command: 'get_site', params: { oxd_id } })
    const flood = Buffer.concat(Array.from({ length: 5000 }, () => frame))
    deaf.socket.write(flood)
    await other.ok('get_site', { oxd_id })
    await expect
      .poll(
        async () => {
          await other.ok('ping')
          return deaf.socket.destroyed || !deaf.socket.writable || deaf.socket.write(frame)
        },
        { timeout: 10_000, interval: 100 },
      )
      .toBeTruthy()
    deaf.socket.resume()
    await deaf.closed
  })
})
