/** What the address to which logins come back says of their safety. */
import { isLoopback } from '@relyd/sdk/loopback'

/** Whether a URL leads to the browser's own computer. */
export function isAtLoopback({ hostname }: URL): boolean {
  return isLoopback(hostname.replace(/^\[|\]$/g, ''))
}

/** RFC 6749 3.1.2.1: whether codes come back over a network, without TLS. */
export function isInTheClear(url: URL): boolean {
  return url.protocol === 'http:' && !isAtLoopback(url)
}
