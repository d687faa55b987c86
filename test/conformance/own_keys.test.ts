/** Keys that relyd makes for its sites: told to the OP, used, replaced, and kept as long as they are needed. */
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  answers,
  BentOp,
  BentSite,
  expectNoSecrets,
  json,
  type LoginRequest,
  type Members,
  makeKey,
  readJwt,
  reset,
} from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { IssuedWorld } from '../support/issued_world.js'
import { Wire } from '../support/wire.js'

const HOUR = 60 * 60
const DAY = 24 * HOUR

/** One for all OPs, as to make keys takes a while. */
const key = makeKey('ES256')

const metadata = {
  token_endpoint_auth_methods_supported: ['private_key_jwt', 'client_secret_basic'],
  token_endpoint_auth_signing_alg_values_supported: ['ES256'],
}

let daemon: TestDaemon
let wire: Wire
let admin: Wire
const ops: BentOp[] = []

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { log_level: 'trace' } })
  wire = await Wire.connect(daemon.socket)
  admin = await Wire.connect(daemon.admin_socket)
})

afterAll(async () => {
  wire?.[Symbol.dispose]()
  admin?.[Symbol.dispose]()
  await daemon?.stop()
  expectNoSecrets(daemon.log, ...ops)
  expect(daemon.output).not.toContain('PRIVATE KEY')
  await daemon?.[Symbol.asyncDispose]()
  await Promise.all(ops.map((op) => op[Symbol.asyncDispose]()))
})

async function startOp(): Promise<BentOp> {
  const op = await BentOp.start({ alg: 'ES256', key, metadata })
  ops.push(op)
  return op
}

const byKey = { token_endpoint_auth_method: 'private_key_jwt' }

const encrypted = {
  id_token_encrypted_response_alg: 'ECDH-ES',
  id_token_encrypted_response_enc: 'A256GCM',
}

/** What the OP has of the site. */
function known(op: BentOp): Members[] {
  return [...op.clients.values()].at(-1)?.jwks?.keys ?? []
}

/** The key that signed what the OP was sent last. */
function signer(op: BentOp): unknown {
  const form = new URLSearchParams(op.last('token').body)
  return readJwt(form.get('client_assertion') ?? '').header['kid']
}

const kidsOf = (keys: Members[], use?: string) =>
  keys.filter((one) => use === undefined || one['use'] === use).map(({ kid }) => kid)

const published = async ({ oxd_id }: BentSite): Promise<Members[]> =>
  (await wire.ok('get_rp_jwks', { oxd_id })).keys

const rotate = ({ oxd_id }: BentSite) => admin.call('rotate_keys', { site: oxd_id })

