/** Every option that is declared to be reloadable is taken over where it does its work, and no other is. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { connected } from '../../test/support/peer.js'
import { systemClock } from './clock.js'
import { loadConfig } from './config/load.js'
import { type Option, type Options, opHosts } from './config/option.js'
import { sections } from './config/options.js'
import { CommandError } from './errors.js'
import { EventHub } from './events.js'
import { Exchanges } from './exchanges.js'
import { InForce } from './in_force.js'
import { KeyRotation } from './key_rotation.js'
import { createLog } from './log.js'
import { Metrics } from './metrics/metrics.js'
import { onBehalfOf } from './on_behalf.js'
import type { OpOptions } from './op/op_options.js'
import { Refreshes } from './refreshes.js'
import { Renewals } from './registration_renewal.js'
import { type Reloaded, reload } from './reload.js'
import { Server } from './server/server.js'
import { createSiteDispatch } from './server/site_dispatch.js'
import { SiteCache } from './sites.js'
import { openStore } from './store/open.js'

const OP = 'http://127.0.0.1:9'

/** For a busy host. */
const PATIENT = { timeout: 10_000, interval: 5 }

type Sections = Record<string, Record<string, string>>

/** What a daemon is made of, but for the process. */
class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'relyd-reload-'))
  readonly log: Record<string, unknown>[] = []
  in_force!: InForce
  #server!: Server
  #stop: () => Promise<unknown> = async () => {}
  readonly #logger = createLog('info', { write: (line) => void this.log.push(JSON.parse(line)) })

  static async start(given: Sections): Promise<World> {
    const world = new World()
    await world.#start(given)
    return world
  }

  get level(): string {
    return this.#logger.level
  }

  get connections(): number | undefined {
    return this.#server.listeners[0]?.connections
  }

  get realm() {
    const realm = this.in_force.realms.get('default')
    if (!realm) throw new Error('no realm')
    return realm
  }

  async #start(given: Sections): Promise<void> {
    this.write(given)
    const config = loadConfig(join(this.folder, 'relyd.cfg'), {})
    const { store } = await openStore(config.daemon)
    const events = new EventHub()
    const log = this.#logger
    const sites = new SiteCache(store)
    const exchanges = new Exchanges()
    const refreshes = new Refreshes({ store, events, clock: systemClock, op_timeout: 1 })
    this.in_force = new InForce(config, {
      store,
      sites,
      exchanges,
      renewals: new Renewals({ store, sites, exchanges, clock: systemClock, log }),
      key_rotation: new KeyRotation({ store, sites, exchanges, clock: systemClock, log }),
      events,
      clock: systemClock,
      log,
      metrics: new Metrics(),
      refreshes,
    })
    this.#server = new Server(log)
    const dispatch = createSiteDispatch(() => ({
      services: this.in_force.services,
      realm: this.realm,
    }))
    for (const listener of config.listeners) {
      await this.#server.listen(listener, new Map([[listener.realm, dispatch]]))
    }
    this.#stop = async () => {
      await this.#server.drain(0)
      await this.realm.op.close()
      await store.close()
      rmSync(this.folder, { recursive: true })
    }
    onTestFinished(() => this.#stop() as Promise<void>)
  }

  write(given: Sections): void {
    const all: Sections = {
      daemon: { state_directory: join(this.folder, 'state'), ...given['daemon'] },
      'listener site': {
        address: `unix:${join(this.folder, 'socket')}`,
        ...given['listener site'],
      },
      ...Object.fromEntries(
        Object.entries(given).filter(([name]) => name !== 'daemon' && name !== 'listener site'),
      ),
    }
    const text = Object.entries(all).map(([name, options]) => {
      const lines = Object.entries(options).map(([option, value]) => `${option} = ${value}`)
      return `[${name}]\n${lines.join('\n')}\n`
    })
    writeFileSync(join(this.folder, 'relyd.cfg'), text.join('\n'))
  }

  reload(given: Sections): Reloaded {
    this.write(given)
    return reload({ in_force: this.in_force, server: this.#server, log: this.#logger })
  }

  connect() {
    return connected(join(this.folder, 'socket'))
  }

  /** What the daemon says first to who sends this, and how long it waits. */
  async answer(text: string): Promise<string> {
    const socket = await this.connect()
    socket.write(text)
    const [chunk] = await Promise.race([
      once(socket, 'data'),
      once(socket, 'close').then(() => ['closed']),
    ])
    socket.destroy()
    return String(chunk)
  }
}

/** How many of a site's calls an OP is asked at once. */
async function opCalls(world: World): Promise<number> {
  const slow = createServer((request, response) => {
    if (request.url === '/ping') response.end()
    else asked += 1
  }).listen(0, '127.0.0.1')
  await once(slow, 'listening')
  const { port } = slow.address() as AddressInfo
  let asked = 0
  const done = new AbortController()
  const request = { method: 'GET', headers: {}, body: undefined, redirect: 'manual' as const }
  const calls = Array.from({ length: 5 }, () =>
    onBehalfOf({ request_id: 'test-1', site: 'shop', calls: { count: 0, ms: 0 } }, () =>
      world.realm.op.http
        .fetch(`http://127.0.0.1:${port}/`, { ...request, signal: done.signal })
        .catch((error: unknown) => expect(error).toBeInstanceOf(CommandError)),
    ),
  )
  const may = () => Math.min(...Object.values(world.realm.quotas.op_calls))
  await expect.poll(() => asked, PATIENT).toBeGreaterThanOrEqual(may())
  // Whatever else was on its way is there before this.
  await fetch(`http://127.0.0.1:${port}/ping`)
  done.abort()
  await Promise.all(calls)
  slow.closeAllConnections()
  slow.close()
  return asked
}

function count(may: () => boolean): number {
  let counted = 0
  while (counted < 5 && may()) counted += 1
  return counted
}

/** Documents of an OP that is down were fetched a minute ago: how often that is tried anew. */
async function refreshes(world: World): Promise<number> {
  const documents = { issuer: OP, authorization_endpoint: `${OP}/a`, token_endpoint: `${OP}/t` }
  const { store } = world.in_force.services
  await store.putOpDocuments({
    realm: 'default',
    op_host: OP,
    metadata: { ...documents, jwks_uri: `${OP}/k` },
    jwks: null,
    fetched_at: systemClock() - 60,
  })
  await world.realm.op.providers.get(OP)
  const told = () => world.log.filter(({ msg }) => String(msg).includes('not refreshed')).length
  if (world.in_force.config.daemon.op_refresh < 60) await expect.poll(told, PATIENT).toBe(1)
  return told()
}

/** Replies to a connection beyond the limit name it. */
async function placesNamed(world: World): Promise<string | undefined> {
  await expect.poll(() => world.connections, PATIENT).toBe(0)
  const open = [await world.connect(), await world.connect()]
  const told = await world.answer('{"id":1,"command":"ping"}\n')
  for (const socket of open) socket.destroy()
  return /(\d+) connections are open/.exec(told)?.[1]
}

/** How many of twelve connections may leave most of a megabyte unfinished. */
async function unfinished(world: World): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: 12 }, () => world.connect()))
  let refused = 0
  for (const socket of sockets) {
    socket.on('data', (chunk) => {
      if (String(chunk).includes('buffer_megabytes')) refused += 1
    })
    socket.write(`{"id":1,"command":"${'x'.repeat(1_000_000)}`)
  }
  if (world.in_force.config.listeners[0]?.buffer_megabytes === 8) {
    await expect.poll(() => refused, PATIENT).toBeGreaterThan(0)
  } else await world.answer('{"id":1,"command":"ping"}\n')
  for (const socket of sockets) socket.destroy()
  return refused > 0 ? 1 : 0
}

