/** An HTTP proxy that makes the connections it is asked for, and remembers them. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

/** What the proxy does with a request for a connection. */
export type ProxyManner = 'connect' | 'refuse' | 'drop' | 'hang'

export class ConnectProxy implements AsyncDisposable {
  manner: ProxyManner = 'connect'
  /** Where it was asked to connect to, as `host:port`. */
  readonly asked: string[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => this.#keep(socket))
    server.on('connect', (request, socket: Socket) => {
      const target = request.url as string
      this.asked.push(target)
      if (this.manner === 'refuse') socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
      if (this.manner === 'drop') socket.destroy()
      if (this.manner !== 'connect') return
      const { hostname, port } = new URL(`http://${target}`)
      const upstream = connect(Number(port), hostname.replace(/^\[|\]$/g, ''), () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        upstream.pipe(socket).pipe(upstream)
      })
      this.#keep(upstream)
    })
  }

  static async start(): Promise<ConnectProxy> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new ConnectProxy(server)
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#server, 'close')
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy()).on('close', () => this.#sockets.delete(socket))
  }
}
