/** One socket's life: calls out, with back-pressure, messages in, and its end. */
import type { Socket } from 'node:net'
import type { Call } from './call.js'
import { ProtocolError } from './errors.js'
import { encodeMsgpack, MSGPACK_MAGIC, MsgpackDecoder } from './framing/index.js'
import { Liveness } from './liveness.js'
import { isSecure, openSocket } from './open_socket.js'
import { readMessage } from './reply.js'
import { type Address, nameOfAddress } from './site_address.js'
import { unreachable } from './unreachable.js'

/** What a channel tells its owner. */
export interface ChannelOwner {
  /** The channel became ready for calls: it is connected, or has passed on what it got before. */
  ready(channel: Channel): void
  /** @throws {ProtocolError | TransportError} to end the channel */
  received(channel: Channel, message: unknown): void
  /** Replies are due and nothing comes, also when asked; it may be slow, or the peer is gone. */
  silent(channel: Channel): void
  /**
   * The channel is no more; told once, and not after `destroy`.
   *
   * @param fault a TransportError if it never was connected or was refused, a ProtocolError if it could not be
   *   understood, the system's error if it was lost, undefined if the daemon closed it
   */
  ended(channel: Channel, fault: Error | undefined): void
}

/** Milliseconds that some things may take. */
export interface ChannelTimes {
  /** From the first packet to a daemon that lets the site in. */
  open_ms: number
  /** Of silence while replies are due. */
  silence_ms: number
}

/** With the id 0, which no call has: what every daemon answers at once. */
const ping = encodeMsgpack({ id: 0, command: 'ping' })

/** A connection to the daemon; made anew for each one. */
export class Channel {
  /** Calls that were written and have no reply yet, by id. */
  readonly due = new Map<number, Call>()
  /** Those of them that may wait for the OP. */
  readonly at_op = new Set<Call>()
  readonly #address: Address
  readonly #owner: ChannelOwner
  readonly #socket: Socket
  readonly #decoder = new MsgpackDecoder()
  readonly #liveness: Liveness
  readonly #opening: NodeJS.Timeout
  #connected: boolean = false
  #ready: boolean = false
  #over: boolean = false
  #magicSent: boolean = false
  #heard: boolean = false

  constructor(address: Address, owner: ChannelOwner, { open_ms, silence_ms }: ChannelTimes) {
    this.#address = address
    this.#owner = owner
    this.#socket = openSocket(address)
    // Pending calls keep the process alive by their timers; an idle connection must not.
    this.#socket.unref()
    const { due } = this
    this.#liveness = new Liveness(silence_ms, {
      get owed() {
        return due.size > 0
      },
      ask: () => this.#write(ping),
      silent: () => this.#owner.silent(this),
    })
    this.#opening = setTimeout(() => {
      const words = `no answer in ${open_ms} ms`
      this.#lost(Object.assign(new Error(words), { code: 'ETIMEDOUT' }))
    }, open_ms).unref()
    if (isSecure(address)) {
      // In TLS 1.3 a client is done with the handshake before the daemon has looked at its
      // certificate: only a reply tells that it was accepted, and no call is sent before.
      this.#socket.on('secureConnect', () => this.#write(ping))
    } else this.#socket.on('connect', () => this.#accepted())
    this.#socket.on('drain', () => {
      if (this.#connected) this.#becomeReady()
    })
    this.#socket.on('data', (chunk) => this.#read(chunk))
    this.#socket.on('end', () => this.#lost(undefined))
    this.#socket.on('error', (error) => this.#lost(error))
    this.#socket.on('close', () => this.#lost(undefined))
  }

  /** Whether a connection was ever opened, and the daemon let it in. */
  get connected(): boolean {
    return this.#connected
  }

  /** Whether it was closed by a peer that may have wanted TLS: over TCP, and before any reply. */
  get wantedTls(): boolean {
    return !this.#heard && 'host' in this.#address && !isSecure(this.#address)
  }

  /** Whether it takes calls now; otherwise the owner is told when it does. */
  get ready(): boolean {
    return this.#ready && !this.#over
  }

  /** @returns false if nothing of them left: the connection was broken already, which the owner is told soon */
  send(calls: Call[]): boolean {
    this.#ready = this.#write(Buffer.concat(calls.map(({ frame }) => frame)))
    // What the kernel refuses at once it refuses whole.
    if (this.#socket.errored) {
      this.#ready = false
      return false
    }
    for (const call of calls) {
      call.channel = this
      call.setback = undefined
      this.due.set(call.id, call)
      if (call.op) this.at_op.add(call)
    }
    this.#liveness.watch()
    return true
  }

  /** Nothing is due for the call any more. */
  forget(call: Call): void {
    this.due.delete(call.id)
    this.at_op.delete(call)
  }

  /** Closes it without a word to the owner. */
  destroy(): Promise<void> {
    this.#close()
    if (this.#socket.closed) return Promise.resolve()
    return new Promise((resolve) => this.#socket.once('close', () => resolve()))
  }

  /** @param bytes whole frames @returns whether it takes more */
  #write(bytes: Buffer): boolean {
    const all = this.#magicSent ? bytes : Buffer.concat([MSGPACK_MAGIC, bytes])
    this.#magicSent = true
    return this.#socket.write(all)
  }

  #accepted(): void {
    clearTimeout(this.#opening)
    this.#connected = true
    this.#becomeReady()
  }

  #becomeReady(): void {
    this.#ready = true
    if (!this.#over) this.#owner.ready(this)
  }

  #read(chunk: Buffer): void {
    this.#liveness.heard()
    for (const frame of this.#decoder.push(chunk)) {
      if (this.#over) return
      try {
        if ('error' in frame) throw this.#unreadable(frame.error)
        this.#heard = true
        if (this.#connected) this.#owner.received(this, frame.message)
        else if (readMessage(frame.message)) this.#accepted()
      } catch (error) {
        this.#end(error as Error)
        return
      }
    }
  }

  #unreadable(cause: Error): ProtocolError {
    const name = nameOfAddress(this.#address)
    const hint = this.#heard ? '' : '; does another program listen there?'
    return new ProtocolError(`${name} sent bytes that are not relyd's: ${cause.message}${hint}`, {
      cause,
    })
  }

  #lost(error: Error | undefined): void {
    if (this.#over) return
    this.#end(this.#connected ? error : unreachable(this.#address, error))
  }

  #end(fault: Error | undefined): void {
    this.#close()
    this.#owner.ended(this, fault)
  }

  #close(): void {
    this.#over = true
    clearTimeout(this.#opening)
    this.#liveness.stop()
    this.#socket.destroy()
  }
}
