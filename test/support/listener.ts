/** A TCP server that must be left alone, and what came to it all the same. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'

export class Listener implements AsyncDisposable {
  /** How many connections were made to it. */
  connections = 0
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => {
      this.connections += 1
      socket.on('error', () => {}).destroy()
    })
  }

  /** On every address of this host, so that each way of writing one leads here. */
  static async start(): Promise<Listener> {
    const server = createServer().listen(0)
    await once(server, 'listening')
    return new Listener(server)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    await once(this.#server, 'close')
  }
}
