/** Connections to OPs: to the very addresses that the policy has judged, or through the operator's proxy. */
import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import { Agent, buildConnector, type Dispatcher, Pool, ProxyAgent } from 'undici'
import { type AddressPolicy, isPublicAddress } from './address_policy.js'

/** Longest answer that is read, in bytes. */
export const MAX_BODY_BYTES = 1024 * 1024

/** Longest head of an answer, in bytes. */
export const MAX_HEADER_BYTES = 32 * 1024

/** Finds all addresses of a name. */
export type Lookup = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: Error | null, addresses: LookupAddress[]) => void,
) => void

/** Milliseconds that a name server has at first, and how often each is asked. */
const ASKED = { timeout: 2000, tries: 2 }

/**
 * Asks the name servers alone. The system's own lookup takes one of Node's few threads for as long
 * as a name server likes, which a site could choose, and reads /etc/hosts, which is none of a site's
 * business. A resolver for each name, so that a changed resolv.conf counts at once.
 */
export const publicLookup: Lookup = (hostname, _options, callback) => {
  const resolver = new Resolver(ASKED)
  const family = async (name: 'resolve4' | 'resolve6', number: 4 | 6): Promise<LookupAddress[]> =>
    (await resolver[name](hostname)).map((address) => ({ address, family: number }))
  void Promise.allSettled([family('resolve6', 6), family('resolve4', 4)]).then((answers) => {
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    if (found.length > 0) return callback(null, found)
    callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), [])
  })
}

/** An address is not a public one. Its text stays untold: a site would learn what a name stands for. */
export class RefusedAddress extends Error {
  override readonly name = 'RefusedAddress'
}

/** A lookup as net.connect takes it. */
type NetLookup = (
  hostname: string,
  options: LookupOptions,
  callback: (error: Error | null, address: string | LookupAddress[], family?: number) => void,
) => void

/** What a client shows in the TLS handshake (RFC 8705), as PEM. */
export interface ClientCertificate {
  cert: string
  key: string
}

export interface ConnectionOptions {
  /** Seconds for a connection, and between two parts of an answer. */
  timeout: number
  policy: AddressPolicy
  /** Address of an HTTP proxy that every call takes. */
  proxy?: string | undefined
  lookup?: Lookup | undefined
  certificate?: ClientCertificate | undefined
}

export function openDispatcher(options: ConnectionOptions): Dispatcher {
  const { timeout, proxy, certificate } = options
  const ms = timeout * 1000
  const limits = {
    headersTimeout: ms,
    bodyTimeout: ms,
    maxResponseSize: MAX_BODY_BYTES,
    maxHeaderSize: MAX_HEADER_BYTES,
  }
  if (proxy !== undefined) {
    return new ProxyAgent({
      ...limits,
      uri: proxy,
      proxyTls: { timeout: ms },
      requestTls: { timeout: ms, ...certificate },
      clientFactory: (origin, options) => new ProxyPool(origin, { ...limits, ...options }),
    })
  }
  return new Agent({ ...limits, connect: connector(options, ms) })
}

/** A proxy made no connection. */
export class ProxyFailure extends Error {
  override readonly name = 'ProxyFailure'
}

/**
 * Connections to a proxy. undici takes a connection that breaks for one that was idle too long, and
 * makes a new one at once, without end and deaf to the request's signal; it gives up on any other error.
 */
class ProxyPool extends Pool {
  override connect: Dispatcher['connect'] = (options: Dispatcher.ConnectOptions) =>
    super.connect(options).catch((cause: unknown) => {
      throw new ProxyFailure('the proxy made no connection', { cause })
    })
}

/**
 * Judges what a name resolves to. Who connects through it uses the addresses that were judged: one
 * that is asked for again may have become another (DNS rebinding).
 */
export function judging(
  lookup: Lookup = publicLookup,
  isAllowed: (address: string) => boolean = isPublicAddress,
): NetLookup {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses = []) => {
      if (error) return callback(error, '')
      const [first] = addresses
      // One bad address refuses them all: net.connect would try them in turn.
      if (!first || !addresses.every(({ address }) => isAllowed(address))) {
        return callback(new RefusedAddress(), '')
      }
      if (options.all) return callback(null, addresses)
      callback(null, first.address, first.family)
    })
  }
}

function connector(
  { policy, lookup, certificate }: ConnectionOptions,
  timeout: number,
): buildConnector.connector {
  const any = judging(lookup ?? systemLookup, () => true)
  const own = buildConnector({ timeout, ...certificate, lookup: any })
  const foreign = buildConnector({ timeout, ...certificate, lookup: judging(lookup) })
  return (target, callback) => {
    if (policy.isOwn(target)) return own(target, callback)
    // net.connect looks nothing up for an address.
    if (policy.refusesLiteral(target)) return callback(new RefusedAddress(), null)
    return foreign(target, callback)
  }
}
