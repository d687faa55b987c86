/** A plain client for tests, below the SDK: sends what it is told and shows what came. */
import { type AddressInfo, connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import {
  type Decoder,
  type Encode,
  encodeJson,
  encodeMsgpack,
  JsonDecoder,
  MSGPACK_MAGIC,
  MsgpackDecoder,
} from '../../sdk/src/framing/index.js'

export type DialectName = 'json' | 'msgpack'

// biome-ignore lint/suspicious/noExplicitAny: tests look into replies of every shape
export type Reply = { id: string | number | null; status: 'ok' | 'error'; data: any }

const dialects: Record<DialectName, { magic: Buffer; encode: Encode; decoder(): Decoder }> = {
  json: { magic: Buffer.alloc(0), encode: encodeJson, decoder: () => new JsonDecoder() },
  msgpack: { magic: MSGPACK_MAGIC, encode: encodeMsgpack, decoder: () => new MsgpackDecoder() },
}

export type Where =
  | { path: string }
  | { host: string; port: number }
  | Pick<AddressInfo, 'port'>
  | { port: number; tls: Identity }

/** Whom a TLS client trusts, and what it shows of itself, in PEM. */
export interface Identity {
  ca: Buffer
  cert?: Buffer
  key?: Buffer
}

export class Wire implements Disposable {
  readonly socket: Socket
  readonly encode: Encode
  /** Of a Unix socket. */
  readonly path: string | undefined
  /** Replies with the id null, which no call waits for. */
  readonly unasked: Reply[] = []
  /** Resolves when the daemon closed the connection, or it broke. */
  readonly closed: Promise<void>
  readonly #waiting = new Map<number, { resolve(reply: Reply): void; reject(error: Error): void }>()
  #unaskedArrived: (() => void) | undefined
  #next = 1

  private constructor(socket: Socket, dialect: DialectName, path: string | undefined) {
    this.socket = socket
    this.path = path
    this.encode = dialects[dialect].encode
    const decoder = dialects[dialect].decoder()
    socket.write(dialects[dialect].magic)
    socket.on('data', (chunk) => {
      for (const frame of decoder.push(chunk)) {
        if ('error' in frame) throw frame.error
        this.#receive(frame.message as Reply)
      }
    })
    this.closed = new Promise((resolve) => {
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        for (const { reject } of this.#waiting.values()) reject(new Error('the connection closed'))
        this.#waiting.clear()
        resolve()
      })
    })
  }

  static async connect(where: string | Where, dialect: DialectName = 'json'): Promise<Wire> {
    const secure = typeof where !== 'string' && 'tls' in where
    const place = typeof where === 'string' ? { path: where } : where
    const socket = secure
      ? connectTls({ host: '127.0.0.1', port: where.port, ...where.tls })
      : connect(place)
    await new Promise<void>((resolve, reject) => {
      socket.once(secure ? 'secureConnect' : 'connect', resolve)
      socket.once('error', reject)
    })
    return new Wire(socket, dialect, 'path' in place ? place.path : undefined)
  }

  /** Sends one command. @returns its reply, whichever status it has */
  call(command: string, params: object = {}): Promise<Reply> {
    const id = this.#next
    this.#next += 1
    const reply = new Promise<Reply>((resolve, reject) =>
      this.#waiting.set(id, { resolve, reject }),
    )
    // Nobody may be waiting yet when the connection breaks.
    reply.catch(() => {})
    this.socket.write(this.encode({ id, command, params }))
    return reply
  }

  /** Sends one command. @returns its data @throws Error with the code, if it was refused */
  async ok(command: string, params: object = {}): Promise<Reply['data']> {
    const reply = await this.call(command, params)
    if (reply.status === 'ok') return reply.data
    throw new Error(`${command}: ${reply.data.error}: ${reply.data.error_description}`)
  }

  /** Sends one command. @returns the error's data @throws Error if it succeeded */
  async refused(command: string, params: object = {}): Promise<Reply['data']> {
    const reply = await this.call(command, params)
    if (reply.status === 'error') return reply.data
    throw new Error(`${command} succeeded`)
  }

  /** Waits for the next reply that no call asked for. */
  async nextUnasked(): Promise<Reply> {
    for (;;) {
      const reply = this.unasked.shift()
      if (reply) return reply
      await new Promise<void>((resolve) => {
        this.#unaskedArrived = resolve
      })
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }

  #receive(reply: Reply): void {
    const waiting = typeof reply.id === 'number' ? this.#waiting.get(reply.id) : undefined
    if (waiting) {
      this.#waiting.delete(reply.id as number)
      // There is one place for it.
      if (reply.status === 'error' && reply.data.details?.spec !== undefined) {
        waiting.reject(new Error(`${reply.data.error} has its section among its details`))
        return
      }
      waiting.resolve(reply)
      return
    }
    this.unasked.push(reply)
    this.#unaskedArrived?.()
  }
}
