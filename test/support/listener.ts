/** A TCP server that must be left alone, and what came to it all the same. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

export class Listener implements AsyncDisposable {
  /** How many connections were made to it. */
  connections = 0
  port = 0
  readonly #servers: Server[] = []

  /** On loopback of both families, one port. */
  static async start(): Promise<Listener> {
    const listener = new Listener()
    await listener.#listen('127.0.0.1', 0)
    // Not every machine has IPv6.
    await listener.#listen('::1', listener.port).catch(() => {})
    return listener
  }

  async #listen(host: string, port: number): Promise<void> {
    const server = createServer((socket: Socket) => {
      this.connections += 1
      socket.on('error', () => {}).destroy()
    }).listen(port, host)
    await once(server, 'listening')
    this.port = (server.address() as AddressInfo).port
    this.#servers.push(server)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#servers.map(async (server) => {
        server.close()
        await once(server, 'close')
      }),
    )
  }
}
