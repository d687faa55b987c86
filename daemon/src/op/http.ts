/** The only way to the network: every request to an OP passes here, with limits on time, size and address. */
import { promisify } from 'node:util'
import type { CustomFetch } from 'openid-client'
import { type Dispatcher, request, errors as undici } from 'undici'
import { bounded, CommandError } from '../errors.js'
import { callingSite, recordOpCall } from '../on_behalf.js'
import { AddressPolicy, isLiteral } from './address_policy.js'
import { CertifiedConnections } from './certified_connections.js'
import {
  type ClientCertificate,
  judging,
  type Lookup,
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  openDispatcher,
  ProxyFailure,
  RefusedAddress,
} from './connections.js'
import { checkJsonNesting } from './nesting.js'
import type { OpPlaces } from './op_places.js'
import { noteAnswered, noteSent } from './op_secrets.js'
import { redirectTarget } from './redirects.js'

/** Longest rest of a refused answer that is read so that its connection can be used again, in bytes. */
const WORTH_READING = 16 * 1024

/** A call to an OP, as it went. */
export interface OpCall {
  /** With its port. */
  host: string
  /** `ok`, `refused` for a 4xx status, or the code of the error that was made of it. */
  outcome: string
  /** Absent where nothing was answered. */
  http_status?: number
  /** Milliseconds that the OP took; absent where nothing was sent. */
  ms?: number
  /** What the error said. */
  why?: string
}

/** What an operator may change while the daemon runs. */
export interface HttpLimits {
  /** Seconds until a whole request must have been answered. */
  timeout: number
  /** Hosts that may be called without TLS, as the operator allows. */
  insecure_hosts: readonly string[]
  /** Hosts of the operator's own OPs, which may have any address. */
  allowed_hosts: readonly string[]
  /** Address of an HTTP proxy that every call takes. */
  proxy?: string | undefined
}

export interface HttpOptions extends HttpLimits {
  /** The realm that `allowed_hosts` belong to. */
  realm: string
  /** Resolves names; unless a test says otherwise, as the system does. */
  lookup?: Lookup
  /** How many calls may be under way for each site. */
  places: OpPlaces
  /** Told of every call. */
  onCall?: ((call: OpCall) => void) | undefined
}

export class OpHttp {
  readonly policy: AddressPolicy
  /** Seconds, for openid-client's own signal. */
  readonly timeout: number
  readonly #places: OpPlaces
  readonly #onCall: HttpOptions['onCall']
  readonly #dispatcher: Dispatcher
  readonly #certified: CertifiedConnections
  readonly #resolve: (hostname: string, options: object) => Promise<unknown>

  constructor({ timeout, realm, proxy, lookup, places, onCall, ...hosts }: HttpOptions) {
    this.timeout = timeout
    this.policy = new AddressPolicy({ ...hosts, realm, proxied: proxy !== undefined })
    this.#places = places
    this.#onCall = onCall
    const connections = { timeout, policy: this.policy, proxy, lookup }
    this.#dispatcher = openDispatcher(connections)
    this.#certified = new CertifiedConnections(connections)
    this.#resolve = promisify(judging(lookup))
  }

