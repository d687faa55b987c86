/**
 * The store on SQLite, the embedded default: reads are answered at once, writes by the commit of
 * the event-loop turn.
 */
import type Database from 'better-sqlite3'
import type { Seconds } from '../clock.js'
import { live } from '../live_secrets.js'
import { type Exceeded, levelReached, type StoreQuotas } from '../quota.js'
import type { Cell } from './encryption.js'
import { StoreError } from './errors.js'
import { expiredBelow, expiryOf, hideExpiringId, parseExpiringId } from './expiring_id.js'
import { GroupCommit, type OnCommit } from './group_commit.js'
import type { HeldKeys } from './held_keys.js'
import { Resealer } from './reseal.js'
import { secretsCell } from './sealed_tables.js'
import { SessionAdmin } from './session_admin.js'
import { hashOf, SessionTokens } from './session_tokens.js'
import { SiteAdmin } from './site_admin.js'
import {
  type LoginRow,
  prepareStatements,
  type SessionRow,
  type SiteRow,
  type Statements,
} from './statements.js'
import type {
  Login,
  OpDocuments,
  Place,
  PutLogin,
  RealmUsage,
  RegistrationFound,
  RegistrationIntent,
  RegistrationStart,
  Session,
  SessionOfToken,
  Site,
  Store,
  StoredSession,
  TakenLogin,
} from './store.js'

/** How long a registration that was never finished keeps its key, so that logs can be compared. */
const ABANDONED_AFTER: Seconds = 24 * 60 * 60

/** How long the documents of an OP are kept for a registration there. */
const UNUSED_DOCUMENTS: Seconds = 10 * 60

const MEGABYTE = 1024 * 1024

/** One SQLite file, of which any number of stores may be open. */
export class SqliteStore implements Store {
  readonly keys: HeldKeys
  readonly resealer: Resealer
  readonly #db: Database.Database
  readonly #group: GroupCommit
  readonly #prepared: Statements
  readonly #tokens: SessionTokens
  readonly #site_admin: SiteAdmin
  readonly #session_admin: SessionAdmin

