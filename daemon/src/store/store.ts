/**
 * What the daemon remembers, as an asynchronous interface that SQLite serves today and a server
 * database can serve for several daemons: every operation is atomic, and a promise settles only
 * after the commit it depends on.
 */
import type { Seconds } from '../clock.js'
import type { ResponseMode, ResponseType } from '../op/response_type.js'
import type { Exceeded, StoreQuotas } from '../quota.js'
import type { Slice, SliceLimits } from './slice.js'

/** A relying party: one website's registration at one OP. */
export interface Site {
  oxd_id: string
  realm: string
  /** The OP as the site named it; the key of its cached documents. */
  op_host: string
  /** The OP's `issuer`, compared exactly with every `iss`. */
  issuer: string
  /** Where logins come back to. */
  redirect_uri: string
  /** Who made the registration at the OP; relyd removes only what it made itself. */
  registered_by: 'relyd' | 'operator'
  /** The client's metadata as the OP answered it (RFC 7591 3.2.1), without secrets. */
  client: ClientMetadata
  settings: SiteSettings
  created_at: Seconds
  secrets: SiteSecrets
  /** The operator's NAME, which no other site of the realm has; null, or absent, where he gave none. */
  name?: string | null
  /** Counts its changes, from 1. */
  version?: number
  /** When the operator last changed it. */
  updated_at?: Seconds | null
  /** When its registration is to be renewed, or has been tried to; null, or absent, never. */
  renew_at?: Seconds | null
}

/** A site in a list, which needs no secret opened. */
export type ListedSite = Omit<Site, 'secrets'> & {
  /** Those that have expired lately are among them. */
  sessions: number
}

/** Client metadata by its registered names; further ones are kept as they came. */
export interface ClientMetadata {
  client_id: string
  token_endpoint_auth_method?: string
  id_token_signed_response_alg?: string
  client_secret_expires_at?: Seconds
  registration_client_uri?: string
  /** OIDC Registration 2: JWE algorithms of ID Tokens; absent, they are not encrypted. */
  id_token_encrypted_response_alg?: string
  id_token_encrypted_response_enc?: string
  /** The same of UserInfo; without any of them it is plain JSON. */
  userinfo_signed_response_alg?: string
  userinfo_encrypted_response_alg?: string
  userinfo_encrypted_response_enc?: string
  /** Of the key that signs client assertions (OIDC Registration 2), if there is one. */
  token_endpoint_auth_signing_alg?: string
  /** The public half of the client's key, with its kid and certificates (RFC 7517 4.7). */
  jwks?: { keys: ClientJwk[] }
  /** Apple's: the team in whose name the daemon makes client secrets. */
  apple_team_id?: string
  /** Where the platform keeps the operator's client assertion and renews it (RFC 7523 2.2). */
  client_assertion_file?: string
  [name: string]: unknown
}

/** A public key as the operator enters it at the OP. */
export interface ClientJwk {
  kty: string
  kid: string
  use: 'sig' | 'enc'
  alg?: string
  /** The certificate and those that lead to its CA, each DER in base64. */
  x5c?: string[]
  'x5t#S256'?: string
  [name: string]: unknown
}

/** What the site asked of relyd when it registered. */
export interface SiteSettings {
  client_name?: string
  scope: string[]
  acr_values?: string[]
  ui_locales?: string[]
  claims_locales?: string[]
  post_logout_redirect_uri?: string
  /** Of logins that name none; absent, `code`. */
  response_type?: ResponseType
  /** Of logins that name none; absent, what the OP chooses for the response type. */
  response_mode?: ResponseMode
  /** What else it wished for its registration, by the registered names (`op/client_metadata.ts`). */
  metadata?: Record<string, unknown>
  /** All redirect URIs that it wished for, where there are several. */
  redirect_uris?: string[]
  /** When it last took another redirect URI; absent, it has the one that it came with. */
  moved_at?: Seconds
  /** The scope it wished for, where the OP allows a smaller one, which is `scope` then. */
  wished_scope?: string[]
  /**
   * The oxd_id of the site whose access tokens protect the commands of this one: its setup client,
   * which has `self` here.
   */
  setup_client?: string
  /** Of a setup client: what its website knows it by, whatever it is registered as by now. */
  told_client_id?: string
  /** `none` lets a callback come from another browser than the one that started the login. */
  login_binding: 'required' | 'none'
  /** `daemon` keeps tokens from the site, but access tokens that it asks for. */
  tokens: 'site' | 'daemon'
}