/** The OP of a section. */
const ISSUER = 'https://op.example'

/** What the section's metadata_file says. */
const METADATA_FILE = join(mkdtempSync(join(tmpdir(), 'relyd-reload-op-')), 'op.json')
beforeAll(() =>
  writeFileSync(
    METADATA_FILE,
    JSON.stringify({
      issuer: `${ISSUER}/{tenantid}/v0`,
      authorization_endpoint: `${ISSUER}/authorize`,
      token_endpoint: `${ISSUER}/token`,
      jwks_uri: `${ISSUER}/jwks`,
    }),
  ),
)
afterAll(() => rmSync(dirname(METADATA_FILE), { recursive: true }))

/** Ids of tenants. */
const TENANTS = [
  '11111111-2222-3333-4444-555555555555',
  '99999999-2222-3333-4444-555555555555',
] as const

interface Probe {
  /** What the file says before, where the default would take too long to see. */
  before?: string
  after: string
  /** Options that must stand beside it. */
  beside?: Record<string, string>
  /** Looks where the option does its work. */
  look(world: World): unknown
  seen: [before: unknown, after: unknown]
}

function quota(
  after: string,
  look: (quotas: World['realm']['quotas']) => number,
  before: number,
): Probe {
  return { after, look: ({ realm }) => look(realm.quotas), seen: [before, Number(after)] }
}

