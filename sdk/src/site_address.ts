/** Reads from a cfg's `[oxd]` section where the daemon listens and how long to wait for it. */
import { dirname, resolve } from 'node:path'
import { ConfigError } from './errors.js'
import type { IniEntry } from './ini_file.js'

/** A Unix socket's path, or a TCP host and port. */
export type Address = { path: string } | { host: string; port: number }

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

/**
 * @param oxd the section's keys that have a value
 * @param path the cfg; a relative socket path counts from its folder
 * @throws {ConfigError}
 */
export function readAddress(oxd: Map<string, IniEntry>, path: string): Address {
  const socket = oxd.get('socket')
  const host = oxd.get('host')
  const port = oxd.get('port')
  const tcp = host ?? port
  if (socket && tcp) {
    throw new ConfigError(
      path,
      tcp.line,
      `the daemon is named twice, by socket on line ${socket.line} and by host or port here; keep one`,
    )
  }
  if (socket) return { path: resolve(dirname(path), socket.value) }
  if (host && !/^[\w.:%-]+$/.test(host.value)) {
    throw new ConfigError(
      path,
      host.line,
      `"host" must be a name or an address such as localhost, not "${host.value}"`,
    )
  }
  const number = Number(port?.value ?? DEFAULT_PORT)
  if (port && !(Number.isInteger(number) && number >= 1 && number <= 65535)) {
    throw new ConfigError(
      path,
      port.line,
      `"port" must be a number from 1 to 65535, not "${port.value}"`,
    )
  }
  return { host: host?.value ?? DEFAULT_HOST, port: number }
}

/**
 * @param oxd the section's keys that have a value
 * @returns milliseconds, or undefined if the section does not say
 * @throws {ConfigError}
 */
export function readTimeout(oxd: Map<string, IniEntry>, path: string): number | undefined {
  const timeout = oxd.get('timeout')
  if (!timeout) return undefined
  const seconds = Number(timeout.value)
  if (seconds > 0 && Number.isFinite(seconds)) return seconds * 1000
  throw new ConfigError(
    path,
    timeout.line,
    `"timeout" must be a positive number of seconds, not "${timeout.value}"`,
  )
}
