/** Opens the socket to the daemon: Unix, TCP, or TLS 1.3 with the site's certificate. */
import { connect, isIP, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Address, TcpAddress } from './site_address.js'
import { readTlsFiles, type TlsFiles } from './tls_files.js'

/** Milliseconds of quiet after which the kernel asks whether the other host is there, for nobody else may. */
const KEEP_ALIVE_MS = 15_000

/** Bytes that the kernel takes as a Unix socket's path; Node would connect to the path cut short. */
export const LONGEST_PATH = process.platform === 'linux' ? 107 : 103

export function isSecure(address: Address): address is TcpAddress & { tls: TlsFiles } {
  return 'tls' in address
}

/** @returns a socket whose `error` tells what was wrong with the address, too */
export function openSocket(address: Address): Socket {
  if ('path' in address) {
    if (Buffer.byteLength(address.path) <= LONGEST_PATH) return connect({ path: address.path })
    const error = Object.assign(new Error('the path is too long'), { code: 'ENAMETOOLONG' })
    return new Socket().destroy(error)
  }
  const { host, port } = address
  const options = {
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
  }
  if (!isSecure(address)) return connect(options)
  try {
    return connectTls({
      ...options,
      // Read for each connection: they are renewed while a website runs.
      ...readTlsFiles(address.tls),
      minVersion: 'TLSv1.3',
      // Against NODE_TLS_REJECT_UNAUTHORIZED=0, which is meant for somebody else's connections.
      rejectUnauthorized: true,
      ...(isIP(host) === 0 && { servername: host }),
    })
  } catch (error) {
    return new Socket().destroy(error as Error)
  }
}