const own = (world: World, address: string) => world.realm.op.http.policy.isOwn(new URL(address))

const probes: Record<string, Probe> = {
  'daemon log_level': { after: 'warn', look: ({ level }) => level, seen: ['info', 'warn'] },
  'daemon default_op': {
    after: 'https://10.0.0.1',
    look: (world) => [world.in_force.services.settings.default_op, own(world, 'https://10.0.0.1')],
    seen: [
      [undefined, false],
      ['https://10.0.0.1', true],
    ],
  },
  'daemon login_lifetime': {
    after: '60',
    look: ({ in_force }) => in_force.services.settings.login_lifetime,
    seen: [600, 60],
  },
  'daemon session_lifetime': {
    after: '60',
    look: ({ in_force }) => in_force.services.settings.session_lifetime,
    seen: [28_800, 60],
  },
  'daemon client_key_lifetime': {
    after: '7',
    look: ({ in_force }) => in_force.services.settings.client_key_lifetime,
    seen: [90, 7],
  },
  'daemon op_timeout': { after: '3', look: ({ realm }) => realm.op.http.timeout, seen: [10, 3] },
  'daemon op_refresh': { after: '30', look: refreshes, seen: [0, 1] },
  'daemon clock_tolerance': {
    after: '5',
    look: ({ realm }) => realm.op.clock_tolerance,
    seen: [60, 5],
  },
  'daemon drain_timeout': {
    after: '3',
    look: ({ in_force }) => in_force.config.daemon.drain_timeout,
    seen: [10, 3],
  },
  'daemon insecure_op_hosts': {
    after: '127.0.0.1, 10.0.0.2',
    look: ({ realm }) => realm.op.http.policy.isSecure(new URL('http://10.0.0.2')),
    seen: [false, true],
  },
  'daemon proxy': {
    after: 'http://127.0.0.1:3128',
    look: ({ realm }) => realm.op.http.policy.proxied,
    seen: [false, true],
  },
  'listener connections': { after: '2', look: placesNamed, seen: [undefined, '2'] },
  'listener buffer_megabytes': { after: '8', look: unfinished, seen: [0, 1] },
  'listener frame_timeout': {
    before: '2',
    after: '1',
    look: (world) => world.answer('{"id":1').then((text) => /within (\d) s/.exec(text)?.[1]),
    seen: ['2', '1'],
  },
  'listener idle_timeout': {
    after: '1',
    look: async (world) => {
      if (world.in_force.config.listeners[0]?.idle_timeout !== 1) return 'open'
      const socket = await world.connect()
      await once(socket, 'close')
      return 'closed'
    },
    seen: ['open', 'closed'],
  },
  'realm allowed_op_hosts': {
    before: 'shop.internal',
    after: 'blog.internal',
    look: (world) => [own(world, 'https://shop.internal'), own(world, 'https://blog.internal')],
    seen: [
      [true, false],
      [false, true],
    ],
  },
  'realm tokens': { after: 'daemon', look: ({ realm }) => realm.tokens, seen: ['site', 'daemon'] },
  'realm front_channel_access_tokens': {
    after: 'yes',
    look: ({ realm }) => realm.front_channel_access_tokens,
    seen: [false, true],
  },
  'realm oxd_clients': {
    after: '3.0',
    look: ({ realm }) => realm.oxd_clients,
    seen: [undefined, '3.0'],
  },
  'realm protect_commands_with_access_token': {
    before: 'no',
    after: 'yes',
    beside: { oxd_clients: '3.1' },
    look: ({ realm }) => realm.protect_commands_with_access_token,
    seen: [false, true],
  },
  'realm sites': quota('7', ({ sites }) => sites, 1000),
  'realm registrations_per_minute': {
    before: '3',
    after: '2',
    look: ({ realm }) => count(() => realm.registrations.take()),
    // Those of before count.
    seen: [3, 0],
  },
  'realm lookups_per_minute': {
    before: '3',
    after: '5',
    look: ({ realm }) => count(() => realm.lookups.take()),
    seen: [3, 2],
  },
  'realm webfinger': {
    after: 'yes',
    look: ({ realm }) => realm.webfinger,
    seen: [false, true],
  },
  'realm pending_logins_per_site': quota('7', (one) => one.pending_logins.site, 50_000),
  'realm pending_logins': quota('7', (one) => one.pending_logins.realm, 200_000),
  'realm sessions_per_site': quota('7', (one) => one.sessions.site, 200_000),
  'realm sessions': quota('7', (one) => one.sessions.realm, 1_000_000),
  'realm store_megabytes_per_site': quota('7', (one) => one.store_megabytes.site, 2048),
  'realm store_megabytes': quota('7', (one) => one.store_megabytes.realm, 8192),
  'realm requests_per_site': {
    before: '3',
    after: '4',
    look: ({ realm }) => count(() => realm.requests.enter('shop') === undefined),
    // Beside the three that are in flight still.
    seen: [3, 1],
  },
  'realm requests': {
    before: '3',
    after: '4',
    look: ({ realm }) => count(() => realm.requests.enter('shop') === undefined),
    seen: [3, 1],
  },
  'realm op_calls_per_site': {
    before: '3',
    after: '2',
    look: opCalls,
    seen: [3, 2],
  },
  'realm op_calls': { before: '3', after: '2', look: opCalls, seen: [3, 2] },
  'op op_host': {
    before: ISSUER,
    after: 'https://other.example',
    look: ({ realm }) => [...realm.op.options.keys()],
    seen: [[ISSUER], ['https://other.example']],
  },
  'op issuer': ofOp('issuer', `${ISSUER}/{tenantid}/v1`, `${ISSUER}/{tenantid}/v2`),
  'op tenants': {
    before: TENANTS[0],
    after: TENANTS[1],
    look: (world) => optionsOfOp(world)?.tenants,
    seen: [[TENANTS[0]], [TENANTS[1]]],
  },
  'op metadata_file': {
    after: METADATA_FILE,
    look: (world) => optionsOfOp(world)?.static?.metadata.issuer,
    seen: [undefined, `${ISSUER}/{tenantid}/v0`],
  },
  'op authorization_parameters': {
    before: 'a=1',
    after: 'b=2',
    look: (world) => optionsOfOp(world)?.authorization_parameters,
    seen: [{ a: '1' }, { b: '2' }],
  },
  'op response_mode': {
    after: 'form_post',
    look: (world) => optionsOfOp(world)?.response_mode,
    seen: [undefined, 'form_post'],
  },
  'op logout_endpoint': ofOp('logout_endpoint', `${ISSUER}/logout`, `${ISSUER}/out`),
  'op logout_return_parameter': ofOp('logout_return_parameter', 'returnTo', 'logout_uri'),
  'op initial_access_token_file': ofOp('initial_access_token_file', '/a.token', '/b.token'),
  'op trusted_audiences': {
    before: 'one',
    after: 'one, two',
    look: (world) => optionsOfOp(world)?.trusted_audiences,
    seen: [['one'], ['one', 'two']],
  },
  'op userinfo_method': ofOp('userinfo_method', 'GET', 'POST'),
  'op claims_providers': {
    before: 'https://one.example',
    after: 'https://two.example',
    look: (world) => optionsOfOp(world)?.claims_providers,
    seen: [['https://one.example'], ['https://two.example']],
  },
  'op client_assertion_audience': ofOp('client_assertion_audience', 'issuer', 'token_endpoint'),
}

