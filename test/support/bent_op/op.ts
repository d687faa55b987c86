/**
 * A strict OP for the code flow whose every answer a test can bend.
 *
 * Unbent, it checks client authentication, redirect URI, PKCE and Bearer tokens for real, so that a
 * request it should not have got shows as a failed login.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { json, send } from './answers.js'
import { atHash, makeKey, randomText, sha256, signJwt } from './tokens.js'
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
  PublishedOp,
  SigningKey,
} from './types.js'

interface Grant {
  client_id: string
  redirect_uri: string
  nonce: string
  code_challenge: string
  max_age: string | null
  scope: string
  auth_time: number
}

/** What a refresh token is good for. */
interface RefreshGrant {
  grant: Grant
  /** It was rotated: whoever brings it again has stolen it, or was stolen from. */
  used: boolean
}

const MAX_NONCE = 43

/** Members of metadata by what is served there. */
const SERVED: Record<string, Endpoint> = {
  jwks_uri: 'jwks',
  registration_endpoint: 'registration',
  token_endpoint: 'token',
  userinfo_endpoint: 'userinfo',
  revocation_endpoint: 'revocation',
  introspection_endpoint: 'introspection',
}

/** An OP at `http://127.0.0.1:PORT`, unless it has TLS; every path below is random, so that nobody can guess one. */
export class BentOp implements AsyncDisposable {
  /** Every request, oldest first. */
  readonly asked: Asked[] = []
  /** Tokens, codes and secrets it gave out: none may be seen in a log. */
  readonly secrets: string[] = []
  /** Access tokens it gave out, oldest first. */
  readonly access_tokens: string[] = []
  readonly clients = new Map<string, BentClient>()
  /** What jwks_uri publishes. */
  keys: Members[]
  /** Signs ID Tokens. */
  key: SigningKey
  /** Who logs in. */
  sub = 'alice'
  /** Seconds that access tokens live, as it says. */
  expires_in: number | undefined = 300
  /** Whose accounts they are that log in, at an OP whose issuer has `{tenantid}`. */
  tenant: string | undefined
  /** Claims that ID Tokens have besides. */
  more_claims: Members = {}
  /** Whether each refresh brings a new refresh token and uses up the old one. */
  rotates = true
  readonly #server: Server
  readonly #paths = new Map<string, Endpoint>([['/.well-known/openid-configuration', 'discovery']])
  readonly #grants = new Map<string, Grant>()
  readonly #refresh_tokens = new Map<string, RefreshGrant>()
  /** Access tokens that were not revoked, with their scope. */
  readonly #active = new Map<string, { grant: Grant; scope: string }>()
  readonly #registration_tokens = new Map<string, string>()
  readonly #options: BentOpOptions
  #bends: Bends = {}
  #faults: unknown[] = []

