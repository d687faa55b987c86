/**
 * A strict OP whose every answer a test can bend.
 *
 * Unbent, it checks registrations, authorization requests, client authentication, redirect URI, PKCE
 * and Bearer tokens for real, so that a request it should not have got shows as a failed login.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { json, send } from './answers.js'
import { agree, callbackOf } from './authorization.js'
import { Inside } from './inside.js'
import { makeKey, randomText } from './jws.js'
import { metadataOf, SERVED } from './op_metadata.js'
import { Refusal } from './refusal.js'
import { manage, register } from './registration.js'
import { introspect, revoke, token } from './token.js'
import type {
  Alg,
  Answer,
  Asked,
  Bends,
  BentClient,
  BentOpOptions,
  Calls,
  Endpoint,
  Members,
  Mode,
  PublishedOp,
  RegisteredClient,
  SigningKey,
} from './types.js'
import { claimsJwt, claimsSource, userInfo } from './userinfo.js'
import { webfinger } from './webfinger.js'

/** An OP at `http://127.0.0.1:PORT`, unless it has TLS; every path below is random, so that nobody can guess one. */
export class BentOp implements AsyncDisposable {
  /** Every request, oldest first. */
  readonly asked: Asked[] = []
  /** Parameters of every authorization request, oldest first. */
  readonly authorizations: URLSearchParams[] = []
  /** Tokens, codes and secrets it gave out: none may be seen in a log. */
  readonly secrets: string[] = []
  /** Access tokens it gave out, oldest first. */
  readonly access_tokens: string[] = []
  readonly clients = new Map<string, BentClient>()
  /** Those of the operator, to register with where that is protected. */
  readonly initial_access_tokens = new Set<string>()
  /** What jwks_uri publishes. */
  keys: Members[]
  /** Signs ID Tokens. */
  key: SigningKey
  /** Who logs in. */
  sub = 'alice'
  /** What is known of who logs in: UserInfo, and ID Tokens where the request asks for it there. */
  user: Members = { name: 'Alice' }
  /** How who logs in has authenticated; undefined, as the request wishes. */
  acr: string | undefined
  /** Seconds since who logs in has authenticated. */
  authenticated_ago = 0
  /** Seconds that access tokens live, as it says. */
  expires_in: number | undefined = 300
  /** Whose accounts they are that log in, at an OP whose issuer has `{tenantid}`. */
  tenant: string | undefined
  /** Claims that ID Tokens have besides. */
  more_claims: Members = {}
  /** Whether each refresh brings a new refresh token and uses up the old one. */
  rotates = true
  /** Seconds that a registered client's secret is good for; 0, for ever. */
  client_secret_lifetime = 0
  /** Whether an update of a registration brings a new client_secret (RFC 7592 3). */
  renews_secrets = false
  /** Whether each read or update of a registration brings a new registration access token (RFC 7592 3). */
  rotates_registration_tokens = false
  /** What a client's jwks_uri answers. */
  fetchJwks: (jwks_uri: string) => { keys: readonly Members[] } = noJwks
  readonly #server: Server
  readonly #paths = new Map<string, Endpoint>([['/.well-known/webfinger', 'webfinger']])
  readonly #options: BentOpOptions
  readonly #inside: Inside
  #faults: unknown[] = []