function optionsOfOp({ realm }: World): OpOptions | undefined {
  return realm.op.options.get(ISSUER)
}

/** What logins at the ISSUER go by, which is looked up for each. */
function ofOp(name: keyof OpOptions, before: string, after: string): Probe {
  return { before, after, look: (world) => optionsOfOp(world)?.[name], seen: [before, after] }
}

const declared = Object.entries(sections).flatMap(([kind, { options }]) =>
  Object.entries(options as Options).map(([name, option]): [string, string, Option] => [
    kind,
    name,
    option,
  ]),
)

/** The test's section of a kind. */
const headers: Record<string, string> = {
  daemon: 'daemon',
  listener: 'listener site',
  realm: 'realm default',
  op: 'op test',
}

const base: Sections = {
  daemon: { insecure_op_hosts: '127.0.0.1' },
  // Of which some options need others.
  'op test': {
    op_host: ISSUER,
    issuer: `${ISSUER}/{tenantid}/v0`,
    tenants: TENANTS[0],
    logout_endpoint: `${ISSUER}/bye`,
    logout_return_parameter: 'back',
  },
}

function withOption(
  header: string,
  name: string,
  value: string | undefined,
  beside: Record<string, string> = {},
): Sections {
  if (value === undefined) return base
  return { ...base, ...sectionWith(header, name, value, beside) }
}

