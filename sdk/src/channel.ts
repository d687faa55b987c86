/** One socket's life: bytes out, with back-pressure, messages in, and its end. */
import { connect, type Socket } from 'node:net'
import { ProtocolError } from './errors.js'
import { MSGPACK_MAGIC, MsgpackDecoder } from './framing/index.js'
import { type Address, nameOfAddress } from './site_address.js'
import { unreachable } from './unreachable.js'

/** What a channel tells its owner. */
export interface ChannelOwner {
  /** The channel became ready for bytes: it is connected, or has passed on what it got before. */
  ready(channel: Channel): void
  /** @throws {ProtocolError} to end the channel */
  received(channel: Channel, message: unknown): void
  /**
   * The channel is no more; told once, and not after `destroy`.
   *
   * @param fault a TransportError if it never was connected, a ProtocolError if it could not be
   *   understood, the system's error if it was lost, undefined if the daemon closed it
   */
  ended(channel: Channel, fault: Error | undefined): void
}

/** A connection to the daemon; made anew for each one. */
export class Channel {
  readonly #address: Address
  readonly #owner: ChannelOwner
  readonly #socket: Socket
  readonly #decoder = new MsgpackDecoder()
  #connected: boolean = false
  #ready: boolean = false
  #over: boolean = false
  #magicSent: boolean = false
  #heard: boolean = false

  constructor(address: Address, owner: ChannelOwner) {
    this.#address = address
    this.#owner = owner
    this.#socket =
      'path' in address
        ? connect({ path: address.path })
        : connect({ ...address, noDelay: true, keepAlive: true })
    // Pending calls keep the process alive by their timers; an idle connection must not.
    this.#socket.unref()
    this.#socket.on('connect', () => {
      this.#connected = true
      this.#becomeReady()
    })
    this.#socket.on('drain', () => this.#becomeReady())
    this.#socket.on('data', (chunk) => this.#read(chunk))
    this.#socket.on('end', () => this.#end(undefined))
    this.#socket.on('error', (error) =>
      this.#end(this.#connected ? error : unreachable(address, error)),
    )
    this.#socket.on('close', () => this.#end(undefined))
  }

  /** Whether a connection was ever opened. */
  get connected(): boolean {
    return this.#connected
  }

  /** Whether it takes bytes now; otherwise the owner is told when it does. */
  get ready(): boolean {
    return this.#ready && !this.#over
  }

  /** @param bytes whole frames */
  write(bytes: Buffer): void {
    const all = this.#magicSent ? bytes : Buffer.concat([MSGPACK_MAGIC, bytes])
    this.#magicSent = true
    this.#ready = this.#socket.write(all)
  }

  /** Closes it without a word to the owner. */
  destroy(): Promise<void> {
    this.#over = true
    this.#socket.destroy()
    if (this.#socket.closed) return Promise.resolve()
    return new Promise((resolve) => this.#socket.once('close', () => resolve()))
  }

  #becomeReady(): void {
    this.#ready = true
    if (!this.#over) this.#owner.ready(this)
  }

  #read(chunk: Buffer): void {
    for (const frame of this.#decoder.push(chunk)) {
      if (this.#over) return
      try {
        if ('error' in frame) throw this.#unreadable(frame.error)
        this.#heard = true
        this.#owner.received(this, frame.message)
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

  #end(fault: Error | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#socket.destroy()
    this.#owner.ended(this, fault)
  }
}
