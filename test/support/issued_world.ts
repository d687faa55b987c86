/** A site whose client an OP's operator issued, or that registered itself, in a real store and with real calls to the OP, without a daemon: tests set the time. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commands } from '../../daemon/src/commands/index.js'
import type { DaemonConfig } from '../../daemon/src/config/config.js'
import type { Realm, RealmPolicy, Services } from '../../daemon/src/context.js'
import { CommandError } from '../../daemon/src/errors.js'
import { EventHub } from '../../daemon/src/events.js'
import { Exchanges } from '../../daemon/src/exchanges.js'
import { KeyRotation } from '../../daemon/src/key_rotation.js'
import { createLog } from '../../daemon/src/log.js'
import { Metrics } from '../../daemon/src/metrics/metrics.js'
import type { ClientCredential } from '../../daemon/src/op/client_credential.js'
import type { OpOptions } from '../../daemon/src/op/op_options.js'
import type { OpSide } from '../../daemon/src/op/op_side.js'
import type { OpConfig } from '../../daemon/src/op_limits.js'
import { Refreshes } from '../../daemon/src/refreshes.js'
import { Renewals } from '../../daemon/src/registration_renewal.js'
import { issuedSite } from '../../daemon/src/registrations.js'
import { SiteCache } from '../../daemon/src/sites.js'
import { openStore } from '../../daemon/src/store/open.js'
import type { SqliteStore } from '../../daemon/src/store/sqlite.js'
import type { Site } from '../../daemon/src/store/store.js'
import { WorkingRealm } from '../../daemon/src/working_realm.js'
import { ample } from './quotas.js'

export const redirect_uri = 'https://site.example/callback'

const OP_TIMEOUT = 2

const daemon = {
  op_timeout: OP_TIMEOUT,
  op_refresh: 3600,
  insecure_op_hosts: ['127.0.0.1'],
} as DaemonConfig

const policy: RealmPolicy = {
  name: 'shop',
  tokens: 'site',
  front_channel_access_tokens: false,
  allowed_op_hosts: [],
  webfinger: false,
  oxd_clients: undefined,
  protect_commands_with_access_token: false,
  quotas: ample,
}

export interface IssuedOptions {
  op_host: string
  client_id?: string
  credential: ClientCredential
  /** What relyd.cfg says of OPs. */
  ops?: Partial<OpOptions>[]
  scope?: string[]
}

export class IssuedWorld implements AsyncDisposable {
  readonly store: SqliteStore
  /** The wall clock. */
  now = Math.floor(Date.now() / 1000)
  site!: Site
  readonly folder: string
  readonly #options: Omit<IssuedOptions, 'credential'>
  readonly #working: WorkingRealm
  readonly #services: Services