function sectionWith(
  header: string,
  name: string,
  value: string,
  beside: Record<string, string> = {},
): Sections {
  return { [header]: { ...base[header], ...beside, [name]: value } }
}

describe('an option that is reloadable', () => {
  test('has a probe, and every probe is of one', () => {
    const reloadable = declared.flatMap(([kind, name, { reload: can }]) =>
      can ? [`${kind} ${name}`] : [],
    )
    expect(Object.keys(probes).sort()).toEqual(reloadable.sort())
  })

  test.for(Object.entries(probes))('%s is taken over', async ([option, probe]) => {
    const [kind = '', name = ''] = option.split(' ')
    const header = headers[kind] as string
    const world = await World.start(withOption(header, name, probe.before, probe.beside))
    expect(await probe.look(world)).toEqual(probe.seen[0])
    const shown = `[${header}] ${name}`
    expect(world.reload(withOption(header, name, probe.after, probe.beside))).toEqual({
      changed: { [shown]: { from: expect.any(String), to: probe.after } },
      certificates: [],
      needs_restart: [],
    })
    expect(world.log.find(({ msg }) => msg === 'reloaded')).toMatchObject({
      changed: { [shown]: { to: probe.after } },
    })
    expect(await probe.look(world)).toEqual(probe.seen[1])
  })
})

test('a section of an OP comes and goes', async () => {
  const world = await World.start({})
  const op = { op_host: ISSUER, logout_endpoint: `${ISSUER}/bye` }
  expect(world.reload({ 'op test': op })).toMatchObject({
    changed: { '[op test]': { from: 'none', to: ISSUER } },
    needs_restart: [],
  })
  expect(optionsOfOp(world)?.logout_endpoint).toBe(`${ISSUER}/bye`)
  expect(world.reload({})).toMatchObject({
    changed: { '[op test]': { from: ISSUER, to: 'none' } },
    needs_restart: [],
  })
  expect(optionsOfOp(world)).toBeUndefined()
})

