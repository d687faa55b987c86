/**
 * An OP whose every answer a test can bend, and a site that logs in at it.
 *
 * Unbent, it is a strict OP for the code flow: it checks client authentication, redirect URI, PKCE
 * and Bearer tokens for real, so that a request it should not have got shows as a failed login.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'vitest'
import type { Reply, Wire } from './wire.js'

/** What the OP counts its requests by. `client` is RFC 7592; `other` is anything it does not serve. */
export type Endpoint =
  | 'discovery'
  | 'jwks'
  | 'registration'
  | 'client'
  | 'token'
  | 'userinfo'
  | 'other'

export type Calls = Partial<Record<Endpoint, number>>

/** A request as it arrived. */
export interface Asked {
  endpoint: Endpoint
  method: string
  /** Path and query. */
  url: string
  headers: IncomingHttpHeaders
  body: string
}

export interface Answer {
  status: number
  headers: Record<string, string>
  /** An object is sent as JSON; text and bytes as they are. */
  body: object | string | Buffer
}

/** Answers in its own way, or never. */
export type Takeover = (response: ServerResponse) => void

/** Changes an answer, puts another in its place, or takes the response over. */
export type Bend = (answer: Answer, asked: Asked) => Answer | Takeover

export type Members = Record<string, unknown>

/** What a test changes. Endpoints' bends see the answer that an honest OP would have given. */
export interface Bends extends Partial<Record<Exclude<Endpoint, 'other'>, Bend>> {
  /** The ID Token's claims, before it is signed. */
  claims?: (claims: Members) => Members
  /** Its header, before it is signed. */
  header?: (header: Members) => Members
  /** The key that signs it; the header names this key then. */
  key?: SigningKey
  /** The ID Token whole; undefined leaves it out. */
  id_token?: (jwt: string, header: Members, claims: Members) => string | undefined
}

export type Alg = 'RS256' | 'PS256' | 'ES256' | 'EdDSA' | 'ES256K'

export interface SigningKey {
  kid: string
  alg: Alg
  private_key: KeyObject
  /** The public key as a JWK with kid, alg and use. */
  jwk: Members
}

export interface BentOpOptions {
  /** With which ID Tokens are signed, and which the metadata offers alone. */
  alg?: Alg
  /** Laid over the metadata; a member that is undefined is left out. */
  metadata?: Members
}

export interface BentClient {
  client_id: string
  client_secret?: string
  token_endpoint_auth_method: 'client_secret_basic' | 'client_secret_post' | 'none'
  redirect_uris: string[]
}

interface Grant {
  client_id: string
  redirect_uri: string
  nonce: string
  code_challenge: string
  max_age: string | null
}

const MAX_NONCE = 43

