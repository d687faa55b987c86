/** The only way to the network: every request to an OP passes here, with limits on time, size and address. */
import type { CustomFetch } from 'openid-client'
import { Agent, request, errors as undici } from 'undici'
import { CommandError } from '../errors.js'
import { checkJsonNesting } from './nesting.js'
import { callingSite, recordOpCall } from './op_calls.js'
import type { OpPlaces } from './op_places.js'
import { noteAnswered, noteSent } from './op_secrets.js'

/** Longest answer that is read, in bytes. */
const MAX_BODY_BYTES = 1024 * 1024
const MAX_HEADER_BYTES = 32 * 1024

export interface HttpOptions {
  /** Seconds until a whole request must have been answered. */
  timeout: number
  /** Hosts that may be called without TLS, as the operator allows. */
  insecure_hosts: readonly string[]
  /** How many calls may be under way for each site. */
  places: OpPlaces
}

export class OpHttp {
  /** Seconds, for openid-client's own signal. */
  readonly timeout: number
  readonly #insecure_hosts: ReadonlySet<string>
  readonly #places: OpPlaces
  readonly #agent: Agent

  constructor({ timeout, insecure_hosts, places }: HttpOptions) {
    this.#places = places
    this.timeout = timeout
    this.#insecure_hosts = new Set(insecure_hosts)
    const ms = timeout * 1000
    this.#agent = new Agent({
      connect: { timeout: ms },
      headersTimeout: ms,
      bodyTimeout: ms,
      maxResponseSize: MAX_BODY_BYTES,
      maxHeaderSize: MAX_HEADER_BYTES,
    })
  }

  /** Whether a URL has TLS, or a host for which the operator waived it. */
  isAllowed(url: URL): boolean {
    return (
      url.protocol === 'https:' ||
      (url.protocol === 'http:' && this.#insecure_hosts.has(url.hostname))
    )
  }

  /**
   * Sends one request for openid-client; redirects are answered, not followed.
   *
   * @throws CommandError `op_unreachable` when no usable answer came in time
   */
  readonly fetch: CustomFetch = async (address, { method, headers, body, signal }) => {
    const url = new URL(address)
    if (!this.isAllowed(url)) {
      throw new CommandError(
        'invalid_op_metadata',
        `the OP's metadata names ${url.origin}, which is not https; list its host in insecure_op_hosts only for a test OP`,
      )
    }
    const deadline = signal ?? AbortSignal.timeout(this.timeout * 1000)
    noteSent(headers, body)
    const started = performance.now()
    const site = callingSite()
    // Documents are fetched for everybody, one call at a time for each OP.
    const leave = site === undefined ? undefined : await this.#places.enter(site, deadline)
    try {
      const response = await request(url, {
        dispatcher: this.#agent,
        method: method as 'GET',
        headers,
        body: requestBody(body),
        signal: deadline,
      })
      if (response.statusCode >= 500) {
        await response.body.dump()
        throw new CommandError('op_unreachable', `${url.host} answered ${response.statusCode}`, {
          details: { host: url.host, http_status: response.statusCode },
        })
      }
      const bytes = await response.body.arrayBuffer()
      noteAnswered(bytes)
      checkType(url, headers, response)
      checkJsonNesting(new Uint8Array(bytes))
      return new Response(hasNoBody(response.statusCode) ? null : bytes, {
        status: response.statusCode,
        headers: flatten(response.headers),
      })
    } catch (error) {
      throw error instanceof CommandError ? error : unreachable(url, error)
    } finally {
      leave?.()
      recordOpCall(performance.now() - started)
    }
  }

  /** Ends all connections; a request that still runs fails. */
  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}

/** openid-client reads any body as JSON; one that says it is something else is not what was asked for. */
function checkType(
  url: URL,
  asked: Record<string, string>,
  { statusCode, headers }: { statusCode: number; headers: Record<string, unknown> },
): void {
  const type = headers['content-type']
  if (statusCode >= 300 || !asked['accept']?.includes('json') || typeof type !== 'string') return
  if (/^application\/([\w.+-]+\+)?(json|jwt)\b/i.test(type)) return
  throw new CommandError('invalid_op_response', `${url.host} answered something that is not JSON`, {
    details: { host: url.host, http_status: statusCode },
  })
}

function requestBody(body: unknown): string | Uint8Array | null {
  if (body === undefined || body === null) return null
  if (typeof body === 'string' || body instanceof Uint8Array) return body
  if (body instanceof URLSearchParams) return body.toString()
  throw new TypeError('openid-client sent a body of an unforeseen type')
}

function hasNoBody(status: number): boolean {
  return status === 204 || status === 304
}

function flatten(headers: Record<string, string | string[] | undefined>): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]): [string, string][] => {
    if (value === undefined) return []
    return Array.isArray(value) ? value.map((one) => [name, one]) : [[name, value]]
  })
}

function unreachable(url: URL, cause: unknown): CommandError {
  return new CommandError('op_unreachable', `${url.host} could not be reached: ${reason(cause)}`, {
    details: { host: url.host },
    cause,
  })
}

function reason(error: unknown): string {
  if (error instanceof undici.ResponseExceededMaxSizeError) {
    return `its answer is longer than ${MAX_BODY_BYTES} bytes`
  }
  if (error instanceof undici.HeadersOverflowError) {
    return `its headers are longer than ${MAX_HEADER_BYTES} bytes`
  }
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
    case 'ECONNRESET':
    case 'UND_ERR_SOCKET':
      return 'the connection broke'
    default:
      return code ?? 'the request failed'
  }
}
