/** A plain client of the oxd dialect for tests, as strict about frames as the dialect should be: one request, one reply. */
import { connect, type Socket } from 'node:net'

// biome-ignore lint/suspicious/noExplicitAny: tests look into replies of every shape
export type OxdReply = { status: 'ok' | 'error'; data: any }

export class OxdWire implements Disposable {
  readonly socket: Socket
  readonly closed: Promise<void>
  #received = ''
  #arrived: (() => void) | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1')
      this.#arrived?.()
    })
    this.closed = new Promise((resolve) => {
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        this.#arrived?.()
        resolve()
      })
    })
  }

  /** @param where the path of a Unix socket, or a port of loopback */
  static async connect(where: string | number, host = '127.0.0.1'): Promise<OxdWire> {
    const socket = typeof where === 'string' ? connect(where) : connect({ host, port: where })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new OxdWire(socket)
  }

  /** Sends one command, in characters, and waits for its reply. */
  async call(command: string, params: object = {}): Promise<OxdReply> {
    const body = JSON.stringify({ command, params })
    this.socket.write(`${String(body.length).padStart(4, '0')}${body}`)
    return this.next()
  }

  /** The next reply, whoever asked for it. */
  async next(): Promise<OxdReply> {
    for (;;) {
      const length = Number(this.#received.slice(0, 4))
      if (this.#received.length >= 4 && this.#received.length >= 4 + length) {
        if (!/^\d{4}/.test(this.#received)) throw new Error(`no length: ${this.#received}`)
        const body = this.#received.slice(4, 4 + length)
        this.#received = this.#received.slice(4 + length)
        return JSON.parse(body)
      }
      if (this.socket.destroyed) throw new Error(`the connection closed after ${this.#received}`)
      await new Promise<void>((resolve) => {
        this.#arrived = resolve
      })
    }
  }

  async ok(command: string, params: object = {}): Promise<OxdReply['data']> {
    const reply = await this.call(command, params)
    if (reply.status === 'ok') return reply.data
    throw new Error(`${command}: ${reply.data.error}: ${reply.data.error_description}`)
  }

  async refused(command: string, params: object = {}): Promise<OxdReply['data']> {
    const reply = await this.call(command, params)
    if (reply.status === 'error') return reply.data
    throw new Error(`${command} succeeded`)
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}
