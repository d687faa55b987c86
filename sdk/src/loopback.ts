/** Tells addresses that never leave the host from all others; the daemon asks the same question. */
import { isIPv4 } from 'node:net'

/**
 * @param host a name or an address, an IPv6 one without brackets
 * @returns whether it is this host by its form; a name other than localhost could be anybody's
 */
export function isLoopback(host: string): boolean {
  return host === '::1' || host.toLowerCase() === 'localhost' || isLoopbackIPv4(host)
}

function isLoopbackIPv4(host: string): boolean {
  return isIPv4(host) && host.startsWith('127.')
}