  private constructor(server: Server, options: BentOpOptions) {
    this.#server = server
    this.#options = options
    const { key, alg = 'RS256', more_algs = [], issuer_path = '' } = options
    this.key = key ?? makeKey(alg)
    this.#inside = new Inside(
      this,
      options,
      more_algs.filter((one) => !one.startsWith('HS')).map((one) => makeKey(one)),
    )
    this.keys = this.#publicKeys()
    this.#paths.set(`${issuer_path}/.well-known/openid-configuration`, 'discovery')
    for (const endpoint of [...Object.values(SERVED), 'client', 'claims_source'] as const) {
      this.#paths.set(`/${randomText(6)}/${endpoint}`, endpoint)
    }
    if (options.published) this.#servePublished(options.published)
    server.on('request', (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.#faults.push(error)
        response.destroy()
      })
    })
  }

  static async start(options: BentOpOptions = {}): Promise<BentOp> {
    const { tls } = options
    const server = tls ? createTlsServer(tls) : createServer()
    server.listen(0, tls ? 'localhost' : '127.0.0.1')
    await once(server, 'listening')
    return new BentOp(server, options)
  }

  get issuer(): string {
    const { published, issuer_path = '' } = this.#options
    return published
      ? this.#here(String(published.metadata['issuer']))
      : `${this.origin}${issuer_path}`
  }

  /** How sites name it. */
  get op_host(): string {
    const { published } = this.#options
    return published ? this.#here(published.op_host) : this.issuer
  }

  get origin(): string {
    const { port } = this.#server.address() as AddressInfo
    return this.#options.tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`
  }

  /** An address of the published OP, on this host. */
  #here(address: string): string {
    return address.replace(/^https:\/\/[^/]+/, this.origin)
  }

  #servePublished({ op_host, metadata }: PublishedOp): void {
    this.#paths.set(
      `${new URL(op_host).pathname.replace(/\/$/, '')}/.well-known/openid-configuration`,
      'discovery',
    )
    for (const [name, endpoint] of Object.entries(SERVED)) {
      const address = metadata[name]
      if (typeof address === 'string') this.#paths.set(new URL(address).pathname, endpoint)
    }
  }

  /** How many connections are open. */
  get connections(): Promise<number> {
    return promisify(this.#server.getConnections.bind(this.#server))()
  }

  /** The address of an endpoint. */
  address(endpoint: Endpoint): string {
    const [path] = [...this.#paths].find(([, one]) => one === endpoint) ?? []
    return this.origin + path
  }

  get metadata(): Members {
    return metadataOf(this, this.#options)
  }

  /** Bends what follows, until {@link straighten} or the next bend. */
  bend(bends: Bends): void {
    this.#inside.bends = bends
  }

  /** Answers honestly again. @throws what failed inside the OP or inside a bend meanwhile */
  straighten(): void {
    this.#inside.bends = {}
    const [fault] = this.#faults
    this.#faults = []
    if (fault !== undefined) throw fault
  }

  /** Publishes a new key instead of the present one, and signs with it. */
  rotate(alg: Alg = this.key.alg): SigningKey {
    this.key = makeKey(alg)
    this.keys = this.#publicKeys()
    return this.key
  }

  #publicKeys(): Members[] {
    return [this.key, ...this.#inside.more_keys].map(({ jwk }) => jwk)
  }

  /** A client that the OP's operator set up. */
  addClient(client: RegisteredClient): BentClient {
    this.clients.set(client.client_id, client)
    if (client.client_secret !== undefined) this.secrets.push(client.client_secret)
    return client
  }

  /** Tokens as of a login that nobody sees. */
  grant(client_id: string): { access_token: string; refresh_token: string } {
    const scope = 'openid offline_access'
    const asked = { redirect_uri: '', nonce: '', code_challenge: '', id_token_claims: [] }
    const grant = { ...asked, client_id, scope, auth_time: undefined, acr: undefined }
    return {
      access_token: this.#inside.accessToken(grant, client_id, scope),
      refresh_token: this.#inside.refreshToken(grant),
    }
  }

  /** Whether an access token that it gave out is still good. */
  isActive(access_token: string): boolean {
    return this.#inside.active.has(access_token)
  }

  /** How often each endpoint was asked, without those that were not; since `start` of {@link asked}. */
  calls(start = 0): Calls {
    const calls: Calls = {}
    for (const { endpoint } of this.asked.slice(start)) {
      calls[endpoint] = (calls[endpoint] ?? 0) + 1
    }
    return calls
  }

  /** The latest request to an endpoint. */
  last(endpoint: Endpoint): Asked {
    const found = this.asked.findLast((one) => one.endpoint === endpoint)
    if (!found) throw new Error(`nobody asked ${endpoint}`)
    return found
  }

  /**
   * The authorization endpoint, with an End-User who agrees to everything.
   *
   * @param bend changes the parameters of the response
   * @param as how the response comes, whatever the request says
   * @returns what completes the login: the URL that the browser requests from the site, with a query
   * or a fragment, or with form_post the form that it posts there
   * @throws Error if the request is not what an OP would accept
   */
  authorize(
    authorization_url: string,
    bend: (response: URLSearchParams) => void = noBend,
    as?: Mode,
  ): string {
    const response = agree(this.#inside, authorization_url)
    bend(response.params)
    return callbackOf({ ...response, mode: as ?? response.mode })
  }

  /** The same where the OP must answer with a form that the browser posts. @returns the form */
  authorizeByPost(
    authorization_url: string,
    bend: (response: URLSearchParams) => void = noBend,
  ): string {
    const mode = new URL(authorization_url).searchParams.get('response_mode')
    if (mode !== 'form_post') throw new Error(`response_mode is ${mode}, and this OP posts`)
    return this.authorize(authorization_url, bend)
  }

  /** Members of UserInfo or ID Token: claims that this OP vouches for, within them (OIDC Core 5.6.2). */
  aggregated(claims: Members, source = 'src1'): Members {
    return named(claims, source, { JWT: claimsJwt(this.#inside, claims) })
  }

  /** The same, to be fetched from this OP. */
  distributed(claims: Members, source = 'src1'): Members {
    const access_token = this.#inside.secret()
    this.#inside.distributed.set(access_token, claims)
    return named(claims, source, { endpoint: this.address('claims_source'), access_token })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that gives up on a hanging answer resets the connection.
    response.on('error', () => {})
    const [path = ''] = (request.url as string).split('?')
    const [, folder, name] = path.split('/')
    const endpoint = this.#paths.get(path) ?? this.#paths.get(`/${folder}/${name}`) ?? 'other'
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const asked: Asked = {
      endpoint,
      method: request.method as string,
      url: request.url as string,
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    }
    this.asked.push(asked)
    const honest = this.#answer(asked)
    const bend = endpoint === 'other' ? undefined : this.#inside.bends[endpoint]
    const answer = bend ? bend(honest, asked) : honest
    if (typeof answer === 'function') answer(response)
    else send(response, answer)
  }

  #answer(asked: Asked): Answer {
    const inside = this.#inside
    try {
      switch (asked.endpoint) {
        case 'webfinger':
          return webfinger(inside, asked)
        case 'discovery':
          return json(this.metadata)
        case 'jwks':
          return json({ keys: this.keys })
        case 'registration':
          return register(inside, asked)
        case 'client':
          return manage(inside, asked)
        case 'token':
          return token(inside, asked)
        case 'userinfo':
          return userInfo(inside, asked)
        case 'revocation':
          return revoke(inside, asked)
        case 'introspection':
          return introspect(inside, asked)
        case 'claims_source':
          return claimsSource(inside, asked)
        case 'other':
          return json({ error: 'not_found' }, 404)
      }
    } catch (error) {
      if (error instanceof Refusal) return error.answer
      throw error
    }
  }
}

function named(claims: Members, source: string, where: Members): Members {
  return {
    _claim_names: Object.fromEntries(Object.keys(claims).map((name) => [name, source])),
    _claim_sources: { [source]: where },
  }
}

function noBend(): void {}

function noJwks(jwks_uri: string): never {
  throw new Error(`nobody said what ${jwks_uri} answers`)
}
