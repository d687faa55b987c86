/** Sites and OPs that would use registrations up, hold others up with them, or break them for good (P8, P9, P26). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  answers,
  BentOp,
  BentSite,
  expectNoSecrets,
  hang,
  type Members,
  send,
  withMembers,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { IssuedWorld } from '../support/issued_world.js'
import { type Reply, Wire } from '../support/wire.js'

let daemon: TestDaemon
let wire: Wire
const ops: BentOp[] = []

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { op_timeout: 2 } })
  wire = await Wire.connect(daemon.socket)
})

afterAll(async () => {
  wire?.[Symbol.dispose]()
  await daemon?.stop()
  expectNoSecrets(daemon.log, ...ops)
  await daemon?.[Symbol.asyncDispose]()
  await Promise.all(ops.map((op) => op[Symbol.asyncDispose]()))
})

async function startOp(): Promise<BentOp> {
  const op = await BentOp.start()
  ops.push(op)
  return op
}

/** Holds the answers about clients back until they are let go. */
function holdBack(op: BentOp): (() => void)[] {
  const held: (() => void)[] = []
  op.bend({ client: (answer) => (response) => void held.push(() => send(response, answer)) })
  return held
}

const flips = ['ECDH-ES', 'ECDH-ES+A256KW']

describe('P26 the keys of a site', () => {
  test('are used again when an algorithm comes back, and still decrypt', async () => {
    const op = await startOp()
    const world = await IssuedWorld.register(op.issuer)
    try {
      const update = async (alg: string) => {
        await world.run('update_site', {
          id_token_encrypted_response_alg: alg,
          id_token_encrypted_response_enc: 'A256GCM',
        })
        world.site = (await world.store.getSite(world.site.oxd_id, 'shop')) as typeof world.site
        return world.site.secrets.own_keys ?? []
      }
      for (const alg of [...flips, ...flips, ...flips]) await update(alg)
      const own_keys = await update('ECDH-ES')
      expect(own_keys).toHaveLength(2)
      expect(own_keys.find(({ retired_at }) => retired_at === undefined)?.alg).toBe('ECDH-ES')
      expect(op.calls().client).toBe(7)
      const [client] = [...op.clients.values()]
      expect(client?.jwks?.keys).toMatchObject([{ alg: 'ECDH-ES', use: 'enc' }])
      expect(await world.logIn((url) => op.authorize(url))).toMatchObject({ sub: 'alice' })
    } finally {
      await world[Symbol.asyncDispose]()
    }
  })
})

test('updates and reads that ask the OP count as registrations of the realm', async () => {
  await using small = await TestDaemon.start({
    sections: '[realm default]\nregistrations_per_minute = 4\n',
  })
  using one = await Wire.connect(small.socket)
  const op = await startOp()
  const { oxd_id } = await BentSite.register(one, op)
  await one.ok('update_site', { oxd_id, client_name: 'a' })
  await one.ok('get_site_registration', { oxd_id })
  await one.ok('update_site', { oxd_id, client_name: 'b' })
  for (const [command, params] of [
    ['update_site', { client_name: 'c' }],
    ['get_site_registration', {}],
  ] as const) {
    expect(await one.refused(command, { oxd_id, ...params })).toMatchObject({
      error: 'quota_exceeded',
      retryable: true,
      details: { quota: 'registrations_per_minute', limit: 4 },
    })
  }
  expect(op.calls()).toMatchObject({ client: 3 })
  await one.ok('update_site', { oxd_id, login_binding: 'none' })
})

describe('S34 commands that wait for the turn of a site', () => {
  test('are refused beyond some, and the rest end when the daemon stops', async () => {
    await using alone = await TestDaemon.start({ daemon: { op_timeout: 2, drain_timeout: 10 } })
    using one = await Wire.connect(alone.socket)
    const op = await startOp()
    const { oxd_id } = await BentSite.register(one, op)
    op.bend({ client: answers(hang) })
    const calls: Promise<Reply>[] = []
    for (let at = 0; at < 12; at += 1) {
      calls.push(one.call('update_site', { oxd_id, client_name: `Shop ${at}` }))
    }
    const refused = await Promise.race(calls)
    expect(refused.data).toMatchObject({ error: 'quota_exceeded', retryable: true })
    const begun = performance.now()
    await alone.stop()
    expect(performance.now() - begun).toBeLessThan(5000)
    const codes = (await Promise.all(calls)).map(({ data }) => data.error)
    expect(codes.filter((code) => code === 'quota_exceeded')).toHaveLength(3)
    expect(codes.filter((code) => code === 'shutting_down')).toHaveLength(8)
    expect(op.calls()).toMatchObject({ client: 1 })
  })

  test('and OPs that hang do not hold the renewals of others up', async () => {
    const [slow, quick] = [await startOp(), await startOp()]
    slow.client_secret_lifetime = 2
    quick.client_secret_lifetime = 4
    slow.bend({ client: answers(hang) })
    const site = await BentSite.register(wire, slow)
    const other = await BentSite.register(wire, quick)
    quick.client_secret_lifetime = 86_400
    const waiting = Array.from({ length: 6 }, (_, at) =>
      wire.call('update_site', { oxd_id: site.oxd_id, client_name: `Shop ${at}` }),
    )
    await expect.poll(() => quick.calls().registration, { timeout: 6000, interval: 50 }).toBe(2)
    // Less than the six before it would take.
    expect(slow.calls().client).toBeLessThan(6)
    await expect
      .poll(
        async () => (await wire.ok('get_site', { oxd_id: other.oxd_id })).client_secret_expires_at,
      )
      .toBeGreaterThan(Date.now() / 1000 + 1000)
    slow.straighten()
    await Promise.all(waiting)
  })
})