describe('the operator has the keys of a site replaced', () => {
  test('the OP is told of them first; the old one still signs for who has not heard', async () => {
    const op = await startOp()
    op.rotates_registration_tokens = true
    const site = await BentSite.register(wire, op, { ...byKey, ...encrypted })
    await site.accepts()
    const [before, old] = [known(op), signer(op)]
    expect(kidsOf(before, 'sig')).toEqual([old])
    for (const _ of [1, 2]) {
      const last = kidsOf(known(op), 'enc')
      const { status, data } = await rotate(site)
      expect({ status, data }).toMatchObject({
        status: 'ok',
        data: { told: 'update', signs_from: expect.any(Number), auth_method: 'private_key_jwt' },
      })
      // Nobody is to encrypt to the old one any more.
      expect(kidsOf(await published(site), 'enc')).not.toEqual(last)
      expect(kidsOf(await published(site), 'enc')).toHaveLength(1)
    }
    const [, put] = op.asked.filter(({ method }) => method === 'PUT')
    expect(kidsOf(JSON.parse(put?.body ?? '').jwks.keys, 'sig')).toContain(old)
    await site.accepts()
    expect(signer(op)).not.toBe(old)
    expect(kidsOf(known(op), 'sig')[0]).toBe(signer(op))
    expect(JSON.stringify(known(op))).not.toMatch(/"(d|p|q|dp|dq|qi|k|oth)":/)
  })

  test('what is still encrypted to the old key is read', async () => {
    const op = await startOp()
    const site = await BentSite.register(wire, op, encrypted)
    const old = op.clients.get([...op.clients.keys()].at(-1) as string)?.jwks
    expect((await rotate(site)).status).toBe('ok')
    expect(kidsOf(await published(site))).not.toEqual(kidsOf(old?.keys ?? []))
    await site.accepts()
    const [client] = [...op.clients.values()].slice(-1)
    op.addClient({ ...client, jwks: old } as never)
    await site.accepts()
  })

  test('an OP that refuses: the old key signs, and the same new one is told the next time', async () => {
    const op = await startOp()
    const site = await BentSite.register(wire, op, byKey)
    await site.accepts()
    const [old, keys] = [signer(op), await published(site)]
    op.bend({ client: answers(json({ error: 'invalid_client_metadata' }, 400)) })
    expect(await rotate(site)).toMatchObject({ status: 'error', data: { error: 'op_error' } })
    const told = JSON.parse(op.last('client').body).jwks.keys
    op.straighten()
    expect(await published(site)).toEqual(keys)
    await site.accepts()
    expect(signer(op)).toBe(old)
    expect((await rotate(site)).status).toBe('ok')
    expect(kidsOf(known(op))).toEqual(kidsOf(told))
    await site.accepts()
    expect(signer(op)).toBe(kidsOf(told)[0])
  })

  test('an OP whose answer was lost: it may use the new keys, and takes the old ones', async () => {
    const op = await startOp()
    const site = await BentSite.register(wire, op, { ...byKey, ...encrypted })
    op.bend({ client: answers(reset) })
    expect(await rotate(site)).toMatchObject({ status: 'error', data: { error: 'op_unreachable' } })
    op.straighten()
    // It encrypts to what it was told last.
    await site.accepts()
    expect((await rotate(site)).status).toBe('ok')
    await site.accepts()
  })

  test('S34 twice at once: the OP is told once', async () => {
    const op = await startOp()
    const site = await BentSite.register(wire, op, byKey)
    // In one piece, or the first could be done before the last comes.
    admin.socket.cork()
    const asked = [rotate(site), rotate(site), rotate(site)]
    admin.socket.uncork()
    const replies = await Promise.all(asked)
    const told = op.asked.filter(({ method }) => method === 'PUT').length
    expect(told).toBe(1)
    expect(replies.filter(({ status }) => status === 'ok')).toHaveLength(1)
    for (const { status, data } of replies)
      if (status === 'error') expect(data.error).toBe('site_changed')
    expect(kidsOf(await published(site)).sort()).toEqual(kidsOf(known(op)).sort())
    await site.accepts()
    expect(kidsOf(known(op))).toContain(signer(op))
  })

  test('who fetches them from jwks_uri has a day to do so', async () => {
    const op = await startOp()
    const jwks_uri = 'https://site.example/jwks.json'
    const site = await BentSite.register(wire, op, { ...byKey, jwks_uri })
    const sent = JSON.parse(op.last('registration').body)
    expect(sent).toMatchObject({ jwks_uri })
    expect(sent).not.toHaveProperty('jwks')
    let fetched = await published(site)
    op.fetchJwks = () => ({ keys: fetched })
    await site.accepts()
    const old = signer(op)
    const now = Math.floor(Date.now() / 1000)
    const { data } = await rotate(site)
    expect(data.told).toBe('jwks_uri')
    expect(data.signs_from - now).toBeGreaterThanOrEqual(DAY)
    expect(data.signs_from - now).toBeLessThan(DAY + HOUR)
    expect(op.calls()).not.toHaveProperty('client')
    // The OP has not fetched anew yet.
    await site.accepts()
    expect(signer(op)).toBe(old)
    fetched = await published(site)
    expect(kidsOf(fetched)).toHaveLength(2)
    await site.accepts()
  })

  test.each<[name: string, params: (op: BentOp) => LoginRequest, why: RegExp]>([
    ['without any', () => ({}), /no keys that relyd made/],
    [
      'at an OP that lets nobody update what it registered',
      (op) => {
        op.bend({
          registration: (honest) => {
            const { registration_client_uri: _, ...body } = honest.body as Members
            return { ...honest, body }
          },
        })
        return byKey
      },
      /cannot be told of new keys/,
    ],
  ])('a site %s: words for the operator, and nothing is asked', async (_, params, why) => {
    const op = await startOp()
    const site = await BentSite.register(wire, op, params(op))
    op.straighten()
    const { status, data } = await rotate(site)
    expect({ status, data }).toMatchObject({
      status: 'error',
      data: { error: 'invalid_request', error_description: expect.stringMatching(why) },
    })
    expect(op.calls()).not.toHaveProperty('client')
    await site.accepts()
  })
})

test('P26 keys are made for an encryption that is asked for later, and told with it', async () => {
  const op = await startOp()
  const site = await BentSite.register(wire, op)
  expect(await published(site)).toEqual([])
  await wire.ok('update_site', { oxd_id: site.oxd_id, ...encrypted })
  const keys = await published(site)
  expect(keys).toMatchObject([{ use: 'enc', alg: 'ECDH-ES' }])
  expect(known(op)).toEqual(keys)
  await site.accepts()
  // And from private_key_jwt to a secret, the key is of no use any more.
  const { oxd_id } = site
  await wire.ok('update_site', { oxd_id, ...byKey })
  await site.accepts()
  await wire.ok('update_site', { oxd_id, token_endpoint_auth_method: 'client_secret_basic' })
  await site.accepts()
  expect(op.last('token').headers.authorization).toMatch(/^Basic /)
})

