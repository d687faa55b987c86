/** A session in a real store, of a site at a bent OP, without a daemon: tests set the time, and what happens meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { commands } from '../../daemon/src/commands/index.js'
import type { Realm } from '../../daemon/src/context.js'
import { CommandError } from '../../daemon/src/errors.js'
import { EventHub } from '../../daemon/src/events.js'
import { createLog } from '../../daemon/src/log.js'
import { createOpSide, type OpSide } from '../../daemon/src/op/op_side.js'
import { PassedOn } from '../../daemon/src/passed_on.js'
import { Refreshes, type RefreshWish } from '../../daemon/src/refreshes.js'
import { hashToken } from '../../daemon/src/sessions.js'
import { makeExpiringId } from '../../daemon/src/store/expiring_id.js'
import { openStore } from '../../daemon/src/store/open.js'
import type { SqliteStore } from '../../daemon/src/store/sqlite.js'
import type { SessionSecrets, Site, StoredSession } from '../../daemon/src/store/store.js'
import { BentOp, send } from './bent_op/index.js'
import { amplePlaces } from './quotas.js'

export const OP_TIMEOUT = 2
/** Of a holder: twice `OP_TIMEOUT`, and a margin. */
export const LEASE = 9

const client_id = 'issued'
const client_secret = 'a secret of the operator'
const redirect_uri = 'https://site.example/callback'

export class SessionWorld implements AsyncDisposable {
  readonly store: SqliteStore
  readonly op: BentOp
  readonly side: OpSide
  readonly site: Site
  readonly events = new EventHub()
  readonly passed_on: PassedOn
  session_id = ''
  /** As it was put. */
  session!: StoredSession
  /** The wall clock. */
  now = Math.floor(Date.now() / 1000)
  /** Seconds by which the wall clock was set forth or back. */
  stepped = 0
  /** Runs at each pause, in the place of time. */
  onPause: () => unknown = () => {}
  pauses: number[] = []
  readonly #folder: string
  #main: Refreshes | undefined

  private constructor(folder: string, store: SqliteStore, op: BentOp) {
    this.#folder = folder
    this.store = store
    this.op = op
    this.side = createOpSide({
      realm: 'shop',
      store,
      clock: () => this.now,
      log: createLog('silent'),
      timeout: OP_TIMEOUT,
      insecure_hosts: ['127.0.0.1'],
      allowed_hosts: [],
      places: amplePlaces,
      clock_tolerance: 60,
      refresh_after: 3600,
    })
    this.passed_on = new PassedOn(() => this.now)
    op.addClient({
      client_id,
      client_secret,
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [redirect_uri],
    })
    this.site = {
      oxd_id: 'site',
      realm: 'shop',
      op_host: op.issuer,
      issuer: op.issuer,
      redirect_uri,
      registered_by: 'operator',
      client: { client_id },
      settings: { scope: ['openid'], login_binding: 'none', tokens: 'site' },
      created_at: this.now,
      secrets: { client_secret },
    }
  }

  static async start(): Promise<SessionWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'relyd-session-'))
    const files = { database: join(folder, 'store/db'), key_file: join(folder, 'keys/key') }
    const { store } = await openStore(files)
    const world = new SessionWorld(folder, store, await BentOp.start())
    await world.putSession()
    return world
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.side.close()
    await this.op[Symbol.asyncDispose]()
    await this.store.close()
    rmSync(this.#folder, { recursive: true })
  }

  /** Another session in the place of the one before. */
  async putSession(secrets: Partial<SessionSecrets> = {}): Promise<StoredSession> {
    const { access_token, refresh_token } = this.op.grant(client_id)
    this.session_id = makeExpiringId(this.now + 600)
    await this.store.putSession({
      session_id: this.session_id,
      oxd_id: this.site.oxd_id,
      issuer: this.op.issuer,
      sub: this.op.sub,
      sid: null,
      acr: null,
      amr: null,
      auth_time: null,
      created_at: this.now,
      access_token_hash: hashToken(access_token),
      secrets: {
        access_token,
        refresh_token,
        id_token: 'id token',
        id_token_claims: { sub: this.op.sub },
        ...secrets,
      },
    })
    this.session = (await this.present()) as StoredSession
    return this.session
  }

  /** The session as it is now, if it is. */
  present(): Promise<StoredSession | undefined> {
    return this.store.getSession(this.session_id, 'site', this.now)
  }

  daemon(): Refreshes {
    return new Refreshes({
      store: this.store,
      events: this.events,
      clock: () => this.now,
      monotonic: () => this.now - this.stepped,
      op_timeout: OP_TIMEOUT,
      pause: async (ms) => {
        this.pauses.push(ms)
        await this.onPause()
      },
    })
  }

  /** Of who wants another access token than the session began with. */
  another(): RefreshWish {
    const { access_token_hash } = this.session
    return { isDone: (one) => !one.access_token_hash.equals(access_token_hash) }
  }

  refresh(daemon = this.daemon(), wish: Partial<RefreshWish> = {}) {
    return daemon.refresh(this.side, this.site, this.session, { ...this.another(), ...wish })
  }

  /** Takes the lease, as a daemon that is about to ask the OP. */
  async hold(): Promise<{ token: Buffer; until: number }> {
    const lease = { token: Buffer.alloc(16, 'holder'), until: this.now + LEASE }
    const had = await this.store.leaseSession(this.session.session_key, lease, this.now)
    expect(had).toMatchObject({ leased: true })
    return lease
  }

  /** Lets something happen while the OP is being asked for tokens, once. */
  during(happens: () => Promise<unknown>): void {
    this.op.bend({
      token: (answer) => {
        this.op.straighten()
        return (response) => {
          void happens().then(() => send(response, answer))
        }
      },
    })
  }

  /** Lets something happen once a command has read the session. */
  afterReading(happens: () => Promise<unknown>): void {
    const { store } = this
    const { getSession } = store
    store.getSession = async (...given) => {
      store.getSession = getSession
      const session = await store.getSession(...given)
      await happens()
      return session
    }
  }

  /** Runs a command of the site's, as one daemon does. @returns its answer, or the error's code */
  async run(name: keyof typeof commands, params: object = {}): Promise<Record<string, unknown>> {
    this.#main ??= this.daemon()
    const context = {
      store: this.store,
      events: this.events,
      clock: () => this.now,
      log: createLog('silent'),
      refreshes: this.#main,
      op: this.side,
      realm: { name: 'shop', tokens: 'site', passed_on: this.passed_on } as unknown as Realm,
      refuse(code: CommandError['code'], description: string): never {
        throw new CommandError(code, description)
      },
    }
    const run = commands[name].run as unknown as (...given: object[]) => Promise<object>
    try {
      return { ...(await run(context, this.site, params)) }
    } catch (error) {
      if (error instanceof CommandError) return { error: error.code }
      throw error
    }
  }
}