  private constructor(server: Server, options: BentOpOptions) {
    this.#server = server
    this.#options = options
    this.key = options.key ?? makeKey(options.alg ?? 'RS256')
    this.keys = [this.key.jwk]
    for (const endpoint of [
      'jwks',
      'registration',
      'client',
      'token',
      'userinfo',
      'revocation',
      'introspection',
    ] as const) {
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
    const { published } = this.#options
    return published ? this.#here(String(published.metadata['issuer'])) : this.origin
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
    const { published } = this.#options
    if (published) {
      const text = JSON.stringify(published.metadata)
      const here = text.replace(/https:\/\/[^/"]+/g, this.origin)
      return { ...JSON.parse(here), ...this.#options.metadata }
    }
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/authorize`,
      token_endpoint: this.address('token'),
      userinfo_endpoint: this.address('userinfo'),
      jwks_uri: this.address('jwks'),
      registration_endpoint: this.address('registration'),
      revocation_endpoint: this.address('revocation'),
      introspection_endpoint: this.address('introspection'),
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [this.#options.alg ?? 'RS256'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      authorization_response_iss_parameter_supported: true,
      ...this.#options.metadata,
    }
  }

  /** Bends what follows, until {@link straighten} or the next bend. */
  bend(bends: Bends): void {
    this.#bends = bends
  }

  /** Answers honestly again. @throws what failed inside the OP or inside a bend meanwhile */
  straighten(): void {
    this.#bends = {}
    const [fault] = this.#faults
    this.#faults = []
    if (fault !== undefined) throw fault
  }

  /** Publishes a new key instead of the present ones, and signs with it. */
  rotate(alg: Alg = this.key.alg): SigningKey {
    this.key = makeKey(alg)
    this.keys = [this.key.jwk]
    return this.key
  }

  /** A client that the OP's operator set up. */
  addClient(client: BentClient): BentClient {
    this.clients.set(client.client_id, client)
    if (client.client_secret !== undefined) this.secrets.push(client.client_secret)
    return client
  }

  /** Tokens as of a login that nobody sees. */
  grant(client_id: string): { access_token: string; refresh_token: string } {
    const scope = 'openid offline_access'
    const auth_time = Math.floor(Date.now() / 1000)
    const asked = { redirect_uri: '', nonce: '', code_challenge: '', max_age: null }
    const grant = { ...asked, client_id, scope, auth_time }
    return {
      access_token: this.#accessToken(grant, scope),
      refresh_token: this.#refreshToken(grant),
    }
  }

  /** Whether an access token that it gave out is still good. */
  isActive(access_token: string): boolean {
    return this.#active.has(access_token)
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
   * @returns the callback, as the browser would request it from the site
   * @throws Error if the request is not what an OP would accept
   */
  authorize(authorization_url: string, bend: (response: URLSearchParams) => void = noBend): string {
    const asked = new URL(authorization_url).searchParams
    if ((asked.get('response_mode') ?? 'query') !== 'query') throw new Error('not by a redirect')
    const response = this.#agree(authorization_url)
    bend(response)
    const redirect_uri = asked.get('redirect_uri') as string
    return `${redirect_uri}${redirect_uri.includes('?') ? '&' : '?'}${response}`
  }

  /** The same where the OP answers with a form that the browser posts. @returns the form */
  authorizeByPost(
    authorization_url: string,
    bend: (response: URLSearchParams) => void = noBend,
  ): string {
    const mode = new URL(authorization_url).searchParams.get('response_mode')
    if (mode !== 'form_post') throw new Error(`response_mode is ${mode}, and this OP posts`)
    const response = this.#agree(authorization_url)
    bend(response)
    return response.toString()
  }

  #agree(authorization_url: string): URLSearchParams {
    const { origin, pathname, searchParams: asked } = new URL(authorization_url)
    const once = (name: string) => {
      const [value, ...more] = asked.getAll(name)
      if (value === undefined) throw new Error(`the authorization request lacks ${name}`)
      if (more.length > 0) throw new Error(`the authorization request has ${name} twice`)
      return value
    }
    const expected = (what: string, is: unknown, wanted: unknown) => {
      if (is !== wanted) throw new Error(`the authorization request's ${what} is ${is}`)
    }
    expected('address', origin + pathname, this.metadata['authorization_endpoint'])
    const client = this.clients.get(once('client_id'))
    if (!client) throw new Error('the authorization request names an unknown client')
    const redirect_uri = once('redirect_uri')
    expected('redirect_uri', client.redirect_uris.includes(redirect_uri), true)
    expected('response_type', once('response_type'), 'code')
    expected('scope', once('scope').split(' ').includes('openid'), true)
    expected('code_challenge_method', once('code_challenge_method'), 'S256')
    const nonce = once('nonce')
    expected('nonce', nonce.length <= MAX_NONCE && /^[\w-]+$/.test(nonce), true)

    const code = this.#secret()
    this.#grants.set(code, {
      client_id: client.client_id,
      redirect_uri,
      nonce,
      code_challenge: once('code_challenge'),
      max_age: asked.get('max_age'),
      scope: once('scope'),
      auth_time: Math.floor(Date.now() / 1000),
    })
    const response = new URLSearchParams({ code, state: once('state') })
    if (this.metadata['authorization_response_iss_parameter_supported'] === true) {
      response.set('iss', this.issuer)
    }
    return response
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
    const bend = endpoint === 'other' ? undefined : this.#bends[endpoint]
    const answer = bend ? bend(honest, asked) : honest
    if (typeof answer === 'function') answer(response)
    else send(response, answer)
  }

  #answer(asked: Asked): Answer {
    try {
      switch (asked.endpoint) {
        case 'discovery':
          return json(this.metadata)
        case 'jwks':
          return json({ keys: this.keys })
        case 'registration':
          return this.#register(asked)
        case 'client':
          return this.#unregister(asked)
        case 'token':
          return this.#token(asked)
        case 'userinfo':
          return this.#userInfo(asked)
        case 'revocation':
          return this.#revoke(asked)
        case 'introspection':
          return this.#introspect(asked)
        case 'other':
          return json({ error: 'not_found' }, 404)
      }
    } catch (error) {
      if (error instanceof Refusal) return error.answer
      throw error
    }
  }

