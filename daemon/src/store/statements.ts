/**
 * Every statement of the SQLite store, prepared once, with the rows that it takes and gives.
 *
 * SQLite compares byte by byte, in a time that tells how many were right. What proves something
 * (binding, idempotency key, access token, session_id) is compared as its SHA-256 hash, whose bytes
 * nobody can choose. oxd_id and state are looked up as they are: random and long, in an index whose
 * search compares with other rows' ids, and a state is of no use without its browser's binding.
 */
import type { Database } from 'better-sqlite3'

/** A site as its row: JSON as text, secrets sealed. */
export interface SiteRow {
  oxd_id: string
  realm: string
  op_host: string
  issuer: string
  redirect_uri: string
  registered_by: 'relyd' | 'operator'
  client: string
  settings: string
  created_at: number
  secrets: Buffer
  name: string | null
  version: number
  updated_at: number | null
  renew_at: number | null
}

/** A site whose registration is to be renewed. */
export interface DueRenewal {
  oxd_id: string
  renew_at: number
}

/** A site's row in a list. */
export type ListedSiteRow = Omit<SiteRow, 'secrets'> & { sessions: number }

/** A site's logins that are bound to no browser, from this state on. */
interface UnboundLogins {
  oxd_id: string
  from: Buffer
}

/** A login as a take returns it; its state is what it was asked by. */
export interface LoginRow {
  oxd_id: string
  issuer: string
  redirect_uri: string
  binding_hash: Buffer | null
  max_age: number | null
  secrets: Buffer
}

/** A session as its row, under the hash of its id. */
export interface SessionRow {
  session_key: Buffer
  oxd_id: string
  issuer: string
  sub: string
  sid: string | null
  acr: string | null
  amr: string | null
  auth_time: number | null
  created_at: number
  access_token_hash: Buffer
  refresh_token_hash: Buffer | null
  secrets: Buffer
}

/** A session's row in a list, with what its site is called. */
export type ListedSessionRow = Omit<
  SessionRow,
  'access_token_hash' | 'refresh_token_hash' | 'secrets'
> & { realm: string | null; name: string | null }

/** Who refreshes a session, beside the session itself. */
export interface LeaseRow {
  lease_token: Buffer | null
  lease_until: number | null
}

/** A token that a session had. */
export interface EarlierTokenRow {
  oxd_id: string
  kind: 'access' | 'refresh'
  token_hash: Buffer
  session_key: Buffer
  forget_at: number
}

/** An OP's documents as JSON texts. */
export interface OpDocumentsRow {
  realm: string
  op_host: string
  metadata: string
  jwks: string | null
  fetched_at: number
}

/** A registration's intent as its row. */
export interface RegistrationRow {
  realm: string
  idempotency_hash: Buffer
  params_hash: Buffer
  oxd_id: string
  lease_until: number
}

interface RegistrationState {
  oxd_id: string
  params_hash: Buffer
  lease_until: number
  finished: number
}

/** What a realm has stored; null where it never stored anything. */
interface RealmUsageRow {
  sites: number
  logins: number
  sessions: number
  bytes: number
}

interface UsageRow extends RealmUsageRow {
  site_logins: number
  site_sessions: number
  site_bytes: number
}

/** A statement as the store uses it; the compiler cannot name better-sqlite3's own type. */
interface Prepared<Given extends unknown[], Row> {
  run(...given: Given): { changes: number }
  get(...given: Given): Row | undefined
  all(...given: Given): Row[]
  iterate(...given: Given): Iterable<Row>
}

/** The columns of a {@link SessionRow}. */
const SESSION = `session_key, oxd_id, issuer, sub, sid, acr, amr, auth_time, created_at,
  access_token_hash, refresh_token_hash, secrets`

/** A {@link ListedSiteRow}. */
const LISTED_SITE = `SELECT s.oxd_id, s.realm, s.op_host, s.issuer, s.redirect_uri, s.registered_by,
  s.client, s.settings, s.created_at, s.name, s.version, s.updated_at, s.renew_at, u.sessions
  FROM sites s JOIN site_usage u ON u.oxd_id = s.oxd_id`

