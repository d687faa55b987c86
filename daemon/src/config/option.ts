/** How an option is declared: its name, default and documentation, and how its text is read. */

import { isLoopback } from '@relyd/sdk/loopback'
import { canonicalHost } from '../op/address_policy.js'
import { ADMIN } from './config.js'

/** One option of a section. `T` is what {@link Option.read} makes of its text. */
export interface Option<T = unknown> {
  doc: string
  /** Text that stands for the option where the file does not give it; absent: there is no value. */
  default?: string
  /** A value for the sample, where there is no default. */
  example?: string
  required?: true
  /** What becomes unsafe when it is set. */
  unsafe?: string
  /** Taken over by a running daemon when relyd.cfg is reloaded (SIGHUP). */
  reload?: true
  /** @throws Error whose message says what a value must look like */
  read(text: string): T
}

export type Options = Record<string, Option>

/** The object that a section of options becomes. */
export type OptionValues<O extends Options> = {
  [K in keyof O]: O[K] extends { required: true } | { default: string }
    ? ReturnType<O[K]['read']>
    : ReturnType<O[K]['read']> | undefined
}

/** A whole number with its unit in the name or the documentation. */
export function wholeNumber(minimum: number, maximum: number) {
  return (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
      throw new Error(`must be a whole number from ${minimum} to ${maximum}`)
    }
    return value
  }
}

export function text(value: string): string {
  return value
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/

/** What is wrong with the name of a listener or realm, in a section's header and wherever it is referred to. */
export function faultOfName(value: string): string | undefined {
  if (value === ADMIN) return `is the operator's own name, "${ADMIN}"; choose another`
  return NAME.test(value) ? undefined : 'may have lower-case letters, digits, - and _ only'
}

export function name(value: string): string {
  const fault = faultOfName(value)
  if (fault !== undefined) throw new Error(fault)
  return value
}

/** Separated by commas or white space. */
export function list(value: string): string[] {
  return value.split(/[\s,]+/).filter((one) => one !== '')
}

/** Hosts of OPs, each with or without a port. */
export function opHosts(value: string): string[] {
  return list(value).map(canonicalHost)
}

/** The address of an HTTP proxy. */
export function proxy(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url?.username || url?.password) {
    throw new Error(
      'must not hold a user or password: this file is no place for secrets; let the proxy know this host by its address',
    )
  }
  if (!url || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw new Error('must be http://host:port or https://host:port')
  }
  return url.origin
}

export function oneOf<const V extends string>(...values: V[]) {
  return (value: string): V => {
    const found = values.find((one) => one === value)
    if (found === undefined) throw new Error(`must be one of ${values.join(', ')}`)
    return found
  }
}

/** @returns names of this host beyond loopback's; undefined for `no` */
export function oxdHttp(value: string): string[] | undefined {
  if (value === 'no') return undefined
  if (value === 'yes') return []
  const names = list(value.toLowerCase())
  if (names.every((one) => /^[a-z\d](?:[a-z\d.-]*[a-z\d])?$/.test(one))) return names
  throw new Error('must be yes, no, or names of hosts without a port, such as oxd.example.com')
}

/** Permissions in octal, as chmod takes them. */
export function mode(value: string): number {
  if (!/^0?[0-7]{3}$/.test(value)) throw new Error('must be an octal mode, such as 0660')
  return Number.parseInt(value, 8)
}

export type Address = { kind: 'unix'; path: string; text: string } | TcpAddress

export interface TcpAddress {
  kind: 'tcp'
  host: string
  port: number
  text: string
}

/** An address that other hosts cannot reach. */
export function loopbackAddress(value: string): TcpAddress {
  const read = value.startsWith('tcp:') ? address(value) : undefined
  if (read?.kind === 'tcp' && isLoopback(read.host)) return read
  throw new Error('must be a TCP port of loopback: tcp:127.0.0.1:9464')
}

/** `unix:/path` or `tcp:host:port`, an IPv6 address in brackets. */
export function address(value: string): Address {
  if (value.startsWith('unix:')) {
    const path = value.slice('unix:'.length)
    // sun_path holds 108 bytes with its final NUL; what is longer is cut silently by some systems.
    if (Buffer.byteLength(path) > 107) throw new Error('has a path of more than 107 bytes')
    if (path === '') throw new Error('must have a path: unix:/run/relyd/relyd.sock')
    return { kind: 'unix', path, text: value }
  }
  const [, ipv6, other, port] = /^tcp:(?:\[([\da-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(value) ?? []
  const host = ipv6 ?? other
  if (host === undefined || Number(port) > 65_535) {
    throw new Error('must be unix:/path/of/socket or tcp:127.0.0.1:8099')
  }
  return { kind: 'tcp', host, port: Number(port), text: value }
}

/** Wide enough for host names and what people call their clients, and free of what separates. */
const CERTIFICATE_NAME = /^\w(?:[\w. -]*\w)?$/

/**
 * `NAME=REALM, NAME=REALM`.
 *
 * @returns the realm of each name
 */
export function realmsByName(value: string): Map<string, string> {
  const realms = new Map<string, string>()
  for (const pair of value.split(/[,\n]/).map((one) => one.trim())) {
    if (pair === '') continue
    const [certificate_name = '', realm = '', ...rest] = pair.split('=').map((one) => one.trim())
    if (
      !CERTIFICATE_NAME.test(certificate_name) ||
      faultOfName(realm) !== undefined ||
      rest.length > 0
    ) {
      throw new Error(
        'must be NAME=REALM, NAME=REALM, with whole names of certificates (letters, digits, spaces, ., - and _)',
      )
    }
    // Compared without case in certificates, so one name cannot stand for two realms here.
    const key = certificate_name.toLowerCase()
    if (realms.has(key)) throw new Error(`has ${certificate_name} twice; keep one`)
    realms.set(key, realm)
  }
  if (realms.size === 0) throw new Error('must be NAME=REALM, NAME=REALM')
  return realms
}