export interface SiteSecrets {
  client_secret?: string
  /** Of a setup client: SHA-256 of the secret that its website was told, in base64. */
  told_secret_hash?: string
  registration_access_token?: string
  /** What the OP wants to see before it registers the site, as the site gave it (RFC 7591 3). */
  initial_access_token?: string
  /** A client whose token is shown instead, by the client credentials grant. */
  registration_client?: { client_id: string; client_secret: string; scope?: string }
  /** PKCS#8, as PEM: of assertions, of a client certificate, or Apple's. The operator's. */
  client_private_key?: string
  /** Those that relyd made for the site, the newest of each use first. */
  own_keys?: OwnKey[]
}

/** A key pair of the site's own. Its public half is in `client.jwks`, as long as it is published. */
export interface OwnKey {
  kid: string
  use: 'sig' | 'enc'
  /** What it signs with, or what is encrypted to it with (RFC 7518 3.1, 4.1). */
  alg: string
  /** PKCS#8, as PEM. */
  private_key: string
  made_at: Seconds
  /** From when on it signs; absent until the OP has its public half. */
  ready_at?: Seconds
  /** When the OP was last asked to take it, in vain so far. */
  asked_at?: Seconds
  /** When a newer one took its place; it still decrypts for a while. */
  retired_at?: Seconds
}

/** A login that was started and has not come back. */
export interface Login {
  /** The `state` parameter, an expiring id. */
  state: string
  oxd_id: string
  issuer: string
  redirect_uri: string
  /** SHA-256 of the browser's binding; null where the site switched it off. */
  binding_hash: Buffer | null
  /** The `max_age` that was asked for, in seconds. */
  max_age: number | null
  secrets: {
    nonce: string
    code_verifier: string
    /** The client that asked, should the site be registered anew meanwhile. */
    client_id?: string
    /** Where the site sends the browser afterwards. */
    return_to?: string
    /** Absent, `code`. */
    response_type?: ResponseType
    /** Absent, the default of the response type. */
    response_mode?: ResponseMode
    /** OIDC Core 5.5.1: what was asked for as essential, and must be so. */
    essential?: {
      /** Any of these; empty, any at all. */
      acr?: string[]
      /** Any of these. */
      sub?: string[]
      auth_time?: boolean
    }
    /** Where `max_age` is 0. */
    began_at?: Seconds
  }
}

/** A completed login as the store knows it. */
export interface StoredSession {
  /** Its place: its expiry, and the hash of its id, which is not kept. */
  session_key: Buffer
  oxd_id: string
  issuer: string
  sub: string
  sid: string | null
  acr: string | null
  amr: string[] | null
  auth_time: Seconds | null
  created_at: Seconds
  /** SHA-256 of the access token, to find the session's `sub` by the token. */
  access_token_hash: Buffer
  /** SHA-256 of the refresh token. */
  refresh_token_hash: Buffer | null
  secrets: SessionSecrets
}

/** A session in a list, which needs no secret opened. */
export interface ListedSession
  extends Omit<StoredSession, 'access_token_hash' | 'refresh_token_hash' | 'secrets'> {
  /** Of its site; null if that was removed. */
  realm: string | null
  name: string | null
}

/** A session that is gone. */
export interface RemovedSession
  extends Pick<StoredSession, 'session_key' | 'oxd_id' | 'issuer' | 'sub' | 'sid'> {
  /** Undefined where no key opens them any more. */
  secrets: SessionSecrets | undefined
}

