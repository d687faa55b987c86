/** A socket for clients that block: nothing is read before it is asked for, and then by one read of the kernel's. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export class BlockingSocket {
  readonly #socket: Socket
  #arrived: ((bytes: Buffer) => void) | undefined
  #ended = false

  private constructor(where: string | number, most: number) {
    const address = typeof where === 'string' ? { path: where } : { host: '127.0.0.1', port: where }
    this.#socket = connect({
      ...address,
      onread: {
        buffer: Buffer.alloc(most),
        callback: (length, bytes) => {
          this.#arrived?.(Buffer.from(bytes.subarray(0, length)))
          // The next read is another call's.
          return false
        },
      },
    })
    this.#socket.pause()
    const end = () => {
      this.#ended = true
      this.#arrived?.(Buffer.alloc(0))
    }
    this.#socket.on('end', end)
    this.#socket.on('close', end)
    this.#socket.on('error', () => this.#socket.destroy())
  }

  /** @param most bytes that one read takes */
  static async connect(where: string | number, most: number): Promise<BlockingSocket> {
    const blocking = new BlockingSocket(where, most)
    await once(blocking.#socket, 'connect')
    return blocking
  }

  /** The kernel has them afterwards. */
  async send(bytes: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
  }

  /** One read: what has arrived by then, but at least a byte. @returns no byte at the end */
  async recv(): Promise<Buffer> {
    if (this.#ended) return Buffer.alloc(0)
    const arrived = new Promise<Buffer>((resolve) => {
      this.#arrived = resolve
    })
    this.#socket.resume()
    const bytes = await arrived
    this.#arrived = undefined
    return bytes
  }

  close(): void {
    this.#socket.destroy()
  }
}