describe('P8 two daemons change a site at once', () => {
  test('the one that is answered late tells the OP again, and logins go on', async () => {
    await using second = await TestDaemon.start({
      daemon: { state_directory: `${daemon.folder}/state`, op_timeout: 5 },
    })
    using other = await Wire.connect(second.socket)
    const op = await BentOp.start({ more_algs: ['ES256'] })
    ops.push(op)
    const site = await BentSite.register(wire, op)
    const { oxd_id } = site
    const held = holdBack(op)
    const late = other.call('update_site', { oxd_id, client_name: 'B' })
    await expect.poll(() => held.length).toBe(1)
    op.straighten()
    await wire.ok('update_site', { oxd_id, id_token_signed_response_alg: 'ES256' })
    held[0]?.()
    expect(await late).toMatchObject({ status: 'ok' })
    expect([...op.clients.values()].at(-1)).toMatchObject({
      client_name: 'B',
      id_token_signed_response_alg: 'ES256',
    })
    await site.accepts()
    await new BentSite(other, op, oxd_id).accepts()
  })

  test('what the OP registered otherwise is asked for again, when it is asked for again', async () => {
    const op = await startOp()
    const { oxd_id } = await BentSite.register(wire, op)
    op.bend({ client: withMembers({ client_name: 'Other' }) })
    const params = { oxd_id, client_name: 'Shop' }
    expect(await wire.ok('update_site', params)).toMatchObject({ changed: ['client_name'] })
    op.straighten()
    expect(await wire.ok('update_site', params)).toEqual({ oxd_id })
    expect(op.calls()).toMatchObject({ client: 2 })
    await wire.ok('update_site', params)
    expect(op.calls()).toMatchObject({ client: 2 })
  })
})

describe('P8 a registration access token', () => {
  test.each([
    ['empty', ''],
    ['with a line break', 'a\nb'],
    ['with other letters', 'tökén'],
  ])('%s in a 201 counts as none; in an update the known one is kept', async (_, bad) => {
    const op = await startOp()
    op.bend({ registration: withMembers({ registration_access_token: bad }) })
    const { oxd_id } = await BentSite.register(wire, op)
    expect(await wire.refused('update_site', { oxd_id, client_name: 'x' })).toMatchObject({
      error: 'invalid_registration_client_url',
    })
    expect(await wire.ok('remove_site', { oxd_id })).toMatchObject({ removed_at_op: false })
    op.straighten()
    const site = await BentSite.register(wire, op)
    op.bend({ client: withMembers({ registration_access_token: bad, client_secret: bad }) })
    await wire.ok('update_site', { oxd_id: site.oxd_id, client_name: 'a' })
    op.straighten()
    await wire.ok('update_site', { oxd_id: site.oxd_id, client_name: 'b' })
    await site.accepts()
  })

  test.each([
    ['client_secret', 4096],
    ['registration_access_token', 16_384],
  ])('a %s of more than %d characters is refused, and the known one kept', async (name, most) => {
    const op = await startOp()
    const long: Members = { [name]: 'x'.repeat(most + 1) }
    const refused = {
      error: 'invalid_op_response',
      error_description: expect.stringContaining(`${name} of ${most + 1} characters`),
    }
    op.bend({ registration: withMembers(long) })
    const params = {
      op_host: op.issuer,
      authorization_redirect_uri: 'https://site.example/callback',
    }
    expect(await wire.refused('register_site', params)).toMatchObject(refused)
    op.straighten()
    const site = await BentSite.register(wire, op)
    op.bend({ client: withMembers(long) })
    const { oxd_id } = site
    expect(await wire.refused('update_site', { oxd_id, client_name: 'a' })).toMatchObject(refused)
    op.straighten()
    await wire.ok('update_site', { oxd_id, client_name: 'b' })
    await site.accepts()
  })
})

describe('P9 secrets that end at once', () => {
  test('are replaced once, and not again for a minute', async () => {
    const op = await startOp()
    op.bend({ registration: withMembers({ registration_client_uri: undefined }) })
    op.client_secret_lifetime = 2
    const { oxd_id } = await BentSite.register(wire, op)
    const renewals = () =>
      daemon.log.filter(
        ({ msg, site }) => msg === 'registration renewed' && site === oxd_id.slice(0, 8),
      ).length
    await expect.poll(renewals, { timeout: 6000 }).toBe(1)
    const { client_secret_expires_at } = await wire.ok('get_site', { oxd_id })
    const later = (Number(client_secret_expires_at) + 1) * 1000
    await expect.poll(() => Date.now(), { timeout: 6000 }).toBeGreaterThan(later)
    // Nor does a command that finds it expired.
    await wire.call('introspect_access_token', { oxd_id, access_token: 'x' })
    expect(op.calls()).toMatchObject({ registration: 2 })
  })

  test('count as registrations of the realm', async () => {
    await using small = await TestDaemon.start({
      sections: '[realm default]\nregistrations_per_minute = 1\n',
    })
    using one = await Wire.connect(small.socket)
    const op = await startOp()
    op.bend({ registration: withMembers({ registration_client_uri: undefined }) })
    op.client_secret_lifetime = 2
    await BentSite.register(one, op)
    await expect
      .poll(() => small.log, { timeout: 6000 })
      .toContainEqual(expect.objectContaining({ outcome: 'quota_exceeded' }))
    expect(op.calls()).toMatchObject({ registration: 1 })
    expectNoSecrets(small.log, op)
  })
})