/** A completed login with the expiring id by which its site knows it. */
export interface Session extends Omit<StoredSession, 'session_key' | 'refresh_token_hash'> {
  session_id: string
}

export interface SessionSecrets {
  /** Absent once it was revoked. */
  access_token?: string
  /** When the access token expires; absent if the OP did not say. */
  access_token_expires_at?: Seconds
  /** Seconds from its issue to then. */
  access_token_lifetime?: Seconds
  /** Absent if the OP issued none, and once it was revoked. */
  refresh_token?: string
  /** The OP has answered `invalid_grant` to the refresh token, which is kept as a late answer may be to it. */
  refresh_rejected?: true
  id_token: string
  id_token_claims: Record<string, unknown>
  scope?: string
  /** The login asked for an ID Token alone: there never was an access token. */
  without_access_token?: true
}

/** Who holds it refreshes the session's tokens, and nobody else does. */
export interface Lease {
  /** Random: a later holder has another. */
  token: Buffer
  /** It ends then, should its holder have died. */
  until: Seconds
}

export type TokenKind = 'access' | 'refresh'

/** A session found by one of its tokens. */
export interface SessionOfToken {
  session: StoredSession
  /** False for a token that a refresh used or replaced lately. */
  current: boolean
}

/** A token that a refresh used or replaced, or that it brought beside the session's own. */
export interface EarlierToken {
  kind: TokenKind
  /** Its SHA-256. */
  token_hash: Buffer
  /** For how long the session is still found by it. */
  forget_at: Seconds
}

/** What became of what a refresh brought. */
export interface FinishedRefresh {
  /** As it is then. */
  session: StoredSession
  stored: boolean
}

/** An OP's documents as a realm last fetched them and found them good. */
export interface OpDocuments {
  realm: string
  op_host: string
  /** Discovery metadata (OIDC Discovery 3). */
  metadata: Record<string, unknown>
  /** JSON Web Key Set, null until it was needed once. */
  jwks: { keys: Record<string, unknown>[] } | null
  fetched_at: Seconds
}

/** A registration about to be asked of an OP, recorded before it is asked. */
export interface RegistrationIntent {
  realm: string
  /** SHA-256 of the caller's idempotency key. */
  idempotency_hash: Buffer
  /** HMAC of the parameters under the key, so that one key does not serve two registrations. */
  params_hash: Buffer
  /** The id that the site will have. */
  oxd_id: string
  /** Until then the registration belongs to whoever began it. */
  lease_until: Seconds
  /** That the site will have: one that has it already is what the intent came to. */
  name?: string | undefined
}

/** What a caller's idempotency key stands for, if it does. */
export type RegistrationFound =
  | { outcome: 'registered' | 'in_progress'; oxd_id: string; params_hash: Buffer }
  | undefined

/**
 * `begun`: the caller now holds the lease and asks the OP, under the given oxd_id.
 * `registered`: done before, with these parameters. `in_progress`: another holds the lease. Or the
 * realm has as many sites, or as much stored, as its quotas allow.
 */
export type RegistrationStart =
  | { outcome: 'begun'; oxd_id: string }
  | NonNullable<RegistrationFound>
  | ({ outcome: 'exceeded' } & Exceeded)

/** `exists`: one has such a name in its realm, or such an oxd_id. */
export type AddSites =
  | 'added'
  | { outcome: 'exists'; oxd_id: string }
  | ({ outcome: 'exceeded'; realm: string } & Exceeded)

/** `changed`: by somebody else since it was read, or removed. */
export type UpdateSite = 'updated' | 'changed' | 'name_taken'

/** What the sites of a realm have stored together; what has expired and was not swept yet is counted. */
export interface RealmUsage {
  realm: string
  sites: number
  logins: number
  sessions: number
  bytes: number
}

export type TakenLogin = Login | 'unknown' | 'wrong_binding'

/** `no_site`: it was removed meanwhile. */
export type PutLogin = 'stored' | 'no_site' | Exceeded

/** The order of sites at one redirect URI: those that the operator named, then who has it longest. */
export interface Place {
  of_operator: boolean
  since: Seconds
  oxd_id: string
}