  /** @param db migrated and durable, see `open.ts`; the store closes it */
  constructor(db: Database.Database, keys: HeldKeys, onCommit?: OnCommit) {
    this.#db = db
    this.keys = keys
    this.#group = new GroupCommit(db, () => keys.requireRecorded(), onCommit)
    this.resealer = new Resealer(db, keys, this.#group)
    this.#prepared = prepareStatements(db)
    this.#tokens = new SessionTokens({
      statements: () => this.#sql,
      group: this.#group,
      seal: (secrets, cell) => this.#seal(secrets, cell),
      open: (secrets, cell) => this.#open(secrets, cell),
      session: (row) => this.#session(row),
    })
    this.#site_admin = new SiteAdmin({
      statements: () => this.#sql,
      group: this.#group,
      siteRow: (site) => this.#siteRow(site),
      noRoomForSite: (realm, now, quotas) => this.#noRoomForSite(realm, now, quotas),
    })
    this.#session_admin = new SessionAdmin({
      statements: () => this.#sql,
      group: this.#group,
      session: (row) => this.#session(row),
    })
  }

  /** How many commits were made, each by all writes of an event-loop turn. */
  get commits(): number {
    return this.#group.commits
  }

  /** How many writes wait for the next commit. */
  get waiting(): number {
    return this.#group.waiting
  }

  async findRegistration(
    realm: string,
    idempotency_hash: Buffer,
    now: Seconds,
  ): Promise<RegistrationFound> {
    const found = this.#sql.getRegistration.get(realm, idempotency_hash)
    if (!found) return undefined
    const { finished, lease_until, oxd_id, params_hash } = found
    if (!finished && lease_until < now) return undefined
    return { outcome: finished ? 'registered' : 'in_progress', oxd_id, params_hash }
  }

  async beginRegistration(
    intent: RegistrationIntent,
    now: Seconds,
    quotas: StoreQuotas & { sites: number },
  ): Promise<RegistrationStart> {
    const { beginRegistration, getRegistration, siteOfName } = this.#sql
    const { name, ...row } = intent
    return this.#group.run(() => {
      const holder = name === undefined ? undefined : siteOfName.get(name, intent.realm)
      if (holder !== undefined) {
        return { outcome: 'registered', oxd_id: holder, params_hash: intent.params_hash }
      }
      const exceeded = this.#noRoomForSite(intent.realm, now, quotas)
      const known = exceeded && getRegistration.get(intent.realm, intent.idempotency_hash)
      if (exceeded && !known) return { outcome: 'exceeded', ...exceeded }
      const oxd_id = beginRegistration.get({ ...row, now })
      if (oxd_id !== undefined) return { outcome: 'begun', oxd_id }
      const found = getRegistration.get(intent.realm, intent.idempotency_hash)
      if (!found) throw new Error('a registration conflicts and is not there')
      const { finished, params_hash } = found
      const outcome = finished ? 'registered' : 'in_progress'
      return { outcome, oxd_id: found.oxd_id, params_hash }
    })
  }

  async finishRegistration(site: Site, idempotency_hash: Buffer): Promise<void> {
    const { finishRegistration, abandonRegistration, putSite, siteOfName } = this.#sql
    const row = this.#siteRow(site)
    // Of a named site, the name is the record: it may be changed, and given to another then.
    const finish = row.name === null ? finishRegistration : abandonRegistration
    await this.#group.runSeveral(() => {
      const { changes } = finish.run(site.realm, idempotency_hash, site.oxd_id)
      if (changes === 0 || (row.name !== null && siteOfName.get(row.name, row.realm))) {
        throw new StoreError(
          'lease_lost',
          `The registration of ${site.oxd_id.slice(0, 8)} took longer than its lease, and is another caller's`,
        )
      }
      putSite.run(row)
    })
  }

  async abandonRegistration(
    realm: string,
    idempotency_hash: Buffer,
    oxd_id: string,
  ): Promise<void> {
    const { abandonRegistration } = this.#sql
    await this.#group.run(() => abandonRegistration.run(realm, idempotency_hash, oxd_id))
  }

  async getSite(oxd_id: string, realm: string): Promise<Site | undefined> {
    const row = this.#sql.getSite.get(oxd_id, realm)
    return row && this.#site(row)
  }

  async removeSite(oxd_id: string): Promise<boolean> {
    const { removeSite, removeRegistration } = this.#sql
    return this.#group.runSeveral(() => {
      removeRegistration.run(oxd_id)
      return removeSite.run(oxd_id).changes > 0
    })
  }

  addSites(...given: Parameters<Store['addSites']>): ReturnType<Store['addSites']> {
    return this.#site_admin.addSites(...given)
  }

  updateSite(...given: Parameters<Store['updateSite']>): ReturnType<Store['updateSite']> {
    return this.#site_admin.updateSite(...given)
  }

  dueRenewals(...given: Parameters<Store['dueRenewals']>): ReturnType<Store['dueRenewals']> {
    return this.#site_admin.dueRenewals(...given)
  }

  takeRenewal(...given: Parameters<Store['takeRenewal']>): ReturnType<Store['takeRenewal']> {
    return this.#site_admin.takeRenewal(...given)
  }

  listSites(...given: Parameters<Store['listSites']>): ReturnType<Store['listSites']> {
    return this.#site_admin.listSites(...given)
  }

  findSites(...given: Parameters<Store['findSites']>): ReturnType<Store['findSites']> {
    return this.#site_admin.findSites(...given)
  }

  async issuersOfRedirectUri(realm: string, redirect_uri: string): Promise<string[]> {
    return this.#sql.issuersOfRedirectUri.all(realm, redirect_uri)
  }

  async opsOfRedirectUri(realm: string, redirect_uri: string, before: Place) {
    const { of_operator, since, oxd_id } = before
    return this.#sql.opsOfRedirectUri.all(realm, redirect_uri, of_operator ? 0 : 1, since, oxd_id)
  }

  async hasSiteAt(realm: string, op_host: string): Promise<boolean> {
    return this.#sql.hasSiteAt.get(realm, op_host) !== undefined
  }

  async setupClients(realm: string, issuer: string, now: Seconds, limit: number): Promise<Site[]> {
    return this.#sql.setupClients.all(realm, issuer, now, limit).map((row) => this.#site(row))
  }

  async setupClientsOf(realm: string, issuer: string, client_id: string): Promise<Site[]> {
    const named = [realm, issuer, client_id] as const
    const rows = this.#sql.setupClientsOf.all(...named, ...named)
    return rows.map((row) => this.#site(row))
  }

  async usageOfRealms(): Promise<RealmUsage[]> {
    return this.#sql.usageOfRealms.all()
  }

  async putLogin(login: Login, quotas: StoreQuotas): Promise<PutLogin> {
    const { putLogin } = this.#sql
    const { oxd_id, issuer, redirect_uri, binding_hash, max_age } = login
    const state = idBytes(login.state)
    const secrets = this.#seal(login.secrets, secretsCell('logins', state))
    return this.#group.run(() => {
      const refusal = this.#noRoomForLogin(oxd_id, quotas)
      if (refusal) return refusal
      putLogin.run(state, oxd_id, issuer, redirect_uri, binding_hash, max_age, secrets)
      return 'stored'
    })
  }

  async takeLogin(
    state: string,
    oxd_id: string,
    binding_hash: Buffer | null,
    now: Seconds,
  ): Promise<TakenLogin> {
    const { takeLogin, hasLogin } = this.#sql
    const bytes = parseExpiringId(state)
    if (!bytes || expiryOf(bytes) < now) return 'unknown'
    const taken = await this.#group.run(
      () =>
        takeLogin.get(bytes, oxd_id, binding_hash) ??
        (hasLogin.get(bytes, oxd_id) ? 'wrong_binding' : 'unknown'),
    )
    // Opened after the commit: a login whose secrets were tampered with is spent all the same.
    return typeof taken === 'string' ? taken : this.#login(state, bytes, taken)
  }

  async takeOnlyLogin(oxd_id: string, now: Seconds): Promise<Login | 'unknown' | 'several'> {
    const { takeOnlyLogin, hasUnboundLogin } = this.#sql
    const unbound = { oxd_id, from: expiredBelow(now) }
    const taken = await this.#group.run(
      () => takeOnlyLogin.get(unbound) ?? (hasUnboundLogin.get(unbound) ? 'several' : 'unknown'),
    )
    if (typeof taken === 'string') return taken
    const { state, ...row } = taken
    return this.#login(state.toString('base64url'), state, row)
  }

  async getUnboundLogin(state: string, oxd_id: string, now: Seconds): Promise<Login | undefined> {
    const bytes = parseExpiringId(state)
    if (!bytes || expiryOf(bytes) < now) return undefined
    const row = this.#sql.getUnboundLogin.get(bytes, oxd_id)
    return row && this.#login(state, bytes, row)
  }

  async putSession(session: Session): Promise<void> {
    const { putSession } = this.#sql
    const { session_id, secrets, amr, ...columns } = session
    const session_key = hideExpiringId(idBytes(session_id))
    const row = {
      ...columns,
      session_key,
      amr: amr && JSON.stringify(amr),
      refresh_token_hash: hashOf(secrets.refresh_token) ?? null,
      secrets: this.#seal(secrets, secretsCell('sessions', session_key)),
    }
    await this.#group.run(() => putSession.run(row))
  }

  async getSession(
    session_id: string,
    oxd_id: string,
    now: Seconds,
  ): Promise<StoredSession | undefined> {
    const { getSession } = this.#sql
    const session_key = liveSessionKey(session_id, now)
    const row = session_key && getSession.get(session_key, oxd_id)
    return row && this.#session(row)
  }

  async takeSession(
    session_id: string,
    oxd_id: string,
    now: Seconds,
  ): Promise<StoredSession | undefined> {
    const { takeSession } = this.#sql
    const session_key = liveSessionKey(session_id, now)
    if (!session_key) return undefined
    const row = await this.#group.run(() => takeSession.get(session_key, oxd_id))
    return row && this.#session(row)
  }

  async removeSession({ session_key, oxd_id }: StoredSession): Promise<StoredSession | undefined> {
    const { takeSession } = this.#sql
    const row = await this.#group.run(() => takeSession.get(session_key, oxd_id))
    return row && this.#session(row)
  }

  listSessions(...given: Parameters<Store['listSessions']>): ReturnType<Store['listSessions']> {
    return this.#session_admin.listSessions(...given)
  }

  removeSessions(
    ...given: Parameters<Store['removeSessions']>
  ): ReturnType<Store['removeSessions']> {
    return this.#session_admin.removeSessions(...given)
  }

  findSession(...given: Parameters<Store['findSession']>): Promise<SessionOfToken | undefined> {
    return this.#tokens.findSession(...given)
  }

  leaseSession(...given: Parameters<Store['leaseSession']>): ReturnType<Store['leaseSession']> {
    return this.#tokens.leaseSession(...given)
  }

  finishRefresh(...given: Parameters<Store['finishRefresh']>): ReturnType<Store['finishRefresh']> {
    return this.#tokens.finishRefresh(...given)
  }

  releaseSession(...given: Parameters<Store['releaseSession']>): Promise<void> {
    return this.#tokens.releaseSession(...given)
  }

  dropTokens(...given: Parameters<Store['dropTokens']>): ReturnType<Store['dropTokens']> {
    return this.#tokens.dropTokens(...given)
  }

  async getOpDocuments(realm: string, op_host: string): Promise<OpDocuments | undefined> {
    const row = this.#sql.getOpDocuments.get(realm, op_host)
    return row && { ...row, metadata: JSON.parse(row.metadata), jwks: parseOrNull(row.jwks) }
  }

  async putOpDocuments(documents: OpDocuments): Promise<void> {
    const { putOpDocuments } = this.#sql
    const { metadata, jwks, ...columns } = documents
    const row = {
      ...columns,
      metadata: JSON.stringify(metadata),
      jwks: jwks && JSON.stringify(jwks),
    }
    await this.#group.run(() => putOpDocuments.run(row))
  }

  async sweep(now: Seconds, limit: number): Promise<number> {
    const { sweepLogins, sweepSessions, sweepRegistrations } = this.#sql
    const { sweepOpDocuments, sweepEarlierTokens } = this.#sql
    const below = expiredBelow(now)
    const swept = await Promise.all([
      this.#group.run(() => sweepLogins.run(below, limit).changes),
      this.#group.run(() => sweepSessions.run(below, limit).changes),
      this.#group.run(() => sweepRegistrations.run(now - ABANDONED_AFTER, limit).changes),
      this.#group.run(() => sweepOpDocuments.run(now - UNUSED_DOCUMENTS, limit).changes),
      this.#group.run(() => sweepEarlierTokens.run(now, limit).changes),
      this.#sweepRemovedSite(limit),
    ])
    return swept.reduce((sum, changes) => sum + changes, 0)
  }

  async proveWritable(): Promise<void> {
    const { touch } = this.#sql
    // Forth and back: SQLite writes no page where a value is set to what it is.
    await this.#group.runSeveral(() => {
      touch.run(1)
      touch.run(-1)
    })
  }

  async close(): Promise<void> {
    if (!this.#db.open) return
    this.#group.flush()
    // Into the database, so that it can be copied as one file.
    this.#db.pragma('wal_checkpoint(TRUNCATE)')
    this.#db.close()
  }

  get #sql(): Statements {
    if (!this.#db.open) throw new StoreError('closed', 'The store is closed')
    return this.#prepared
  }

  /**
   * Sessions of one removed site, which could be as many as its quota. Its pending logins expire by
   * themselves: to find them by their site would cost every login an index.
   */
  async #sweepRemovedSite(limit: number): Promise<number> {
    const { removedSite, sweepSessionsOfSite, sweepRemovedSite } = this.#sql
    const oxd_id = removedSite.get()
    if (oxd_id === undefined) return 0
    return this.#group.runSeveral(() => {
      const { changes } = sweepSessionsOfSite.run(oxd_id, limit)
      return changes + sweepRemovedSite.run(oxd_id).changes
    })
  }

  #noRoomForSite(
    realm: string,
    now: Seconds,
    { sites, store_megabytes }: StoreQuotas & { sites: number },
  ): Exceeded | undefined {
    const { realmUsage, countRegistering } = this.#sql
    const used = realmUsage.get(realm)
    const registering = countRegistering.get(now, realm) ?? 0
    if ((used?.sites ?? 0) + registering >= sites) return { quota: 'sites', level: 'realm' }
    const full = (used?.bytes ?? 0) >= store_megabytes.realm * MEGABYTE
    return full ? { quota: 'store_megabytes', level: 'realm' } : undefined
  }

  #noRoomForLogin(oxd_id: string, quotas: StoreQuotas): 'no_site' | Exceeded | undefined {
    const used = this.#sql.usage.get(oxd_id)
    if (!used) return 'no_site'
    const { sites } = used
    const counted = [
      ['pending_logins', used.site_logins, used.logins],
      ['sessions', used.site_sessions, used.sessions],
      ['store_megabytes', used.site_bytes / MEGABYTE, used.bytes / MEGABYTE],
    ] as const
    for (const [quota, site, realm] of counted) {
      const level = levelReached(quotas[quota], { site, realm, sites })
      if (level) return { quota, level }
    }
    return undefined
  }

  #seal(secrets: object, cell: Cell): Buffer {
    live.noteMembers(secrets)
    return this.keys.seal(JSON.stringify(secrets), cell)
  }

  // What is parsed was sealed by this program, from the type that the caller expects.
  #open<T extends object>(secrets: Buffer, cell: Cell): T {
    const opened: T = JSON.parse(this.keys.open(secrets, cell).toString())
    live.noteMembers(opened)
    return opened
  }

  #siteRow(site: Site): SiteRow {
    return {
      ...site,
      name: site.name ?? null,
      version: site.version ?? 1,
      updated_at: site.updated_at ?? null,
      renew_at: site.renew_at ?? null,
      client: JSON.stringify(site.client),
      settings: JSON.stringify(site.settings),
      secrets: this.#seal(site.secrets, secretsCell('sites', site.oxd_id)),
    }
  }

  #site(row: SiteRow): Site {
    return {
      ...row,
      client: JSON.parse(row.client),
      settings: JSON.parse(row.settings),
      secrets: this.#open(row.secrets, secretsCell('sites', row.oxd_id)),
    }
  }

  #login(state: string, bytes: Buffer, row: LoginRow): Login {
    return { ...row, state, secrets: this.#open(row.secrets, secretsCell('logins', bytes)) }
  }

  #session(row: SessionRow): StoredSession {
    return {
      ...row,
      amr: parseOrNull(row.amr),
      secrets: this.#open(row.secrets, secretsCell('sessions', row.session_key)),
    }
  }
}

function idBytes(id: string): Buffer {
  const bytes = parseExpiringId(id)
  if (!bytes) throw new TypeError('states and session ids are made by makeExpiringId')
  return bytes
}

function liveSessionKey(session_id: string, now: Seconds): Buffer | undefined {
  const bytes = parseExpiringId(session_id)
  return bytes && expiryOf(bytes) >= now ? hideExpiringId(bytes) : undefined
}

function parseOrNull(json: string | null) {
  return json === null ? null : JSON.parse(json)
}
