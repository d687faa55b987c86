/** What can be an address to which browsers come back, and what it says of their safety. */
import { isLoopback } from '@relyd/sdk/loopback'

/** Whether a URL leads to the browser's own computer. */
export function isAtLoopback({ hostname }: URL): boolean {
  return isLoopback(hostname.replace(/^\[|\]$/g, ''))
}

/** RFC 6749 3.1.2.1: whether codes come back over a network, without TLS. */
export function isInTheClear(url: URL): boolean {
  return url.protocol === 'http:' && !isAtLoopback(url)
}

/** RFC 6749 3.1.2: whether it is an absolute http(s) URL without fragment. */
export function isRedirectUri(uri: string): boolean {
  return URL.canParse(uri) && /^https?:$/.test(new URL(uri).protocol) && !uri.includes('#')
}