export interface Store {
  /** @returns what became of an earlier intent with this realm and key, unless its lease ran out */
  findRegistration(
    realm: string,
    idempotency_hash: Buffer,
    now: Seconds,
  ): Promise<RegistrationFound>
  /**
   * Records the intent, or says what became of an earlier one with the same realm and key. A lease
   * that ran out before `now` (its holder died) is taken over, with the new intent's parameters.
   */
  beginRegistration(
    intent: RegistrationIntent,
    now: Seconds,
    quotas: StoreQuotas & { sites: number },
  ): Promise<RegistrationStart>
  /**
   * Stores the site and marks its intent as done, in one commit; rejected if another caller has
   * taken the intent over, because then two registrations would claim one key.
   */
  finishRegistration(site: Site, idempotency_hash: Buffer): Promise<void>
  /**
   * Forgets an intent that was not finished, so that the key may try again; leaves it alone if
   * another caller has taken it over, under another `oxd_id`.
   */
  abandonRegistration(realm: string, idempotency_hash: Buffer, oxd_id: string): Promise<void>

  /** The same work, and so the same time, whether another realm has the site or nobody. */
  getSite(oxd_id: string, realm: string): Promise<Site | undefined>
  /**
   * Removes the site with its intent. Its logins and sessions are of no use to anybody from then on,
   * and are swept. @returns whether it was there
   */
  removeSite(oxd_id: string): Promise<boolean>
  /**
   * Stores sites whose clients exist already: all of them, or none.
   *
   * @param quotas of each realm that is among them
   */
  addSites(
    sites: readonly Site[],
    now: Seconds,
    quotas: (realm: string) => StoreQuotas & { sites: number },
  ): Promise<AddSites>
  /** Replaces the site with its secrets, if its `version` is still the one that was read. */
  updateSite(site: Site): Promise<UpdateSite>
  /** @returns sites of the realm whose registration is to be renewed, the longest due first */
  dueRenewals(
    realm: string,
    now: Seconds,
    limit: number,
  ): Promise<{ oxd_id: string; renew_at: Seconds }[]>
  /**
   * Puts a renewal off, if it is still due when it was seen to be: who does so holds it until then.
   *
   * @param until null takes it off for good
   * @returns whether it was this caller
   */
  takeRenewal(oxd_id: string, seen: Seconds, until: Seconds | null): Promise<boolean>
  /** @returns sites of all realms in the order of their ids, from behind `after` on */
  listSites(after: string, limits: SliceLimits): Promise<Slice<ListedSite>>
  /** @returns those of this name; where there are none, those whose oxd_id begins so: at most `limit` */
  findSites(text: string, limit: number): Promise<ListedSite[]>
  /** @returns the issuers of all sites of the realm that use this redirect_uri, each once */
  issuersOfRedirectUri(realm: string, redirect_uri: string): Promise<string[]>
  /** @returns the OPs of those whose place is before this one, each once */
  opsOfRedirectUri(
    realm: string,
    redirect_uri: string,
    before: Place,
  ): Promise<Pick<Site, 'op_host' | 'issuer'>[]>
  /** Whether a site of the realm is at this OP. */
  hasSiteAt(realm: string, op_host: string): Promise<boolean>

  /** @returns some setup clients of the realm at this issuer whose secret has not expired: those that relyd registered first, and of them the oldest */
  setupClients(realm: string, issuer: string, now: Seconds, limit: number): Promise<Site[]>
  /**
   * @returns those of this client_id, or that had it when their websites were told, ten at most: that which relyd registered first, for anybody may
   * say that he was issued any client
   */
  setupClientsOf(realm: string, issuer: string, client_id: string): Promise<Site[]>

  /** What each realm that ever had a site has stored. */
  usageOfRealms(): Promise<RealmUsage[]>

