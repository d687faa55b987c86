/** The loopback port on which the metrics can be asked for. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { isLoopback } from '@relyd/sdk/loopback'
import type { TcpAddress } from '../config/option.js'
import { StartError } from '../start_error.js'
import { createHttpServer, type HttpOptions } from './http_pages.js'
import { whyNotOpen } from './listen.js'

/** Connections at the same time: a few programs ask, each over one. */
const CONNECTIONS = 20

export interface HttpPort {
  /** As it came to be. */
  address: string
  close(): Promise<void>
}

/**
 * @throws StartError naming the option and the cure
 */
export async function openHttpPort(
  { host, port, text }: TcpAddress,
  options: Pick<HttpOptions, 'metrics' | 'readiness'>,
): Promise<HttpPort> {
  const server = createHttpServer({ ...options, isOurs: isLoopbackHost })
  server.maxConnections = CONNECTIONS
  try {
    await once(server.listen({ host, port }), 'listening')
  } catch (error) {
    const why = whyNotOpen(error as NodeJS.ErrnoException)
    throw new StartError(`[daemon] metrics_address cannot listen on ${text}: ${why}`)
  }
  const { address, family, port: bound } = server.address() as AddressInfo
  return {
    address: `tcp:${family === 'IPv6' ? `[${address}]` : address}:${bound}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** @param host as a request names it, perhaps with a port */
export function isLoopbackHost(host: string | undefined): boolean {
  const [, ipv6, other] = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::\d{1,5})?$/i.exec(host ?? '') ?? []
  return isLoopback(ipv6 ?? other ?? '')
}
