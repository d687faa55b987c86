/** Tells requests of oxd's clients from whatever a browser sends, or is made to send by a web page. */
import type { IncomingMessage } from 'node:http'
import { isLoopbackHost } from './http_port.js'

/**
 * A page can post to the ports of the host that it is shown on, and can be of a name that was made
 * to mean this host (DNS rebinding). It cannot leave out what browsers add, nor send JSON to another
 * origin without asking first, and nobody here answers that.
 *
 * @param names of this host beyond loopback's, in lower case
 * @returns why the request is refused
 */
export function whyForeign(
  { method, headers }: Pick<IncomingMessage, 'method' | 'headers'>,
  names: readonly string[],
): string | undefined {
  const { host, origin, 'content-type': type = '' } = headers
  // Fetch 3.1: with every POST, and with whatever else goes to another origin.
  if (origin !== undefined) return 'a request with Origin comes from a browser'
  if (Object.keys(headers).some((name) => name.startsWith('sec-fetch-'))) {
    return 'a request with Sec-Fetch-* comes from a browser'
  }
  if (method === 'OPTIONS') return 'no other origin may send anything'
  if (!isLoopbackHost(host) && !names.includes(nameOf(host))) {
    return 'the Host is none of this host; oxd_http of the listener may name it'
  }
  // No form has this type.
  if (method !== 'GET' && !/^application\/json *(;|$)/i.test(type)) {
    return 'the Content-Type must be application/json'
  }
  return undefined
}

/** Without the port. */
function nameOf(host = ''): string {
  return host.replace(/:\d{1,5}$/, '').toLowerCase()
}