  /**
   * Stores the login, if the site's and its realm's quotas let another End-User log in: who is sent
   * to the OP shall find room for a session on return.
   */
  putLogin(login: Login, quotas: StoreQuotas): Promise<PutLogin>
  /**
   * Deletes and returns the login in one statement, if `state` is this site's, has not expired at
   * `now`, and its binding is null or equals `binding_hash`. A wrong binding leaves it in place.
   */
  takeLogin(
    state: string,
    oxd_id: string,
    binding_hash: Buffer | null,
    now: Seconds,
  ): Promise<TakenLogin>
  /**
   * The same of the site's only login that is bound to no browser, has not expired at `now`, and
   * whose state its site does not know. Of several none is taken.
   */
  takeOnlyLogin(oxd_id: string, now: Seconds): Promise<Login | 'unknown' | 'several'>
  /** A login that is bound to no browser, left in place; undefined where {@link takeLogin} would not take it. */
  getUnboundLogin(state: string, oxd_id: string, now: Seconds): Promise<Login | undefined>

  putSession(session: Session): Promise<void>
  getSession(session_id: string, oxd_id: string, now: Seconds): Promise<StoredSession | undefined>
  /** Deletes and returns the session in one statement. */
  takeSession(session_id: string, oxd_id: string, now: Seconds): Promise<StoredSession | undefined>
  /** The same of a session that was found. @returns undefined if it is gone already */
  removeSession(session: StoredSession): Promise<StoredSession | undefined>
  /**
   * Sessions of all sites, those that expire last first: a slice, for whoever looks for some of them.
   *
   * @param below where the slice before ended
   */
  listSessions(
    below: Buffer | undefined,
    now: Seconds,
    limits: SliceLimits,
  ): Promise<Slice<ListedSession>>
  /** Deletes sessions in one commit. @returns those that were there, and were not others' to tell of */
  removeSessions(session_keys: readonly Buffer[]): Promise<RemovedSession[]>
  /** @returns the session that this token was issued for at this site */
  findSession(
    oxd_id: string,
    kind: TokenKind,
    token_hash: Buffer,
    now: Seconds,
  ): Promise<SessionOfToken | undefined>

  /**
   * Takes the session's lease in one statement, if nobody has it at `now`. A lease that lasts for
   * more than twice as long as the new one is nobody's: the clock was set back.
   *
   * @returns the session as it is then, and whether the lease was had; undefined if it is gone
   */
  leaseSession(
    session_key: Buffer,
    lease: Lease,
    now: Seconds,
  ): Promise<{ session: StoredSession; leased: boolean } | undefined>
  /**
   * Stores what a refresh has brought and ends the lease, in one commit. Who has lost the lease may
   * do so too as long as nobody else has stored or taken out tokens since.
   *
   * @param asked the session as it was when the OP was asked
   * @param change makes the new secrets of what they are now; perhaps several times
   * @returns undefined if the session is gone
   */
  finishRefresh(
    asked: StoredSession,
    lease: Lease,
    change: (secrets: SessionSecrets) => SessionSecrets,
    earlier?: readonly EarlierToken[],
  ): Promise<FinishedRefresh | undefined>
  /** Gives the lease back and leaves the session as it is. */
  releaseSession(session_key: Buffer, lease: Lease): Promise<void>
  /**
   * Takes tokens out of a session, and with the refresh token the lease from whoever is refreshing it:
   * what he brings comes too late.
   *
   * @returns the secrets as they were; undefined if the session is gone
   */
  dropTokens(session_key: Buffer, kinds: readonly TokenKind[]): Promise<SessionSecrets | undefined>

  getOpDocuments(realm: string, op_host: string): Promise<OpDocuments | undefined>
  putOpDocuments(documents: OpDocuments): Promise<void>

  /**
   * Deletes at most `limit` rows of each kind that have expired, belonged to a removed site, or are
   * documents of an OP where no site is registered. @returns how many it deleted
   */
  sweep(now: Seconds, limit: number): Promise<number>
  /**
   * Commits a write that changes nothing.
   *
   * @throws StoreError where no other write would be committed either
   */
  proveWritable(): Promise<void>
  /** Commits what is pending, then closes. */
  close(): Promise<void>
}
