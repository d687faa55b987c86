/** Reads the address by which a site names its OP. */
import { CommandError } from '../errors.js'
import { namesOf } from './address_policy.js'
import type { OpHttp } from './http.js'

const WELL_KNOWN = /\/\.well-known\/openid-configuration$/

/**
 * The OP's issuer URL from what people write: with or without `https://`, a trailing slash or the
 * whole address of the metadata.
 *
 * @param op_host as the site gives it
 * @param discovery_path oxd's `op_discovery_path`, put between host and well-known path
 * @throws CommandError `invalid_op_host`
 */
export function readOpHost(http: OpHttp, op_host: string, discovery_path?: string): string {
  const url = parse(op_host)
  if (!url) throw new CommandError('invalid_op_host', `op_host is not an address of an OP`)
  if (url.username || url.password || url.search || url.hash) {
    throw new CommandError('invalid_op_host', 'op_host must not carry user, query or fragment')
  }
  if (!http.policy.isSecure(url)) {
    throw new CommandError(
      'invalid_op_host',
      'op_host must be an https address; for a test OP without TLS, list its host in insecure_op_hosts of relyd.cfg',
    )
  }
  return canonical(url, discovery_path)
}

/** @returns the same for an operator's word, undefined for what is no address of an OP */
export function canonicalOpHost(op_host: string): string | undefined {
  const url = parse(op_host)
  if (!url || !/^https?:$/.test(url.protocol)) return undefined
  if (url.username || url.password || url.search || url.hash) return undefined
  return canonical(url)
}

function canonical(url: URL, discovery_path?: string): string {
  url.pathname = url.pathname.replace(WELL_KNOWN, '')
  if (discovery_path) url.pathname = joinPaths(url.pathname, discovery_path)
  // `https://op` and `https://op/` are one OP; further down the path a slash matters.
  return url.pathname === '/' ? url.origin : url.href
}

/**
 * What the daemon's default OP adds to the operator's own hosts: its host with its port.
 *
 * @returns nothing for a text that is no address: whoever uses it is told
 */
export function hostsOf(op_host: string): string[] {
  const url = parse(op_host)
  return url ? [namesOf(url)[1]] : []
}

function parse(op_host: string): URL | undefined {
  const text = op_host.trim()
  try {
    return new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`)
  } catch {
    return undefined
  }
}

function joinPaths(base: string, path: string): string {
  const rest = path.replace(WELL_KNOWN, '')
  return `${base.replace(/\/$/, '')}/${rest.replace(/^\//, '')}`
}
