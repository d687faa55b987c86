/** From node:http's requests to the web's, and from the web's responses to node:http's. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isForm, readBounded } from '../web/posted.js'
import { private_headers } from '../web/website.js'

/** What the adapters need of a request: `IncomingMessage` of `node:http` or `node:http2`, whole or not. */
export interface Incoming {
  method?: string | undefined
  /** The request's target, as a router may have shortened it. */
  url?: string | undefined
  /** The target as it came, where a router keeps it. */
  originalUrl?: string | undefined
  /** Names and values in turn, as `IncomingMessage` has them. */
  rawHeaders: readonly string[]
}

/** The class Request refuses these names (Fetch 2.2.1); whatever is no GET, HEAD or POST is treated alike here. */
const REFUSED_METHODS = /^(?:connect|trace|track)$/i

/**
 * The web's Request of a node:http request, without its body.
 *
 * @param origin the site's, by its cfg: Host and forwarded headers are whatever the client likes
 * @param form the body after all, where it is a form that was read
 */
export function toRequest(origin: string, message: Incoming, form?: string): Request {
  const { method = 'GET', rawHeaders } = message
  const headers = new Headers()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2)
    // Pseudo-headers of HTTP/2.
    if (!name.startsWith(':')) headers.append(name, value)
  }
  return new Request(origin + targetOf(message), {
    method: REFUSED_METHODS.test(method) ? 'OPTIONS' : method,
    headers,
    ...(form !== undefined && method === 'POST' && { body: form }),
  })
}

/**
 * The form that was posted to callback or login, whether or not a body parser of the site's came first.
 *
 * @returns undefined if there is none that could be a callback's, or it broke off; nothing rejects,
 * as a server may have nobody who would catch it
 */
export async function formOf(
  message: IncomingMessage & { body?: unknown },
): Promise<string | undefined> {
  const { method, headers, body } = message
  if (method !== 'POST' || !isForm(headers['content-type'])) return undefined
  if (typeof body === 'string') return body
  if (Buffer.isBuffer(body)) return body.toString()
  if (typeof body === 'object' && body !== null) return formText(body)
  if (message.readableEnded) return undefined
  return readBounded(message.iterator({ destroyOnReturn: false })).catch(() => undefined)
}

/** A form as a parser made it, in one text again; what came twice stays twice, what is no text is left out. */
function formText(body: object): string {
  const pairs = Object.entries(body).flatMap(([name, value]) =>
    [value]
      .flat()
      .flatMap((one): [string, string][] => (typeof one === 'string' ? [[name, one]] : [])),
  )
  return new URLSearchParams(pairs).toString()
}

/** Path and query, from any form that a request's target may have (RFC 9112 3.2). */
export function targetOf({ originalUrl, url = '/' }: Incoming): string {
  const target = originalUrl ?? url
  if (target.startsWith('/')) return target
  if (!URL.canParse(target)) return '/'
  const { pathname, search } = new URL(target)
  return pathname.startsWith('/') ? pathname + search : '/'
}

/** Sends a Response over node:http, besides headers that were set before. */
export async function send(response: Response, out: ServerResponse): Promise<void> {
  const body = await response.text()
  out.statusCode = response.status
  for (const [name, value] of response.headers) {
    if (name !== 'set-cookie') out.setHeader(name, value)
  }
  for (const line of response.headers.getSetCookie()) out.appendHeader('set-cookie', line)
  out.end(body)
}

/** Headers of a response, as `ServerResponse` and Fastify's Reply have them. */
interface OutgoingHeaders {
  get(name: string): unknown
  set(name: string, value: string): unknown
}

/** Has a page that is one person's not kept by caches; its handler may decide otherwise. */
export function keepPrivate(headers: OutgoingHeaders): void {
  headers.set('cache-control', private_headers['cache-control'])
  const vary = headers.get('vary')
  headers.set('vary', vary ? `${vary}, ${private_headers.vary}` : private_headers.vary)
}

/** Remembers the web's Request of each request, so that what is known of one is found again. */
export class Requests {
  readonly #origin: string
  readonly #made = new WeakMap<object, Request>()

  constructor(origin: string) {
    this.#origin = origin
  }

  /** @param key what stays the same object while the framework handles the request */
  of(key: object, message: Incoming, form?: string): Request {
    const known = this.#made.get(key)
    // One that was asked for before the form was read has none.
    if (known && form === undefined) return known
    const made = toRequest(this.#origin, message, form)
    this.#made.set(key, made)
    return made
  }
}
