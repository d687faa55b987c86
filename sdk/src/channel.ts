/** One socket's life: bytes out, with back-pressure, messages in, and its end. */
import { connect, isIP, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ProtocolError } from './errors.js'
import { encodeMsgpack, MSGPACK_MAGIC, MsgpackDecoder } from './framing/index.js'
import { readReply } from './reply.js'
import { type Address, nameOfAddress, type TcpAddress } from './site_address.js'
import { readTlsFiles, type TlsFiles } from './tls_files.js'
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

/**
 * What opens a connection over TLS; calls have other ids. In TLS 1.3 a client is done with the
 * handshake before the daemon has looked at its certificate: only a reply tells that it was
 * accepted, and no call is sent before.
 */
const greeting = Buffer.concat([MSGPACK_MAGIC, encodeMsgpack({ id: 0, command: 'ping' })])

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
    this.#socket = open(address)
    // Pending calls keep the process alive by their timers; an idle connection must not.
    this.#socket.unref()
    if (isSecure(address)) {
      this.#socket.on('secureConnect', () => {
        this.#magicSent = true
        this.#socket.write(greeting)
      })
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

  #accepted(): void {
    this.#connected = true
    this.#becomeReady()
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
        if (this.#connected) this.#owner.received(this, frame.message)
        else if (readReply(frame.message)) this.#accepted()
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
    this.#end(this.#connected ? error : unreachable(this.#address, error))
  }

  #end(fault: Error | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#socket.destroy()
    this.#owner.ended(this, fault)
  }
}

function isSecure(address: Address): address is TcpAddress & { tls: TlsFiles } {
  return 'tls' in address
}

function open(address: Address): Socket {
  if ('path' in address) return connect({ path: address.path })
  const { host, port } = address
  const options = { host, port, noDelay: true, keepAlive: true }
  if (!isSecure(address)) return connect(options)
  try {
    return connectTls({
      ...options,
      // Read for each connection: they are renewed while a website runs.
      ...readTlsFiles(address.tls),
      minVersion: 'TLSv1.3',
      // Against NODE_TLS_REJECT_UNAUTHORIZED=0, which is meant for somebody else's connections.
      rejectUnauthorized: true,
      ...(isIP(host) === 0 && { servername: host }),
    })
  } catch (error) {
    return new Socket().destroy(error as Error)
  }
}