  /**
   * Applies the address policy to a host that is not called just now. When it is, the address that
   * is used then is judged again.
   *
   * @throws CommandError `op_host_not_allowed`; `op_unreachable` when its name does not resolve
   */
  async admit(url: URL): Promise<void> {
    if (this.policy.refuses(url)) throw this.policy.refusal(url)
    if (this.policy.isOwn(url) || isLiteral(url.hostname)) return
    const late = AbortSignal.timeout(this.timeout * 1000)
    try {
      await Promise.race([this.#resolve(url.hostname, { all: true }), aborted(late)])
    } catch (error) {
      throw this.#asCommandError(url, error)
    }
  }

  /**
   * Sends one request for openid-client; redirects are answered, not followed.
   *
   * @throws CommandError `op_unreachable` when no usable answer came in time, `op_host_not_allowed`,
   * `invalid_op_response`
   */
  readonly fetch: CustomFetch = (address, options) => this.#fetch(address, options)

  /**
   * {@link fetch} over connections that show this certificate, and that nobody uses without it.
   *
   * @throws CommandError `invalid_op_metadata` for an address without TLS
   */
  fetchWith(certificate: ClientCertificate): CustomFetch {
    return (address, options) => this.#fetch(address, options, certificate)
  }

  async #fetch(
    ...[address, { method, headers, body, signal }, certificate]: [
      ...Parameters<CustomFetch>,
      certificate?: ClientCertificate,
    ]
  ): Promise<Response> {
    const url = new URL(address)
    if (certificate && url.protocol !== 'https:') {
      throw new CommandError(
        'invalid_op_metadata',
        `the OP's metadata names ${url.origin}, where the client could show no certificate`,
        { details: { received: url.origin }, spec: 'RFC 8705 2' },
      )
    }
    if (!this.policy.isSecure(url)) {
      throw new CommandError(
        'invalid_op_metadata',
        `the OP's metadata names ${url.origin}, which is not https; list its host in insecure_op_hosts only for a test OP`,
        { details: { received: url.origin }, spec: 'OIDC Discovery 3' },
      )
    }
    if (this.policy.refuses(url)) throw this.policy.refusal(url)
    const deadline = signal ?? AbortSignal.timeout(this.timeout * 1000)
    noteSent(headers, body)
    const started = performance.now()
    const call: OpCall = { host: url.host, outcome: 'ok' }
    let leave: (() => void) | undefined
    let sent: number | undefined
    try {
      const site = callingSite()
      // Documents are fetched for everybody, one call at a time for each OP.
      if (site !== undefined) leave = await this.#places.enter(site, deadline)
      sent = performance.now()
      const response = await request(url, {
        dispatcher: certificate ? this.#certified.of(certificate) : this.#dispatcher,
        method: method as 'GET',
        headers,
        body: requestBody(body),
        signal: deadline,
      })
      call.http_status = response.statusCode
      if (response.statusCode >= 400) call.outcome = 'refused'
      const fault = faultOfHead(url, headers, response)
      if (fault) {
        // In the background, for as long as the signal lets it: nobody waits for what is refused.
        response.body.dump({ limit: WORTH_READING }).catch(() => {})
        throw fault
      }
      const bytes = await response.body.arrayBuffer()
      noteAnswered(bytes)
      checkJsonNesting(new Uint8Array(bytes))
      return new Response(hasNoBody(response.statusCode) ? null : bytes, {
        status: response.statusCode,
        headers: flatten(response.headers),
      })
    } catch (cause) {
      const error = this.#asCommandError(url, cause)
      call.outcome = error.code
      call.why = error.message
      throw error
    } finally {
      leave?.()
      const ended = performance.now()
      recordOpCall(ended - started)
      if (sent !== undefined) call.ms = ended - sent
      this.#onCall?.(call)
    }
  }

  /**
   * Gets a document whose specification lets its host send us elsewhere (RFC 7033 4.2). Each hop is
   * https and judged as the first, and one time limit holds for all of them.
   *
   * @throws CommandError as {@link fetch} does; `invalid_op_response` for what cannot be followed
   */
  async getFollowing(address: URL, accept: string): Promise<Response> {
    const signal = AbortSignal.timeout(this.timeout * 1000)
    let url = address
    for (let followed = 0; ; followed += 1) {
      const request = { method: 'GET', headers: { accept }, body: undefined, signal }
      const response = await this.#fetch(url.href, { ...request, redirect: 'manual' })
      const next = redirectTarget(this.policy, url, response, followed)
      if (!next) return response
      url = next
    }
  }

  /** Ends all connections; a request that still runs fails. */
  async close(): Promise<void> {
    await Promise.all([this.#dispatcher.destroy(), this.#certified.destroy()])
  }

  #asCommandError(url: URL, error: unknown): CommandError {
    if (error instanceof CommandError) return error
    if (error instanceof RefusedAddress) return this.policy.refusal(url)
    return unreachable(
      url,
      this.policy.proxied ? `${reason(error)} (through the proxy)` : reason(error),
      error,
    )
  }
}

type Head = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>

/** What makes an answer useless before its body is read. */
function faultOfHead(
  url: URL,
  asked: Record<string, string>,
  { statusCode, headers }: Head,
): CommandError | undefined {
  const details = { host: url.host, http_status: statusCode }
  if (statusCode >= 500) {
    return new CommandError('op_unreachable', `${url.host} answered ${statusCode}`, { details })
  }
  // RFC 9110 12.5.3: none was asked for, and what is packed has no bound.
  const encoding = String(headers['content-encoding'] ?? 'identity')
  if (!/^(identity)?$/i.test(encoding)) {
    return new CommandError(
      'invalid_op_response',
      `${url.host} answered with a content-encoding, which nobody asked for`,
      { details: { ...details, header: 'content-encoding', received: bounded(encoding, 100) } },
    )
  }
  // openid-client reads any body as JSON; one that says it is something else is not what was asked for.
  const type = headers['content-type']
  if (statusCode >= 300 || !asked['accept']?.includes('json') || typeof type !== 'string') return
  if (/^application\/([\w.+-]+\+)?json\b/i.test(type)) return
  // Only where one was asked for is its signature seen to.
  if (/^application\/([\w.+-]+\+)?jwt\b/i.test(type) && asked['accept'].includes('jwt')) return
  return new CommandError(
    'invalid_op_response',
    `${url.host} answered something that is not JSON`,
    { details: { ...details, header: 'content-type', received: bounded(type, 100) } },
  )
}

function requestBody(body: unknown): string | Uint8Array | null {
  if (body === undefined || body === null) return null
  if (typeof body === 'string' || body instanceof Uint8Array) return body
  if (body instanceof URLSearchParams) return body.toString()
  throw new TypeError('openid-client sent a body of an unforeseen type')
}

function hasNoBody(status: number): boolean {
  return status === 204 || status === 205 || status === 304
}

function flatten(headers: Record<string, string | string[] | undefined>): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]): [string, string][] => {
    if (value === undefined) return []
    return Array.isArray(value) ? value.map((one) => [name, one]) : [[name, value]]
  })
}

function unreachable(url: URL, why: string, cause: unknown): CommandError {
  return new CommandError('op_unreachable', `${url.host} could not be reached: ${why}`, {
    details: { host: url.host },
    cause,
  })
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}

function reason(error: unknown): string {
  if (error instanceof undici.ResponseExceededMaxSizeError) {
    return `its answer is longer than ${MAX_BODY_BYTES} bytes`
  }
  if (error instanceof undici.HeadersOverflowError) {
    return `its headers are longer than ${MAX_HEADER_BYTES} bytes`
  }
  if (error instanceof ProxyFailure) return reason(error.cause)
  if (!(error instanceof Error)) return 'unknown failure'
  if (error.name === 'TimeoutError' || error.name.endsWith('TimeoutError')) {
    return 'no answer in time'
  }
  const code = (error as NodeJS.ErrnoException).code
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the host name does not resolve'
    case 'UND_ERR_ABORTED':
      return 'no connection'
    case 'ECONNRESET':
    case 'UND_ERR_SOCKET':
      return 'the connection broke'
    default:
      return code ?? 'the request failed'
  }
}