describe('an option that is not', () => {
  const others: Record<string, string> = {
    state_directory: '/nowhere',
    database: 'store/other.db',
    key_file: 'other.key',
    admin_socket: 'other.sock',
    log_format: 'pretty',
    metrics_address: 'tcp:127.0.0.1:9464',
    address: 'tcp:127.0.0.1:1',
    mode: '0600',
    realm: 'shop',
    oxd_http: 'yes',
  }

  test.for(
    declared.filter(([, name, { reload: can }]) => !can && !/^tls_|^certificate_/.test(name)),
  )('%s %s is named, and stays', async ([kind, name]) => {
    const header = headers[kind] as string
    const started =
      name === 'oxd_http' ? { ...base, 'realm default': { oxd_clients: '3.1' } } : base
    const changed = { ...started, ...sectionWith(header, name, others[name] ?? 'none') }
    const world = await World.start(started)
    const before = structuredClone({ ...world.in_force.config })
    const reloaded = world.reload(changed)
    expect(reloaded).toMatchObject({ changed: {} })
    const named = `[${header}] ${name}`
    expect(reloaded).toHaveProperty('needs_restart', expect.arrayContaining([named]))
    expect(world.log.at(-1)).toMatchObject({
      level: 40,
      needs_restart: expect.arrayContaining([named]),
    })
    expect({ ...world.in_force.config }).toEqual(before)
    // It is said again for as long as the file says otherwise, and no more when it is taken back.
    expect(world.reload(changed)).toEqual(reloaded)
    expect(world.reload(started)).toEqual({ changed: {}, certificates: [], needs_restart: [] })
  })

  test('is a listener or realm that the daemon began without, or goes on with', async () => {
    const world = await World.start({
      ...base,
      'listener old': { address: 'tcp:127.0.0.1:0', realm: 'default' },
    })
    const other = { address: 'tcp:127.0.0.1:0', realm: 'shop' }
    const reloaded = world.reload({ ...base, 'listener new': other, 'realm shop': { sites: '5' } })
    expect(reloaded).toEqual({
      changed: {},
      certificates: [],
      needs_restart: ['[listener old]', '[listener new]', '[realm shop]'],
    })
    expect([...world.in_force.realms.keys()]).toEqual(['default'])
  })
})

describe('a file that is bad', () => {
  test.for([
    [
      'has a value that is none',
      { daemon: { op_timeout: '0' } },
      /relyd\.cfg:3: op_timeout must be/,
    ],
    ['has an unknown option', { daemon: { op_tmeout: '5' } }, /relyd\.cfg:3: .* did you mean op_t/],
    ['has an unknown section', { daemon: {}, demon: {} }, /unknown section \[demon\]/],
  ] as [string, Sections, RegExp][])(
    'as it %s changes nothing, and the log says why',
    async ([, bad, why]) => {
      const world = await World.start({ 'realm default': { sites: '7' } })
      const { config, services, realms } = world.in_force
      const reloaded = world.reload({ ...bad, 'realm default': { sites: '8' } })
      expect(reloaded).toEqual({ refused: expect.stringMatching(why) })
      expect(world.log.filter(({ level }) => Number(level) >= 50)).toEqual([
        expect.objectContaining({ error: expect.stringMatching(why) }),
      ])
      expect(world.in_force).toMatchObject({ config, services, realms })
      expect(world.realm.quotas.sites).toBe(7)
    },
  )

  test('as it is gone, too', async () => {
    const world = await World.start(base)
    rmSync(join(world.folder, 'relyd.cfg'))
    const { in_force } = world
    world.write = () => {}
    expect(world.reload(base)).toEqual({ refused: expect.stringContaining('no such file') })
    expect(in_force.config.daemon.insecure_op_hosts).toEqual(opHosts('127.0.0.1'))
  })
})

test('who waits for a place at an OP gets one when there are more', async () => {
  const world = await World.start(withOption('realm default', 'op_calls_per_site', '1'))
  const asked = opCalls(world)
  world.reload(withOption('realm default', 'op_calls_per_site', '5'))
  expect(await asked).toBe(5)
})
