/**
 * The address policy: a site may name its OP, and the daemon must not become its way into the
 * operator's network (ADR 0008).
 */
import ipaddr from 'ipaddr.js'
import { bounded, CommandError } from '../errors.js'

export interface AddressPolicyOptions {
  /** The realm whose policy it is, for the words of a refusal. */
  realm: string
  /** Hosts of the operator's own OPs, as {@link canonicalHost} writes them: any address will do. */
  allowed_hosts: readonly string[]
  /** Those of them that may be called without TLS. */
  insecure_hosts: readonly string[]
  /** Whether a proxy makes the connections, so that their addresses are never seen here. */
  proxied: boolean
}

/** Where a request goes: a URL, or what undici tells a connector. */
export interface Target {
  protocol: string
  hostname: string
  port: string
}

export class AddressPolicy {
  readonly proxied: boolean
  readonly #realm: string
  readonly #own: ReadonlySet<string>
  readonly #insecure: ReadonlySet<string>

  constructor({ realm, allowed_hosts, insecure_hosts, proxied }: AddressPolicyOptions) {
    this.#realm = realm
    this.#own = new Set([...allowed_hosts, ...insecure_hosts])
    this.#insecure = new Set(insecure_hosts)
    this.proxied = proxied
  }

  /** Whether the operator named the host: then its address does not matter. */
  isOwn(target: Target): boolean {
    return namesOf(target).some((name) => this.#own.has(name))
  }

  /** Whether it has TLS, or the operator waived that for its host. */
  isSecure(target: Target): boolean {
    if (target.protocol === 'https:') return true
    return target.protocol === 'http:' && namesOf(target).some((name) => this.#insecure.has(name))
  }

  /** Whether a URL alone tells that the daemon must not call it: what a name resolves to is judged later. */
  refuses(target: Target): boolean {
    return (this.proxied && !this.isOwn(target)) || this.refusesLiteral(target)
  }

  /** Whether a URL has an address in a host's place, or a name that stands for one, that nobody allowed. */
  refusesLiteral(target: Target): boolean {
    if (this.isOwn(target)) return false
    const { hostname } = target
    return isLocalName(hostname) || (isLiteral(hostname) && !isPublicAddress(hostname))
  }

  /** The same words whatever the host resolves to, and whatever listens there or does not. */
  refusal({ host }: URL): CommandError {
    const why = this.proxied
      ? 'behind a proxy it sees no addresses, and calls only hosts that its operator named'
      : 'its address is not a public one'
    return new CommandError(
      'op_host_not_allowed',
      `the daemon does not call ${bounded(host)}: ${why}; the operator may name the host in allowed_op_hosts of [realm ${this.#realm}]`,
      { details: { host: bounded(host), option: 'allowed_op_hosts' } },
    )
  }
}

/**
 * Whether an address is one host's on the public internet (IANA's special-purpose registries).
 *
 * @param text IPv4 in four decimal parts, or IPv6 with or without brackets
 */
export function isPublicAddress(text: string): boolean {
  const bare = withoutBrackets(text)
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return isUnicast(ipaddr.IPv4.parse(bare))
  // ipaddr.js reads `::8.8.8.8` as `::ffff:8.8.8.8`; the URL parser leaves no dots for it to misread.
  if (!URL.canParse(`https://[${bare}]`)) return false
  const address = ipaddr.IPv6.parse(withoutBrackets(new URL(`https://[${bare}]`).hostname))
  for (const prefix of IPV4_INSIDE) {
    if (address.match(prefix)) return isUnicast(new ipaddr.IPv4(address.toByteArray().slice(12)))
  }
  // All that was ever handed out (RFC 4291 2.4); ipaddr.js calls the empty space around it unicast.
  return address.match(GLOBAL_UNICAST) && isUnicast(address)
}

/** RFC 4291 2.5.5.2: mapped, as the kernel connects it; RFC 6052 2.1: NAT64, as the network does. */
const IPV4_INSIDE = [ipaddr.IPv6.parseCIDR('::ffff:0:0/96'), ipaddr.IPv6.parseCIDR('64:ff9b::/96')]

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')

/** Neither loopback, private, shared, link-local, multicast, tunnel, documentation nor reserved. */
function isUnicast(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return address.range() === 'unicast'
}

/** Whether a URL's host is an address. The URL parser has made one of `2130706433` and `0x7f.1`. */
export function isLiteral(hostname: string): boolean {
  return (
    ipaddr.IPv4.isValidFourPartDecimal(hostname) || ipaddr.IPv6.isValid(withoutBrackets(hostname))
  )
}

/** RFC 6761 6.3: names that stand for loopback, whatever a name server says. */
function isLocalName(hostname: string): boolean {
  return /(^|\.)localhost\.?$/i.test(hostname)
}

/**
 * A host as the policy compares it, from what an operator writes: `host` stands for all of its
 * ports, `host:port` for one.
 *
 * @throws Error whose message says what it must look like
 */
export function canonicalHost(text: string): string {
  const [, host, port] = /^(\[[\da-f:.]+\]|[^\s:/\\?#@*[\]]+)(?::(\d{1,5}))?$/i.exec(text) ?? []
  if (host === undefined || !URL.canParse(`https://${text}`)) {
    throw new Error(
      `must list hosts such as op.example.com, op.example.com:8443 or [fd00::1], not ${bounded(text)}`,
    )
  }
  const name = withoutDot(new URL(`https://${host}`).hostname)
  return port === undefined ? name : `${name}:${Number(port)}`
}

/** Both entries that an operator may have written for it: with all of its ports, and with this one. */
export function namesOf({ protocol, hostname, port }: Target): [host: string, with_port: string] {
  const bare = withoutDot(hostname)
  // undici's connector gets an IPv6 address without its brackets.
  const host = bare.includes(':') && !bare.startsWith('[') ? `[${bare}]` : bare
  return [host, `${host}:${port || (protocol === 'http:' ? '80' : '443')}`]
}

/** `op.example.` is `op.example`, said to be complete (RFC 1034 3.1). */
function withoutDot(hostname: string): string {
  return hostname.replace(/(?<=.)\.$/, '')
}

function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '')
}
