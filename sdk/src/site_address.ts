/** Reads from a cfg's `[oxd]` section where the daemon listens and how long to wait for it. */
import { dirname, resolve } from 'node:path'
import type { Setting, Settings } from './cfg_section.js'
import { ConfigError } from './errors.js'
import { isLoopback } from './loopback.js'
import { readTlsFiles, TlsFileError, type TlsFiles, tlsKeys } from './tls_files.js'

/** A Unix socket's path, or where on TCP. */
export type Address = SocketAddress | TcpAddress

/** What an address may also tell: its keys that environment variables gave, and which. */
interface Origin {
  variables?: Readonly<Record<string, string>>
}

export interface SocketAddress extends Origin {
  path: string
}

export interface TcpAddress extends Origin {
  host: string
  port: number
  /** For TLS 1.3 with a certificate of the site's. */
  tls?: TlsFiles
}

/** Where oxd listened, and relyd's TCP listener does unless it is told otherwise. */
const DEFAULT_HOST = 'localhost'
const DEFAULT_PORT = 8099

/** An address as people write it. */
export function nameOfAddress(address: Address): string {
  if ('path' in address) return address.path
  return address.host.includes(':')
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`
}

/** Where people correct a part of an address. */
export function placeOf(
  key: 'socket' | 'host' | 'port' | 'tls_ca',
  { variables }: Address,
): string {
  return variables?.[key] ?? `"${key}" in the site's cfg`
}

/**
 * @param oxd the section's keys that have a value
 * @param path the cfg; relative paths in it count from its folder
 * @throws {ConfigError}
 */
export function readAddress(oxd: Settings, path: string): Address {
  const address = readParts(oxd, path)
  const given = ['socket', 'host', 'port', ...tlsKeys].flatMap((key) => {
    const place = oxd.get(key)?.place
    return typeof place === 'string' ? [[key, place] as const] : []
  })
  return given.length > 0 ? { ...address, variables: Object.fromEntries(given) } : address
}

function readParts(oxd: Settings, path: string): Address {
  const socket = oxd.get('socket')
  const host = oxd.get('host')
  const port = oxd.get('port')
  const tcp = host ?? port
  if (socket && tcp) {
    throw new ConfigError(
      path,
      tcp.place,
      `the daemon is named twice, by socket ${nameOfPlace(socket)} and by host or port here; keep one`,
    )
  }
  const tls = readTls(oxd, path)
  if (socket) {
    if (!tls) return { path: resolve(dirname(path), socket.value) }
    const place = oxd.get('tls_ca')?.place
    throw new ConfigError(path, place, `TLS is for TCP: give "host" and "port", or no ${TLS_KEYS}`)
  }
  if (host && !/^[\w.:%-]+$/.test(host.value)) {
    throw new ConfigError(
      path,
      host.place,
      `"host" must be a name or an address such as localhost, not "${host.value}"`,
    )
  }
  const number = Number(port?.value ?? DEFAULT_PORT)
  if (port && !(/^\d{1,5}$/.test(port.value) && number >= 1 && number <= 65535)) {
    throw new ConfigError(
      path,
      port.place,
      `"port" must be a number from 1 to 65535, not "${port.value}"`,
    )
  }
  const address = { host: host?.value ?? DEFAULT_HOST, port: number }
  if (tls) return { ...address, tls }
  if (isLoopback(address.host)) return address
  throw new ConfigError(
    path,
    host?.place,
    `"host" is another host, where the site's id could be read on the way and used by others: ` +
      `add ${TLS_KEYS}, or connect to a relyd on this host`,
  )
}

function nameOfPlace({ place }: Setting): string {
  return typeof place === 'number' ? `on line ${place}` : `by ${place}`
}

const TLS_KEYS = 'tls_ca, tls_certificate and tls_key'

function readTls(oxd: Settings, path: string): TlsFiles | undefined {
  const given = tlsKeys.filter((key) => oxd.has(key))
  if (given.length === 0) return undefined
  const [ca, certificate, key] = tlsKeys.map((name) => {
    const entry = oxd.get(name)
    if (entry) return resolve(dirname(path), entry.value)
    const place = oxd.get(given[0] as string)?.place
    throw new ConfigError(path, place, `"${name}" is missing: TLS needs ${TLS_KEYS}`)
  }) as [string, string, string]
  const files: TlsFiles = { tls_ca: ca, tls_certificate: certificate, tls_key: key }
  try {
    readTlsFiles(files)
  } catch (error) {
    if (!(error instanceof TlsFileError)) throw error
    throw new ConfigError(path, oxd.get(error.key)?.place, error.message, error)
  }
  return files
}

/**
 * @param oxd the section's keys that have a value
 * @returns milliseconds, or undefined if the section does not say
 * @throws {ConfigError}
 */
export function readTimeout(oxd: Settings, path: string): number | undefined {
  const timeout = oxd.get('timeout')
  if (!timeout) return undefined
  const seconds = Number(timeout.value)
  if (seconds > 0 && /^\d{0,9}\.?\d{1,9}$/.test(timeout.value)) return seconds * 1000
  throw new ConfigError(
    path,
    timeout.place,
    `"timeout" must be a positive number of seconds, not "${timeout.value}"`,
  )
}
