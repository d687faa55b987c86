/** Listening on localhost, which to a browser is 127.0.0.1 or ::1, as it pleases. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Localhost {
  port: number
  close(): Promise<void>
}

/**
 * @param port chosen by the kernel when 0
 * @throws the system's error when the port is taken on one of the two addresses: whoever has it there
 *   would get some of our visitors
 */
export async function listenOnLocalhost(
  port: number,
  listener?: RequestListener,
): Promise<Localhost> {
  const first = await listen(port, '127.0.0.1', listener)
  const chosen = (first.address() as AddressInfo).port
  try {
    const second = await listen(chosen, '::1', listener)
    return { port: chosen, close: () => close(first, second) }
  } catch (error) {
    if (isWithoutIpv6(error)) return { port: chosen, close: () => close(first) }
    await close(first)
    if (port === 0 && isTaken(error)) return listenOnLocalhost(0, listener)
    throw error
  }
}

/** Whether another program has the port. */
export function isTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
}

function isWithoutIpv6(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException
  return ['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'].includes(code)
}

/** Listens on one address; the port is chosen by the kernel when 0. */
export function listen(port: number, host: string, listener?: RequestListener): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(listener)
    server.once('error', reject).listen(port, host, () => resolve(server))
  })
}

/** Closes servers and all of their connections. */
export async function close(...servers: Server[]): Promise<void> {
  const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)))
  for (const server of servers) server.closeAllConnections()
  await Promise.all(closed)
}