/** An OP at `http://127.0.0.1:PORT`; every path below is random, so that nobody can guess one. */
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
  readonly #server: Server
  readonly #paths = new Map<string, Endpoint>([['/.well-known/openid-configuration', 'discovery']])
  readonly #grants = new Map<string, Grant>()
  readonly #registration_tokens = new Map<string, string>()
  readonly #options: BentOpOptions
  #bends: Bends = {}
  #faults: unknown[] = []

  private constructor(server: Server, options: BentOpOptions) {
    this.#server = server
    this.#options = options
    this.key = makeKey(options.alg ?? 'RS256')
    this.keys = [this.key.jwk]
    for (const endpoint of ['jwks', 'registration', 'client', 'token', 'userinfo'] as const) {
      this.#paths.set(`/${randomText(6)}/${endpoint}`, endpoint)
    }
    server.on('request', (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.#faults.push(error)
        response.destroy()
      })
    })
  }

  static async start(options: BentOpOptions = {}): Promise<BentOp> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new BentOp(server, options)
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The address of an endpoint. */
  address(endpoint: Endpoint): string {
    const [path] = [...this.#paths].find(([, one]) => one === endpoint) ?? []
    return this.issuer + path
  }

  get metadata(): Members {
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/authorize`,
      token_endpoint: this.address('token'),
      userinfo_endpoint: this.address('userinfo'),
      jwks_uri: this.address('jwks'),
      registration_endpoint: this.address('registration'),
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
    expected('address', origin + pathname, `${this.issuer}/authorize`)
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
    })
    const response = new URLSearchParams({ code, state: once('state') })
    if (this.metadata['authorization_response_iss_parameter_supported'] === true) {
      response.set('iss', this.issuer)
    }
    bend(response)
    return `${redirect_uri}${redirect_uri.includes('?') ? '&' : '?'}${response}`
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

  /** RFC 6749 4.1.3, RFC 7636 4.6. */
  #token({ method, headers, body }: Asked): Answer {
    if (method !== 'POST') throw refusal('invalid_request', 'not a POST')
    if (!headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
      throw refusal('invalid_request', 'not a form')
    }
    const form = new URLSearchParams(body)
    for (const name of new Set(form.keys())) {
      if (form.getAll(name).length > 1) throw refusal('invalid_request', `${name} twice`)
    }
    const client = this.#authenticate(headers.authorization, form)
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
    const access_token = this.#secret()
    this.access_tokens.push(access_token)
    const id_token = this.#idToken(grant, access_token)
    return json({
      access_token,
      token_type: 'Bearer',
      expires_in: 300,
      ...(id_token !== undefined && { id_token }),
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
      return [secret === undefined ? 'none' : 'client_secret_post', id, secret]
    })()
    const client = this.clients.get(client_id ?? '')
    if (
      !client ||
      client.token_endpoint_auth_method !== method ||
      client.client_secret !== client_secret ||
      (basic !== undefined && form.has('client_secret'))
    ) {
      const { answer } = refusal('invalid_client', 'wrong client authentication', 401)
      // RFC 6749 5.2: who tried the Authorization header is told so.
      if (basic !== undefined) answer.headers['www-authenticate'] = 'Basic realm="op"'
      throw new Refusal(answer)
    }
    return client
  }

  #idToken(grant: Grant, access_token: string): string | undefined {
    const key = this.#bends.key ?? this.key
    const now = Math.floor(Date.now() / 1000)
    const honest: Members = {
      iss: this.issuer,
      sub: this.sub,
      aud: grant.client_id,
      iat: now,
      exp: now + 300,
      nonce: grant.nonce,
      at_hash: atHash(key.alg, access_token),
      ...(grant.max_age !== null && { auth_time: now }),
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
    if (token === undefined || !this.access_tokens.includes(token)) {
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

// Answers for bends.

export function json(body: object, status = 200, headers: Record<string, string> = {}): Answer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body }
}

/** A bend that changes members of an honest JSON answer; undefined drops one. */
export function withMembers(members: Members): Bend {
  return (answer) => ({ ...answer, body: { ...(answer.body as object), ...members } })
}

/** A bend that answers this whatever was asked. */
export function answers(answer: Answer | Takeover): Bend {
  return () => answer
}

export function html(status = 200): Answer {
  const body = '<!doctype html><title>Sorry</title><h1>We are updating our systems</h1>'
  return { status, headers: { 'content-type': 'text/html; charset=utf-8' }, body }
}

export function redirect(location: string, status = 302): Answer {
  return { status, headers: { location }, body: '' }
}

/** A JSON object of this many bytes. */
export function huge(bytes: number): Answer {
  return json(Buffer.from(`{"a":"${'a'.repeat(bytes - 8)}"}`))
}

/** Never answers. */
export const hang: Takeover = () => {}

/** Sends headers and a first byte, then a byte at a time, without end. */
export const drip: Takeover = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  const timer = setInterval(() => response.write(' '), 20)
  response.on('close', () => clearInterval(timer))
}

/** Resets the connection instead of answering. */
export const reset: Takeover = (response) => {
  response.socket?.resetAndDestroy()
}

/** Resets the connection in the middle of the body. */
export const resetMidBody: Takeover = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 })
  response.write('{"access_token":"', () => response.socket?.resetAndDestroy())
}

// ID Tokens for bends.

export function makeKey(alg: Alg, kid = randomText(6)): SigningKey {
  const { privateKey, publicKey } = generate(alg)
  return {
    kid,
    alg,
    private_key: privateKey,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
  }
}

function generate(alg: Alg): { privateKey: KeyObject; publicKey: KeyObject } {
  switch (alg) {
    case 'RS256':
    case 'PS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case 'ES256K':
      return generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
    case 'EdDSA':
      return generateKeyPairSync('ed25519')
  }
}

/** Signs as `key` does, whatever the header says. */
export function signJwt(header: Members, claims: Members, key: SigningKey): string {
  const input = signingInput(header, claims)
  return `${input}.${signature(key, Buffer.from(input)).toString('base64url')}`
}

/** RFC 7515 3.1: what a signature is made over. */
export function signingInput(header: Members, claims: Members): string {
  return [header, claims]
    .map((one) => Buffer.from(JSON.stringify(one)).toString('base64url'))
    .join('.')
}

function signature({ alg, private_key }: SigningKey, input: Buffer): Buffer {
  switch (alg) {
    case 'RS256':
      return sign('sha256', input, private_key)
    case 'PS256':
      // RSA_PKCS1_PSS_PADDING, with a salt as long as the hash (RFC 7518 3.5).
      return sign('sha256', input, { key: private_key, padding: 6, saltLength: 32 })
    case 'ES256':
    case 'ES256K':
      return sign('sha256', input, { key: private_key, dsaEncoding: 'ieee-p1363' })
    case 'EdDSA':
      return sign(null, input, private_key)
  }
}

/** The same JWT with one bit of its signature turned. */
export function breakSignature(jwt: string): string {
  const [header, claims, last = ''] = jwt.split('.')
  const bytes = Buffer.from(last, 'base64url')
  bytes[9] = (bytes[9] as number) ^ 1
  return `${header}.${claims}.${bytes.toString('base64url')}`
}

/** OIDC Core 3.1.3.6; Ed25519 hashes with SHA-512 (RFC 8032 5.1). */
export function atHash(alg: Alg, access_token: string): string {
  const hash = createHash(alg === 'EdDSA' ? 'sha512' : 'sha256')
    .update(access_token)
    .digest()
  return hash.subarray(0, hash.length / 2).toString('base64url')
}

/** A bend of claims or header that sets members; undefined drops one. */
export function set(members: Members): (honest: Members) => Members {
  return (honest) => ({ ...honest, ...members })
}

/** A bend of claims that appends a `1` to a claim, as the conformance suite does. */
export function append(claim: string): (honest: Members) => Members {
  return (honest) => ({ ...honest, [claim]: `${honest[claim]}1` })
}

/** What a login that must fail is expected to come to. */
export interface Refused {
  error: string
  /** Members that `details` must have among others. */
  details?: Members
  /** What the OP was asked from the callback on; unless said otherwise, its token endpoint once. */
  calls?: Calls
  /** False where the callback was refused before the login was taken. */
  spent?: false
  /** What the OP is asked in the honest login that follows, if not token endpoint and UserInfo once. */
  next?: Calls
}

export interface BentLogin {
  bends?: Bends
  /** Changes the authorization response's parameters. */
  callback?: (response: URLSearchParams) => void
  /** Parameters of get_authorization_url beside oxd_id. */
  request?: object
}

/** A site registered at a bent OP, with what a conformance row has to show. */
export class BentSite {
  readonly wire: Wire
  readonly op: BentOp
  readonly oxd_id: string

  constructor(wire: Wire, op: BentOp, oxd_id: string) {
    this.wire = wire
    this.op = op
    this.oxd_id = oxd_id
  }

  /** Registers dynamically, or with the client that `params` name. */
  static async register(wire: Wire, op: BentOp, params: object = {}): Promise<BentSite> {
    const { oxd_id } = await wire.ok('register_site', {
      op_host: op.issuer,
      authorization_redirect_uri: 'https://site.example/callback',
      ...params,
    })
    return new BentSite(wire, op, oxd_id)
  }

  /** Starts a login and lets the End-User agree. @returns the parameters that complete it */
  async begin({ callback, request }: BentLogin = {}): Promise<{
    oxd_id: string
    callback: string
    binding: string
  }> {
    const { oxd_id } = this
    const login = await this.wire.ok('get_authorization_url', { oxd_id, ...request })
    return {
      oxd_id,
      callback: this.op.authorize(login.authorization_url, callback),
      binding: login.binding,
    }
  }

  /** A login with the OP bent from the callback on. @returns the reply, whichever it is */
  async attempt(login: BentLogin = {}): Promise<Reply> {
    const begun = await this.begin(login)
    this.op.bend(login.bends ?? {})
    const reply = await this.wire.call('get_tokens_by_callback', begun)
    this.op.straighten()
    return reply
  }

  /**
   * A login that succeeds and whose session works.
   *
   * @param calls what the OP is asked; unless said otherwise, token endpoint and UserInfo once each
   */
  async accepts(
    login: BentLogin = {},
    calls: Calls = { token: 1, userinfo: 1 },
  ): Promise<Reply['data']> {
    const start = this.op.asked.length
    const { status, data } = await this.attempt(login)
    expect({ status, data }).toMatchObject({ status: 'ok', data: { sub: this.op.sub } })
    const { oxd_id } = this
    const { claims } = await this.wire.ok('get_user_info', { oxd_id, session_id: data.session_id })
    expect(claims).toMatchObject({ sub: this.op.sub })
    expect(this.op.calls(start)).toEqual(calls)
    return data
  }

  /**
   * A login that fails with this error for good: nothing beyond `calls` is asked of the OP, no
   * session or token comes out, the same callback does not work later, and an honest login does.
   */
  async refuses(login: BentLogin, refused: Refused): Promise<Reply['data']> {
    const { op, wire, oxd_id } = this
    const { error, details, calls = { token: 1 }, spent = true } = refused
    const begun = await this.begin(login)
    const secrets = op.secrets.length
    const tokens = op.access_tokens.length
    const start = op.asked.length

    op.bend(login.bends ?? {})
    const { status, data } = await wire.call('get_tokens_by_callback', begun)
    op.straighten()
    expect({ status, data }).toMatchObject({
      status: 'error',
      data: { error, retryable: false, ...(details && { details }) },
    })
    expect(op.calls(start)).toEqual(calls)

    const reply = JSON.stringify(data)
    for (const secret of op.secrets.slice(secrets)) expect(reply).not.toContain(secret)
    for (const access_token of op.access_tokens.slice(tokens)) {
      expect(await wire.refused('get_user_info', { oxd_id, access_token })).toMatchObject({
        error: 'unknown_access_token',
      })
    }
    expect(await wire.refused('get_tokens_by_callback', begun)).toMatchObject({
      error: spent ? 'invalid_state' : error,
    })
    expect(op.calls(start)).toEqual(calls)
    await this.accepts({}, refused.next)
    return data
  }
}

/** Fails if a line of a daemon's log holds anything that the OP gave out. */
export function expectNoSecrets(log: readonly object[], ...ops: BentOp[]): void {
  const text = JSON.stringify(log)
  for (const secret of ops.flatMap((op) => op.secrets)) expect(text).not.toContain(secret)
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers)
  const isText = typeof body === 'string' || Buffer.isBuffer(body)
  response.end(isText ? body : JSON.stringify(body))
}

function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function randomText(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}

function noBend(): void {}