  private constructor(
    folder: string,
    store: SqliteStore,
    options: Omit<IssuedOptions, 'credential'>,
  ) {
    this.folder = folder
    this.store = store
    this.#options = options
    const clock = () => this.now
    const log = createLog('silent')
    const events = new EventHub()
    const sites = new SiteCache(store)
    const exchanges = new Exchanges()
    this.#services = {
      store,
      sites,
      exchanges,
      renewals: new Renewals({ store, sites, exchanges, clock, log }),
      key_rotation: new KeyRotation({ store, sites, exchanges, clock, log }),
      events,
      clock,
      log,
      metrics: new Metrics(),
      refreshes: new Refreshes({ store, events, clock, op_timeout: OP_TIMEOUT }),
      settings: {
        default_op: undefined,
        login_lifetime: 600,
        session_lifetime: 3600,
        client_key_lifetime: 90,
      },
    }
    this.#working = new WorkingRealm(policy, this.#services, this.#configOf(options.ops))
  }

  /** What is in force now. */
  get side(): OpSide {
    return this.#realm.op
  }

  get #realm(): Realm {
    return this.#working.inForce
  }

  #configOf(given: Partial<OpOptions>[] = []): OpConfig {
    const { op_host } = this.#options
    const ops = given.map((one): [string, OpOptions] => {
      const op = { name: 'test', client_assertion_audience: 'issuer' as const, op_host, ...one }
      return [op.op_host, op]
    })
    return { daemon, ops: new Map(ops) }
  }

  /** As a reload does: for whatever begins from now on. @param ops what relyd.cfg says of OPs */
  reload(ops: Partial<OpOptions>[]): void {
    this.#working.change(policy, this.#configOf(ops))
  }

  static async start(options: IssuedOptions): Promise<IssuedWorld> {
    return IssuedWorld.#begin(options, async (world) => {
      world.site = await issuedSite(
        { realm: world.#realm, clock: () => world.now, op: world.side },
        options.op_host,
        {
          client_id: options.client_id ?? 'issued',
          credential: options.credential,
          redirect_uris: [redirect_uri],
          settings: {
            scope: options.scope ?? ['openid'],
            login_binding: 'required',
            tokens: 'site',
          },
        },
      )
      await world.#keep()
    })
  }

  /** With a site that relyd registers. @param params of register_site, beside the addresses */
  static async register(op_host: string, params: object = {}): Promise<IssuedWorld> {
    return IssuedWorld.#begin({ op_host }, async (world) => {
      const { oxd_id } = await world.run('register_site', {
        op_host,
        authorization_redirect_uri: redirect_uri,
        ...params,
      })
      world.site = (await world.store.getSite(oxd_id, 'shop')) as Site
    })
  }

  static async #begin(
    options: Omit<IssuedOptions, 'credential'>,
    add: (world: IssuedWorld) => Promise<void>,
  ): Promise<IssuedWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'relyd-issued-'))
    const files = { database: join(folder, 'store/db'), key_file: join(folder, 'keys/key') }
    const { store } = await openStore(files)
    const world = new IssuedWorld(folder, store, options)
    try {
      await add(world)
    } catch (error) {
      await world[Symbol.asyncDispose]()
      throw error
    }
    return world
  }

  /** Lets time pass, and the daemon look at the keys of its sites then. @param days that they live */
  async lookAtKeys(seconds: number, days = 90): Promise<void> {
    this.now += seconds
    const realms = new Map([['shop', this.#realm]])
    await this.#services.key_rotation.look({ realms, lifetime: days })
    this.site = (await this.store.getSite(this.site.oxd_id, 'shop')) as Site
  }

  /** Lets time pass, and the daemon renew what is due then. */
  async renewDue(seconds: number): Promise<void> {
    this.now += seconds
    await this.#services.renewals.look([this.#realm])
    this.site = (await this.store.getSite(this.site.oxd_id, 'shop')) as Site
  }

  /** Through the store and back, as a daemon has it: sealed on the way. */
  async #keep(): Promise<void> {
    const { store, site, now } = this
    const idempotency_hash = Buffer.alloc(32, 'i')
    const intent = {
      realm: 'shop',
      idempotency_hash,
      params_hash: Buffer.alloc(32, 'p'),
      oxd_id: site.oxd_id,
      lease_until: now + 60,
    }
    await store.beginRegistration(intent, now, ample)
    await store.finishRegistration(site, idempotency_hash)
    this.site = (await store.getSite(site.oxd_id, 'shop')) as Site
  }

  /** Runs a command of the site's. @throws CommandError */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  async run(name: keyof typeof commands, params: object = {}): Promise<any> {
    const context = {
      ...this.#services,
      realm: this.#realm,
      op: this.side,
      refuse(code: CommandError['code'], description: string, options?: object): never {
        throw new CommandError(code, description, options)
      },
    }
    const { asks_op, run: declared } = commands[name]
    const run = declared as unknown as (...given: object[]) => Promise<object>
    // As every command that needs the OP does.
    if (asks_op && this.site) {
      this.site = await this.#services.renewals.ifExpired(this.#realm, this.site)
    }
    return { ...(await run(context, this.site, params)) }
  }

  /**
   * A whole login.
   *
   * @param user takes the browser from the authorization URL to the callback
   */
  async logIn(user: (authorization_url: string) => Promise<string> | string) {
    const { authorization_url, binding } = await this.run('get_authorization_url')
    const callback = await user(authorization_url)
    return this.run('get_tokens_by_callback', { callback, binding })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.side.close()
    await this.store.close()
    rmSync(this.folder, { recursive: true })
  }
}