  /** RFC 7591 3. */
  #register({ body }: Asked): Answer {
    const wishes = JSON.parse(body) as Members & { redirect_uris: string[] }
    const method = wishes['token_endpoint_auth_method'] as BentClient['token_endpoint_auth_method']
    const client_id = `client-${randomText(6)}`
    const registration_access_token = this.#secret()
    this.#registration_tokens.set(client_id, registration_access_token)
    const client = this.addClient({
      client_id,
      token_endpoint_auth_method: method,
      redirect_uris: wishes.redirect_uris,
      ...(method !== 'none' && { client_secret: randomText(24) }),
    })
    return json(
      {
        ...wishes,
        ...client,
        ...(client.client_secret !== undefined && { client_secret_expires_at: 0 }),
        registration_access_token,
        registration_client_uri: `${this.address('client')}/${client_id}`,
      },
      201,
    )
  }

  /** RFC 7592 2.3. */
  #unregister({ method, url, headers }: Asked): Answer {
    const client_id = url.split('/').pop() as string
    const token = this.#registration_tokens.get(client_id)
    if (token === undefined || headers.authorization !== `Bearer ${token}`) {
      return json({ error: 'invalid_token' }, 401, {
        'www-authenticate': 'Bearer error="invalid_token"',
      })
    }
    if (method !== 'DELETE') return json({ error: 'invalid_request' }, 405)
    this.#registration_tokens.delete(client_id)
    this.clients.delete(client_id)
    return { status: 204, headers: {}, body: '' }
  }

  /** A form from a client that authenticated. */
  #form({ method, headers, body }: Asked): { form: URLSearchParams; client: BentClient } {
    if (method !== 'POST') throw refusal('invalid_request', 'not a POST')
    if (!headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
      throw refusal('invalid_request', 'not a form')
    }
    const form = new URLSearchParams(body)
    for (const name of new Set(form.keys())) {
      if (form.getAll(name).length > 1) throw refusal('invalid_request', `${name} twice`)
    }
    return { form, client: this.#authenticate(headers.authorization, form) }
  }

  /** RFC 6749 4.1.3, RFC 7636 4.6. */
  #token(asked: Asked): Answer {
    const { form, client } = this.#form(asked)
    if (form.get('grant_type') === 'refresh_token') return this.#refresh(form, client)
    if (form.get('grant_type') !== 'authorization_code') throw refusal('unsupported_grant_type')
    const code = form.get('code') ?? ''
    const grant = this.#grants.get(code)
    // RFC 6749 4.1.2: a code works once.
    this.#grants.delete(code)
    if (!grant) throw refusal('invalid_grant', 'no such code')
    if (grant.client_id !== client.client_id) throw refusal('invalid_grant', 'another client')
    if (grant.redirect_uri !== form.get('redirect_uri')) {
      throw refusal('invalid_grant', 'another redirect_uri')
    }
    if (grant.code_challenge !== sha256(form.get('code_verifier') ?? '').toString('base64url')) {
      throw refusal('invalid_grant', 'another code_verifier')
    }
    const offline = grant.scope.split(' ').includes('offline_access')
    return this.#tokens(grant, grant.scope, offline ? this.#refreshToken(grant) : undefined)
  }

  /** RFC 6749 6, with the reuse detection of RFC 9700 4.14.2. */
  #refresh(form: URLSearchParams, client: BentClient): Answer {
    const refresh_token = form.get('refresh_token') ?? ''
    const known = this.#refresh_tokens.get(refresh_token)
    if (known?.grant.client_id !== client.client_id) throw refusal('invalid_grant', 'no such token')
    const { grant, used } = known
    if (used) {
      this.#forget(grant)
      throw refusal('invalid_grant', 'used before')
    }
    const scope = form.get('scope') ?? grant.scope
    const granted = grant.scope.split(' ')
    if (!scope.split(' ').every((one) => granted.includes(one))) throw refusal('invalid_scope')
    known.used = this.rotates
    return this.#tokens(grant, scope, this.rotates ? this.#refreshToken(grant) : undefined, true)
  }

  #accessToken(grant: Grant, scope: string): string {
    const access_token = this.#secret()
    this.access_tokens.push(access_token)
    this.#active.set(access_token, { grant, scope })
    return access_token
  }

  #refreshToken(grant: Grant): string {
    const refresh_token = this.#secret()
    this.#refresh_tokens.set(refresh_token, { grant, used: false })
    return refresh_token
  }

  #tokens(
    grant: Grant,
    scope: string,
    refresh_token: string | undefined,
    refreshed = false,
  ): Answer {
    const access_token = this.#accessToken(grant, scope)
    const id_token = this.#idToken(grant, access_token, refreshed)
    const { expires_in } = this
    return json({
      access_token,
      token_type: 'Bearer',
      ...(expires_in !== undefined && { expires_in }),
      ...(refresh_token !== undefined && { refresh_token }),
      ...(id_token !== undefined && { id_token }),
      ...(refreshed && { scope }),
    })
  }

  #forget(grant: Grant): void {
    for (const [token, known] of this.#refresh_tokens) {
      if (known.grant === grant) this.#refresh_tokens.delete(token)
    }
    for (const [token, known] of this.#active) {
      if (known.grant === grant) this.#active.delete(token)
    }
  }

  /** RFC 7009 2. */
  #revoke(asked: Asked): Answer {
    const { form } = this.#form(asked)
    const token = form.get('token')
    if (token === null) throw refusal('invalid_request', 'no token')
    const refreshed = this.#refresh_tokens.get(token)
    if (refreshed) this.#forget(refreshed.grant)
    else this.#active.delete(token)
    return { status: 200, headers: {}, body: '' }
  }

  /** RFC 7662 2. */
  #introspect(asked: Asked): Answer {
    const { form, client } = this.#form(asked)
    const known = this.#active.get(form.get('token') ?? '')
    if (!known) return json({ active: false })
    const now = Math.floor(Date.now() / 1000)
    return json({
      active: true,
      scope: known.scope,
      client_id: client.client_id,
      token_type: 'Bearer',
      exp: now + 300,
      iat: now,
      sub: this.sub,
      aud: client.client_id,
      iss: this.issuer,
    })
  }

  #authenticate(authorization: string | undefined, form: URLSearchParams): BentClient {
    const basic = /^Basic (.+)$/i.exec(authorization ?? '')?.[1]
    const [method, client_id, client_secret] = ((): (string | undefined)[] => {
      if (basic !== undefined) {
        // RFC 6749 2.3.1: both are form-encoded first, so that the colon is the first one.
        const [id, secret] = Buffer.from(basic, 'base64').toString().split(':').map(formDecode)
        return ['client_secret_basic', id, secret]
      }
      const id = form.get('client_id') ?? undefined
      const secret = form.get('client_secret') ?? undefined
      if (form.has('client_assertion')) return ['client_assertion', id]
      return [secret === undefined ? 'none' : 'client_secret_post', id, secret]
    })()
    const client = this.clients.get(client_id ?? '')
    if (
      !client ||
      client.token_endpoint_auth_method !== method ||
      (client.takes ? !client.takes(form) : client.client_secret !== client_secret) ||
      (basic !== undefined && form.has('client_secret'))
    ) {
      const { answer } = refusal('invalid_client', 'wrong client authentication', 401)
      // RFC 6749 5.2: who tried the Authorization header is told so.
      if (basic !== undefined) answer.headers['www-authenticate'] = 'Basic realm="op"'
      throw new Refusal(answer)
    }
    return client
  }

  #idToken(grant: Grant, access_token: string, refreshed: boolean): string | undefined {
    const key = this.#bends.key ?? this.key
    const now = Math.floor(Date.now() / 1000)
    const honest: Members = {
      iss: this.issuer.replace('{tenantid}', this.tenant ?? ''),
      ...(this.tenant !== undefined && { tid: this.tenant }),
      ...this.more_claims,
      sub: this.sub,
      aud: grant.client_id,
      iat: now,
      exp: now + 300,
      // OIDC Core 12.2: none in a refreshed one.
      ...(!refreshed && { nonce: grant.nonce }),
      at_hash: atHash(key.alg, access_token),
      ...(grant.max_age !== null && { auth_time: grant.auth_time }),
    }
    const claims = this.#bends.claims?.(honest) ?? honest
    const honest_header = { alg: key.alg, kid: key.kid, typ: 'JWT' }
    const header = this.#bends.header?.(honest_header) ?? honest_header
    const jwt = signJwt(header, claims, key)
    const id_token = this.#bends.id_token ? this.#bends.id_token(jwt, header, claims) : jwt
    if (id_token) this.secrets.push(id_token)
    return id_token
  }

  /** OIDC Core 5.3.2, RFC 6750 2.1. */
  #userInfo({ headers }: Asked): Answer {
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
    if (token === undefined || !this.#active.has(token)) {
      return json({ error: 'invalid_token' }, 401, {
        'www-authenticate': 'Bearer error="invalid_token"',
      })
    }
    return json({ sub: this.sub, name: 'Alice' })
  }

  #secret(): string {
    const secret = randomText(24)
    this.secrets.push(secret)
    return secret
  }
}

/** An answer of the OP that is not 200. */
class Refusal extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super('refused')
    this.answer = answer
  }
}

/** RFC 6749 5.2. */
function refusal(error: string, error_description?: string, status = 400): Refusal {
  return new Refusal(json({ error, ...(error_description && { error_description }) }, status))
}

function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

function noBend(): void {}