test('P29 get_rp_jwks also shows the keys that the operator gave, which is imported', async () => {
  const op = await startOp()
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const private_key = JSON.stringify({ ...privateKey.export({ format: 'jwk' }), kid: 'mine' })
  const { oxd_id, jwks } = await admin.ok('add_site', {
    name: 'given',
    op_host: op.issuer,
    client_id: 'given',
    private_key,
    redirect_uris: ['https://site.example/callback'],
  })
  const answered = await wire.ok('get_rp_jwks', { oxd_id })
  expect(answered).toEqual(jwks)
  expect(answered.keys).toMatchObject([{ kid: 'mine', alg: 'ES256', use: 'sig', crv: 'P-256' }])
  expect(answered.keys[0]).not.toHaveProperty('d')
})

test('keys outlive the daemon that made them', async () => {
  const op = await startOp()
  const site = await BentSite.register(wire, op, { ...byKey, ...encrypted })
  await site.accepts()
  const kid = signer(op)
  wire[Symbol.dispose]()
  admin[Symbol.dispose]()
  await daemon.stop()
  await daemon.start()
  wire = await Wire.connect(daemon.socket)
  admin = await Wire.connect(daemon.admin_socket)
  await new BentSite(wire, op, site.oxd_id).accepts()
  expect(signer(op)).toBe(kid)
})

describe('in the course of time', () => {
  async function begin(params: object) {
    const op = await startOp()
    const world = await IssuedWorld.register(op.issuer, params)
    onTestFinished(() => world[Symbol.asyncDispose]())
    // The OP's clock is this machine's; the daemon's goes ahead of it only between logins.
    const logIn = async () => {
      const { now } = world
      world.now = Math.floor(Date.now() / 1000)
      expect(await world.logIn((url) => op.authorize(url))).toMatchObject({ sub: 'alice' })
      world.now = now
    }
    return { op, world, logIn }
  }

  test('keys are replaced when they are old, and the old ones taken back later', async () => {
    const { op, world, logIn } = await begin({ ...byKey, ...encrypted })
    const first = known(op)
    await world.lookAtKeys(90 * DAY - 1)
    expect(known(op)).toEqual(first)
    await world.lookAtKeys(1)
    expect(kidsOf(known(op), 'sig')).toEqual([expect.any(String), ...kidsOf(first, 'sig')])
    expect(kidsOf(known(op), 'enc')).not.toEqual(kidsOf(first, 'enc'))
    const start = op.asked.length
    await world.lookAtKeys(HOUR - 1)
    expect(op.calls(start)).toEqual({})
    await world.lookAtKeys(1)
    expect(kidsOf(known(op))).toHaveLength(2)
    expect(kidsOf(known(op))).not.toContain(kidsOf(first, 'sig')[0])
    expect(world.site.secrets.own_keys).toHaveLength(3)
    await world.lookAtKeys(7 * DAY)
    expect(world.site.secrets.own_keys).toHaveLength(2)
    expect(op.calls(start)).toEqual({ client: 1 })
    for (const own of world.site.secrets.own_keys ?? []) own.ready_at = 0
    await logIn()
  })

  test('an OP that does not take them is asked every hour, and the old one signs', async () => {
    const { op, world, logIn } = await begin(byKey)
    const [old] = kidsOf(known(op))
    op.bend({ client: answers(json({ error: 'server_error' }, 503)) })
    await world.lookAtKeys(90 * DAY)
    await world.lookAtKeys(HOUR - 1)
    expect(op.calls()).toMatchObject({ client: 1 })
    await logIn()
    expect(signer(op)).toBe(old)
    await world.lookAtKeys(1)
    expect(op.calls()).toMatchObject({ client: 2 })
    op.straighten()
    await world.lookAtKeys(HOUR)
    expect(op.calls()).toMatchObject({ client: 3 })
    expect(kidsOf(known(op))).toHaveLength(2)
    expect(world.site.secrets.own_keys).toHaveLength(2)
  })

  test('client_key_lifetime = 0: never', async () => {
    const { op, world } = await begin(byKey)
    await world.lookAtKeys(3650 * DAY, 0)
    expect(op.calls()).not.toHaveProperty('client')
    expect(world.site.secrets.own_keys).toHaveLength(1)
  })
})
