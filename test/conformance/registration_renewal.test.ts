/** Client secrets that expire, and are replaced before they do (RFC 7591 3.2.1, RFC 7592 3). */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  answers,
  type Bends,
  BentOp,
  type BentOpOptions,
  BentSite,
  expectNoSecrets,
  json,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { IssuedWorld } from '../support/issued_world.js'
import { Scrape } from '../support/scrape.js'
import { Wire } from '../support/wire.js'

/** Seconds that the first secret of a site is good for, and those that follow. */
const SHORT = 100
const DAY = 24 * 60 * 60

const forbidden = answers(json({ error: 'access_denied' }, 403))
const denied: Bends = { registration: forbidden, client: forbidden }

describe('P9 M15 a client secret that expires', () => {
  /** A site whose secret is good for a while, in a world whose clock the test sets. */
  async function begin(
    options: BentOpOptions = {},
    params: object = {},
    prepare = (_: BentOp) => {},
  ) {
    const op = await BentOp.start({ alg: 'ES256', ...options })
    onTestFinished(() => op[Symbol.asyncDispose]())
    prepare(op)
    op.client_secret_lifetime = SHORT
    const world = await IssuedWorld.register(op.issuer, params)
    onTestFinished(() => world[Symbol.asyncDispose]())
    op.client_secret_lifetime = DAY
    return { op, world, start: op.asked.length }
  }

  /** Seconds until its secret is replaced. */
  const untilDue = ({ now, site }: IssuedWorld) => Number(site.renew_at) - now

  const secretOf = ({ site }: IssuedWorld) => site.secrets.client_secret

  async function logIn(world: IssuedWorld, op: BentOp): Promise<void> {
    expect(await world.logIn((url) => op.authorize(url))).toMatchObject({ sub: op.sub })
  }

  test('is replaced when it is due and not before, by an update where the OP gives a new one', async () => {
    const { op, world, start } = await begin({}, {}, (op) => {
      op.renews_secrets = true
      op.rotates_registration_tokens = true
    })
    const { client } = world.site
    const secret = secretOf(world)
    const { authorization_url, binding } = await world.run('get_authorization_url')
    await world.renewDue(untilDue(world) - 1)
    expect(op.calls(start)).toEqual({})
    await world.renewDue(1)
    // Read first, as the OP may have replaced it by itself.
    expect(op.calls(start)).toEqual({ client: 2 })
    expect(world.site.client.client_id).toBe(client.client_id)
    expect(secretOf(world)).not.toBe(secret)
    expect(untilDue(world)).toBeGreaterThan(DAY / 2)
    // A login that began before goes on: the client is the same.
    const callback = op.authorize(authorization_url)
    expect(await world.run('get_tokens_by_callback', { callback, binding })).toMatchObject({
      sub: op.sub,
    })
    await world.run('update_site', { oxd_id: world.site.oxd_id, client_name: 'Shop' })
    // Reads the site anew; nothing is due.
    await world.renewDue(0)
    await logIn(world, op)
  })

  test('is replaced by another registration where it does not', async () => {
    const { op, world, start } = await begin()
    const { client } = world.site
    const { authorization_url, binding } = await world.run('get_authorization_url')
    await world.renewDue(untilDue(world))
    expect(op.calls(start)).toEqual({ client: 2, registration: 1 })
    expect(world.site.client.client_id).not.toBe(client.client_id)
    const callback = op.authorize(authorization_url)
    await expect(world.run('get_tokens_by_callback', { callback, binding })).rejects.toMatchObject({
      code: 'invalid_state',
      retryable: false,
      message: expect.stringContaining('registered anew'),
    })
    expect(op.calls(start)).toEqual({ client: 2, registration: 1 })
    await logIn(world, op)
  })

  test('is replaced with the initial access token that the site was registered with', async () => {
    const initial_access_token = 'the-token-of-the-site'
    const registration_client_secret = 'the secret of the registrar'
    const { op, world, start } = await begin(
      { protected_registration: true },
      { initial_access_token },
      (op) => op.initial_access_tokens.add(initial_access_token),
    )
    op.client_secret_lifetime = SHORT
    await world.renewDue(untilDue(world))
    expect(op.calls(start)).toEqual({ client: 2, registration: 1 })
    // From the next one on with a client that gets a token first.
    op.initial_access_tokens.clear()
    op.addClient({
      client_id: 'registrar',
      client_secret: registration_client_secret,
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [],
      grant_types: ['client_credentials'],
    })
    await world.run('update_site', {
      registration_client_id: 'registrar',
      registration_client_secret,
      registration_scope: ['dcr'],
    })
    op.client_secret_lifetime = DAY
    const later = op.asked.length
    await world.renewDue(SHORT)
    expect(op.calls(later)).toEqual({ client: 2, registration: 1, token: 1 })
    await logIn(world, op)
    const store = join(world.folder, 'store')
    const files = readdirSync(store).map((name) => readFileSync(join(store, name), 'latin1'))
    for (const secret of [initial_access_token, registration_client_secret]) {
      expect(files.join()).not.toContain(secret)
    }
  })

  test('has expired while the daemon was down: the first command waits for a new one', async () => {
    const { op, world, start } = await begin()
    world.now = Number(world.site.client.client_secret_expires_at)
    const { authorization_url, binding } = await world.run('get_authorization_url')
    expect(op.calls(start)).toEqual({ client: 2, registration: 1 })
    const callback = op.authorize(authorization_url)
    expect(await world.run('get_tokens_by_callback', { callback, binding })).toMatchObject({
      sub: op.sub,
    })
  })

  test.each<[name: string, bends: Bends]>([
    ['the OP denies all', denied],
    ['the OP leaves the secret as it is, and registers nobody', { registration: forbidden }],
  ])(
    'cannot be replaced, as %s: it is tried again later, and not at every command',
    async (_, bends) => {
      const { op, world, start } = await begin()
      const { client } = world.site
      const tried = { client: 2, registration: 1 }
      op.bend(bends)
      await world.renewDue(untilDue(world))
      expect(op.calls(start)).toEqual(tried)
      // Nor does it help to ask when it has expired.
      await world.renewDue(untilDue(world) - 1)
      expect(world.now).toBeGreaterThan(Number(client.client_secret_expires_at))
      for (let turn = 0; turn < 5; turn += 1) await world.run('get_authorization_url')
      expect(op.calls(start)).toEqual(tried)
      expect(world.site.client).toEqual(client)
      await world.renewDue(1)
      for (let turn = 0; turn < 5; turn += 1) await world.run('get_authorization_url')
      expect(op.calls(start)).toEqual({ client: 4, registration: 2 })
      op.straighten()
      await world.renewDue(untilDue(world))
      expect(op.calls(start)).toEqual({ client: 6, registration: 3 })
      await logIn(world, op)
    },
  )

  test('is replaced by one of two daemons, once, and the operator is told', async () => {
    await using first = await TestDaemon.start()
    await using second = await TestDaemon.start({
      daemon: { state_directory: `${first.folder}/state` },
    })
    await using op = await BentOp.start({ alg: 'ES256' })
    await using stubborn = await BentOp.start({ alg: 'ES256' })
    using wire = await Wire.connect(first.socket)
    using other = await Wire.connect(second.socket)
    // What the wait below depends on: half of it passes before anything is due.
    for (const one of [op, stubborn]) one.client_secret_lifetime = 6
    const sites = [await BentSite.register(wire, op), await BentSite.register(wire, op)]
    await BentSite.register(wire, stubborn)
    op.client_secret_lifetime = DAY
    stubborn.bend(denied)
    const log = () => [...first.log, ...second.log]
    const ofAll = async (outcome: string) => {
      const [one, another] = [first.admin_socket, second.admin_socket].map(async (socket) =>
        (await Scrape.of(socket)).value('relyd_registration_renewals_total', { outcome }),
      )
      return Number(await one) + Number(await another)
    }
    const options = { timeout: 20_000, interval: 50 }
    await expect.poll(() => ofAll('registered'), options).toBe(sites.length)
    await expect.poll(() => ofAll('op_error'), options).toBe(1)
    stubborn.straighten()
    expect(op.calls().registration).toBe(2 * sites.length)
    const told = expect.arrayContaining([
      expect.objectContaining({ msg: 'registration renewed', outcome: 'registered' }),
      expect.objectContaining({
        msg: expect.stringMatching(/^registration not renewed/),
        outcome: 'op_error',
      }),
    ])
    await expect.poll(log, options).toEqual(told)
    for (const { oxd_id } of sites) await new BentSite(other, op, oxd_id).accepts()
    expectNoSecrets(log(), op, stubborn)
  })
})