/** To the letter as the index has it. */
const IS_SETUP_CLIENT = "settings ->> 'setup_client' = 'self'"

/** What {@link prepareStatements} makes. */
export type Statements = ReturnType<typeof prepareStatements>

/**
 * Prepares them all.
 *
 * @param db with the schema of this program
 */
export function prepareStatements(db: Database) {
  const statement = <Given extends unknown[], Row = unknown>(sql: string): Prepared<Given, Row> =>
    db.prepare<unknown[], Row>(sql)
  const pluck = <Given extends unknown[], Value>(sql: string): Prepared<Given, Value> =>
    db.prepare<unknown[], Value>(sql).pluck()
  const sessionBy = (column: 'access_token_hash' | 'refresh_token_hash') =>
    statement<[oxd_id: string, token_hash: Buffer, not_below: Buffer], SessionRow>(
      `SELECT ${SESSION} FROM sessions
       WHERE oxd_id = ? AND ${column} = ? AND session_key >= ? LIMIT 1`,
    )
  const deleteOfSite = (table: string) =>
    statement<[oxd_id: string]>(`DELETE FROM ${table} WHERE oxd_id = ?`)
  return {
    beginRegistration: pluck<[RegistrationRow & { now: number }], string>(
      `INSERT INTO registrations (realm, idempotency_hash, params_hash, oxd_id, lease_until)
         VALUES (@realm, @idempotency_hash, @params_hash, @oxd_id, @lease_until)
         ON CONFLICT (realm, idempotency_hash) DO UPDATE SET
           params_hash = excluded.params_hash,
           oxd_id = excluded.oxd_id,
           lease_until = excluded.lease_until
         WHERE finished = 0 AND lease_until < @now
         RETURNING oxd_id`,
    ),
    getRegistration: statement<[realm: string, idempotency_hash: Buffer], RegistrationState>(
      `SELECT oxd_id, params_hash, lease_until, finished FROM registrations
       WHERE realm = ? AND idempotency_hash = ?`,
    ),
    finishRegistration: statement<[realm: string, idempotency_hash: Buffer, oxd_id: string]>(
      `UPDATE registrations SET finished = 1
       WHERE realm = ? AND idempotency_hash = ? AND oxd_id = ? AND finished = 0`,
    ),
    abandonRegistration: statement<[realm: string, idempotency_hash: Buffer, oxd_id: string]>(
      `DELETE FROM registrations
       WHERE realm = ? AND idempotency_hash = ? AND oxd_id = ? AND finished = 0`,
    ),
    sweepRegistrations: statement<[lease_until: number, limit: number]>(
      'DELETE FROM registrations WHERE finished = 0 AND lease_until < ? LIMIT ?',
    ),
    countRegistering: pluck<[now: number, realm: string], number>(
      `SELECT count(*) FROM registrations
       WHERE finished = 0 AND lease_until >= ? AND realm = ?`,
    ),

    realmUsage: statement<[realm: string], RealmUsageRow>(
      'SELECT sites, logins, sessions, bytes FROM realm_usage WHERE realm = ?',
    ),
    /** There is always a key. */
    touch: statement<[by: number], never>(
      'UPDATE encryption_keys SET recorded_at = recorded_at + ?',
    ),
    usageOfRealms: statement<[], RealmUsageRow & { realm: string }>(
      'SELECT realm, sites, logins, sessions, bytes FROM realm_usage',
    ),
    usage: statement<[oxd_id: string], UsageRow>(
      `SELECT s.logins AS site_logins, s.sessions AS site_sessions, s.bytes AS site_bytes,
         r.sites, r.logins, r.sessions, r.bytes
       FROM site_usage s JOIN realm_usage r ON r.realm = s.realm
       WHERE s.oxd_id = ? AND s.removed = 0`,
    ),

    putSite: statement<[SiteRow]>(
      `INSERT INTO sites (oxd_id, realm, op_host, issuer, redirect_uri, registered_by, client,
         settings, created_at, secrets, name, version, updated_at, renew_at)
       VALUES (@oxd_id, @realm, @op_host, @issuer, @redirect_uri, @registered_by, @client,
         @settings, @created_at, @secrets, @name, @version, @updated_at, @renew_at)`,
    ),
    updateSite: statement<[SiteRow]>(
      `UPDATE sites SET redirect_uri = @redirect_uri, client = @client, settings = @settings,
         secrets = @secrets, name = @name, version = version + 1, updated_at = @updated_at,
         renew_at = @renew_at
       WHERE oxd_id = @oxd_id AND version = @version`,
    ),
    dueRenewals: statement<[realm: string, now: number, limit: number], DueRenewal>(
      `SELECT oxd_id, renew_at FROM sites WHERE realm = ? AND renew_at <= ?
       ORDER BY renew_at LIMIT ?`,
    ),
    // Whoever read the site before must read it anew, or would write back when it was due.
    takeRenewal: statement<[until: number | null, oxd_id: string, seen: number]>(
      'UPDATE sites SET renew_at = ?, version = version + 1 WHERE oxd_id = ? AND renew_at = ?',
    ),
    siteOfName: pluck<[name: string, realm: string], string>(
      'SELECT oxd_id FROM sites WHERE name = ? AND realm = ?',
    ),
    // The rows that a removed site leaves to be swept are its own until then.
    hadSite: pluck<[oxd_id: string], string>('SELECT oxd_id FROM site_usage WHERE oxd_id = ?'),
    listSites: statement<[after: string, limit: number], ListedSiteRow>(
      `${LISTED_SITE} WHERE s.oxd_id > ? ORDER BY s.oxd_id LIMIT ?`,
    ),
    sitesOfName: statement<[name: string, limit: number], ListedSiteRow>(
      `${LISTED_SITE} WHERE s.name = ? ORDER BY s.realm LIMIT ?`,
    ),
    sitesOfPrefix: statement<[from: string, below: string, limit: number], ListedSiteRow>(
      `${LISTED_SITE} WHERE s.oxd_id >= ? AND s.oxd_id < ? ORDER BY s.oxd_id LIMIT ?`,
    ),
    getSite: statement<[oxd_id: string, realm: string], SiteRow>(
      'SELECT * FROM sites WHERE oxd_id = ? AND realm = ?',
    ),
    issuersOfRedirectUri: pluck<[realm: string, redirect_uri: string], string>(
      'SELECT DISTINCT issuer FROM sites WHERE realm = ? AND redirect_uri = ?',
    ),
    opsOfRedirectUri: statement<
      [realm: string, redirect_uri: string, is_nameless: 0 | 1, since: number, oxd_id: string],
      Pick<SiteRow, 'op_host' | 'issuer'>
    >(
      `SELECT DISTINCT op_host, issuer FROM sites WHERE realm = ? AND redirect_uri = ?
         AND (name IS NULL, coalesce(settings ->> 'moved_at', created_at), oxd_id) < (?, ?, ?)`,
    ),
    hasSiteAt: statement<[realm: string, op_host: string]>(
      'SELECT 1 FROM sites WHERE realm = ? AND op_host = ? LIMIT 1',
    ),
    setupClients: statement<[realm: string, issuer: string, now: number, limit: number], SiteRow>(
      `SELECT * FROM sites WHERE realm = ? AND issuer = ? AND ${IS_SETUP_CLIENT}
         AND coalesce(client ->> 'client_secret_expires_at', 0) NOT BETWEEN 1 AND ?
         ORDER BY registered_by DESC, created_at, oxd_id LIMIT ?`,
    ),
    setupClientsOf: statement<
      [realm: string, issuer: string, id: string, realm: string, issuer: string, id: string],
      SiteRow
    >(
      `SELECT * FROM sites WHERE oxd_id IN (
           SELECT oxd_id FROM sites WHERE realm = ? AND issuer = ? AND ${IS_SETUP_CLIENT}
             AND client ->> 'client_id' = ?
           UNION SELECT oxd_id FROM sites WHERE realm = ? AND issuer = ? AND ${IS_SETUP_CLIENT}
             AND settings ->> 'told_client_id' = ?)
         ORDER BY registered_by DESC, created_at, oxd_id LIMIT 10`,
    ),
    removeSite: deleteOfSite('sites'),
    removeRegistration: deleteOfSite('registrations'),
    removedSite: pluck<[], string>(
      // One whose pending logins have yet to expire is left for later.
      'SELECT oxd_id FROM site_usage WHERE removed = 1 AND (sessions > 0 OR logins = 0) LIMIT 1',
    ),
    sweepSessionsOfSite: statement<[oxd_id: string, limit: number]>(
      'DELETE FROM sessions WHERE oxd_id = ? LIMIT ?',
    ),
    sweepRemovedSite: statement<[oxd_id: string]>(
      'DELETE FROM site_usage WHERE oxd_id = ? AND removed = 1 AND sessions = 0 AND logins = 0',
    ),

    putLogin: statement<
      [
        state: Buffer,
        oxd_id: string,
        issuer: string,
        redirect_uri: string,
        binding_hash: Buffer | null,
        max_age: number | null,
        secrets: Buffer,
      ]
    >(
      `INSERT INTO logins (state, oxd_id, issuer, redirect_uri, binding_hash, max_age, secrets)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    takeLogin: statement<[state: Buffer, oxd_id: string, binding_hash: Buffer | null], LoginRow>(
      `DELETE FROM logins
       WHERE state = ? AND oxd_id = ? AND (binding_hash IS NULL OR binding_hash = ?)
       RETURNING oxd_id, issuer, redirect_uri, binding_hash, max_age, secrets`,
    ),
    takeOnlyLogin: statement<[UnboundLogins], LoginRow & { state: Buffer }>(
      `DELETE FROM logins
       WHERE oxd_id = @oxd_id AND binding_hash IS NULL AND state >= @from
         AND 1 = (SELECT count(*) FROM (
           SELECT 1 FROM logins
           WHERE oxd_id = @oxd_id AND binding_hash IS NULL AND state >= @from LIMIT 2
         ))
       RETURNING state, oxd_id, issuer, redirect_uri, binding_hash, max_age, secrets`,
    ),
    hasUnboundLogin: statement<[UnboundLogins]>(
      `SELECT 1 FROM logins
       WHERE oxd_id = @oxd_id AND binding_hash IS NULL AND state >= @from LIMIT 1`,
    ),
    getUnboundLogin: statement<[state: Buffer, oxd_id: string], LoginRow>(
      `SELECT oxd_id, issuer, redirect_uri, binding_hash, max_age, secrets FROM logins
       WHERE state = ? AND oxd_id = ? AND binding_hash IS NULL`,
    ),
    hasLogin: statement<[state: Buffer, oxd_id: string]>(
      'SELECT 1 FROM logins WHERE state = ? AND oxd_id = ?',
    ),
    sweepLogins: statement<[below: Buffer, limit: number]>(
      'DELETE FROM logins WHERE state < ? LIMIT ?',
    ),

    putSession: statement<[SessionRow]>(
      `INSERT INTO sessions (session_key, oxd_id, issuer, sub, sid, acr, amr, auth_time, created_at,
         access_token_hash, refresh_token_hash, secrets)
       VALUES (@session_key, @oxd_id, @issuer, @sub, @sid, @acr, @amr, @auth_time, @created_at,
         @access_token_hash, @refresh_token_hash, @secrets)`,
    ),
    getSession: statement<[session_key: Buffer, oxd_id: string], SessionRow>(
      `SELECT ${SESSION} FROM sessions WHERE session_key = ? AND oxd_id = ?`,
    ),
    takeSession: statement<[session_key: Buffer, oxd_id: string], SessionRow>(
      `DELETE FROM sessions WHERE session_key = ? AND oxd_id = ? RETURNING ${SESSION}`,
    ),
    listSessions: statement<[below: Buffer, not_below: Buffer, limit: number], ListedSessionRow>(
      // The slice is cut before its rows are joined: what it costs does not hang on what it finds.
      `SELECT l.*, s.realm, s.name FROM (
         SELECT session_key, oxd_id, issuer, sub, sid, acr, amr, auth_time, created_at
         FROM sessions WHERE session_key < ? AND session_key >= ?
         ORDER BY session_key DESC LIMIT ?
       ) l LEFT JOIN sites s ON s.oxd_id = l.oxd_id ORDER BY l.session_key DESC`,
    ),
    removeSession: statement<[session_key: Buffer], SessionRow>(
      `DELETE FROM sessions WHERE session_key = ? RETURNING ${SESSION}`,
    ),
    sessionByAccessToken: sessionBy('access_token_hash'),
    sessionByRefreshToken: sessionBy('refresh_token_hash'),
    sessionByEarlierToken: statement<
      [oxd_id: string, kind: string, token_hash: Buffer, now: number, not_below: Buffer],
      SessionRow
    >(
      `SELECT ${SESSION} FROM sessions WHERE session_key = (
         SELECT session_key FROM earlier_tokens
         WHERE oxd_id = ? AND kind = ? AND token_hash = ? AND forget_at >= ?
       ) AND session_key >= ?`,
    ),
    leasedSession: statement<[session_key: Buffer], SessionRow & LeaseRow>(
      'SELECT * FROM sessions WHERE session_key = ?',
    ),
    leaseSession: statement<
      [{ session_key: Buffer; token: Buffer; until: number; now: number; latest: number }],
      SessionRow
    >(
      `UPDATE sessions SET lease_token = @token, lease_until = @until
       WHERE session_key = @session_key AND (lease_token IS NULL OR lease_until NOT BETWEEN @now AND @latest)
       RETURNING ${SESSION}`,
    ),
    releaseSession: statement<[session_key: Buffer, lease_token: Buffer]>(
      `UPDATE sessions SET lease_token = NULL, lease_until = NULL
       WHERE session_key = ? AND lease_token = ?`,
    ),
    changeSession: statement<
      [
        Pick<SessionRow, 'session_key' | 'access_token_hash' | 'refresh_token_hash' | 'secrets'> & {
          /** The secrets as they were read. */
          was: Buffer
          /** Whether the lease ends, whoever has it. */
          release: 0 | 1
        },
      ]
    >(
      `UPDATE sessions SET access_token_hash = @access_token_hash,
         refresh_token_hash = @refresh_token_hash, secrets = @secrets,
         lease_token = iif(@release, NULL, lease_token),
         lease_until = iif(@release, NULL, lease_until)
       WHERE session_key = @session_key AND secrets = @was`,
    ),
    putEarlierToken: statement<[EarlierTokenRow]>(
      `INSERT OR REPLACE INTO earlier_tokens (oxd_id, kind, token_hash, session_key, forget_at)
       VALUES (@oxd_id, @kind, @token_hash, @session_key, @forget_at)`,
    ),
    sweepEarlierTokens: statement<[forget_at: number, limit: number]>(
      'DELETE FROM earlier_tokens WHERE forget_at < ? LIMIT ?',
    ),
    sweepSessions: statement<[below: Buffer, limit: number]>(
      'DELETE FROM sessions WHERE session_key < ? LIMIT ?',
    ),

    getOpDocuments: statement<[realm: string, op_host: string], OpDocumentsRow>(
      'SELECT * FROM op_documents WHERE realm = ? AND op_host = ?',
    ),
    sweepOpDocuments: statement<[fetched_before: number, limit: number]>(
      `DELETE FROM op_documents WHERE fetched_at < ? AND NOT EXISTS (
         SELECT 1 FROM sites
         WHERE sites.realm = op_documents.realm AND sites.op_host = op_documents.op_host
       ) LIMIT ?`,
    ),
    putOpDocuments: statement<[OpDocumentsRow]>(
      `INSERT INTO op_documents (realm, op_host, metadata, jwks, fetched_at)
       VALUES (@realm, @op_host, @metadata, @jwks, @fetched_at)
       ON CONFLICT (realm, op_host) DO UPDATE SET
         metadata = excluded.metadata, jwks = excluded.jwks, fetched_at = excluded.fetched_at`,
    ),
  }
}
