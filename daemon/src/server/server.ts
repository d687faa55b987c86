/** The listeners and their connections, from the first to the last. */
import { once } from 'node:events'
import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { ListenerConfig } from '../config/config.js'
import { CommandError } from '../errors.js'
import type { Log } from '../log.js'
import { InFlight, type Limit } from '../quota.js'
import { Buffers } from './buffers.js'
import { Connection } from './connection.js'
import type { Dispatch } from './dispatch.js'
import { type HttpServer, refuseHttp, tellApart } from './http_or_frames.js'
import { type HttpOxdOptions, httpOxd } from './http_oxd.js'
import { listen } from './listen.js'
import { type SecureServer, secureServer } from './tls.js'
import { Turns } from './turns.js'

/** Turns of the event loop without a new connection after which nobody waits any more. */
const QUIET_TURNS = 2

/** Turns at the most: who goes on connecting does not keep the daemon from stopping. */
const ACCEPT_TURNS = 1000

/** Connections beyond the limit that are told why, at the same time; further ones are just closed. */
const TOLD = 50

/** Milliseconds between looks for connections that take too long. */
const CHECK_MS = 1000

/** @param takeOver as of {@link tellApart} */
type SpeakHttp = (socket: Socket, takeOver: () => void) => void

/** Those of a listener's options that may change while it listens. */
type ListenerLimits = Pick<
  ListenerConfig,
  'connections' | 'buffer_megabytes' | 'frame_timeout' | 'idle_timeout'
>

interface ListenOptions {
  /** The descriptor of its socket, if systemd opened it. */
  passed?: number | undefined
  /** Gets the connections that speak HTTP, where that is spoken too. */
  http?: HttpServer
}

/** Whoever is served over a connection. */
interface Served {
  /** Takes no new work, and goes when what runs is answered. */
  drain(): void
  /** Ends what takes too long. */
  check(now: number): void
  destroy(): void
}

interface Listener {
  name: string
  address: string
  server: NetServer
  /** Whether its socket outlives this process, because systemd has it too. */
  isPassed: boolean
  /** Open now. */
  connections(): number
  /** Since the start. */
  accepted(): number
  /** Takes other limits; connections that are open stay. */
  change(limits: ListenerLimits): void
  reread: SecureServer['reread'] | undefined
}

export class Server {
  readonly #listeners: Listener[] = []
  readonly #log: Log
  readonly #connections = new Set<Served>()
  readonly #turns = new Turns()
  readonly #checking: NodeJS.Timeout
  /** Everybody who connected, those in a handshake too. */
  readonly #sockets = new Set<Socket>()
  #accepted = 0
  #draining = false
  #onEmpty: (() => void) | undefined

  constructor(log: Log) {
    this.#log = log
    this.#checking = setInterval(() => this.#check(), CHECK_MS).unref()
  }

  /** Those that listen, with the connections that are open now. */
  get listeners(): { name: string; address: string; connections: number }[] {
    return this.#listeners.map(({ name, address, connections }) => ({
      name,
      address,
      connections: connections(),
    }))
  }

  /** Connections that each has accepted since the start. */
  get accepted(): { name: string; accepted: number }[] {
    return this.#listeners.map(({ name, accepted }) => ({ name, accepted: accepted() }))
  }

  /** Requests that wait for their site's turn. */
  get waiting(): number {
    return this.#turns.waiting
  }

  /**
   * @param dispatches of the realms that it serves, by their names, and perhaps of more
   * @returns the address as it came to be, with the port that the kernel chose for port 0
   * @throws StartError
   */
  async listen(
    listener: ListenerConfig,
    dispatches: ReadonlyMap<string, Dispatch>,
    { passed, http }: ListenOptions = {},
  ): Promise<string> {
    const limits: ListenerLimits = { ...listener }
    const buffers = new Buffers(limits.buffer_megabytes)
    const shared = { turns: this.#turns, buffers, limits }
    const open = new InFlight(openAtMost(limits))
    let told = 0
    /** Takes a place for as long as the connection lives; `then` is given why there is none. */
    const admit = (socket: Socket, realm: string, then: (refusal?: CommandError) => void) => {
      // A realm that takes all places keeps no other realm of the listener out.
      const isFull = open.enter(realm) !== undefined
      if (isFull && told >= TOLD) {
        socket.destroy()
        return
      }
      if (isFull) told += 1
      socket.once('close', () => {
        if (isFull) told -= 1
        else open.leave(realm)
      })
      then(isFull ? tooMany(listener.name, limits) : undefined)
    }
    const serve = (socket: Socket, realm: string, refusal: CommandError | undefined) => {
      const dispatch = dispatches.get(realm)
      if (!dispatch) throw new Error(`[listener ${listener.name}] does not serve ${realm}`)
      this.#serve(socket, new Connection(socket, { ...shared, dispatch, refusal }))
    }
    const accept = (socket: Socket, realm = listener.realm) =>
      admit(socket, realm, (refusal) => serve(socket, realm, refusal))
    const speakHttp = http
      ? (socket: Socket) => http.emit('connection', socket)
      : this.#oxdHttp(listener, dispatches, shared)
    const acceptEither = (socket: Socket, speak: SpeakHttp) =>
      admit(socket, listener.realm, (refusal) =>
        tellApart(socket, limits.frame_timeout, {
          http: (_, takeOver) => (refusal ? refuseHttp(socket) : speak(socket, takeOver)),
          frames: () => serve(socket, listener.realm, refusal),
        }),
      )
    const { tls } = listener
    const { server, reread } = tls
      ? secureServer({ ...listener, tls }, { log: this.#log }, accept)
      : {
          server: createServer({ allowHalfOpen: true }, (socket) =>
            speakHttp ? acceptEither(socket, speakHttp) : accept(socket),
          ),
        }
    // Those in a handshake count too; it has seconds only.
    const limitSockets = () => {
      if (tls) server.maxConnections = 3 * limits.connections + TOLD
    }
    limitSockets()
    let accepted = 0
    server.on('connection', (socket: Socket) => {
      this.#accepted += 1
      accepted += 1
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    await listen(server, listener, passed)
    const address = addressOf(server) ?? listener.address.text
    this.#listeners.push({
      name: listener.name,
      address,
      server,
      isPassed: passed !== undefined,
      connections: () => open.total,
      accepted: () => accepted,
      change(changed) {
        Object.assign(limits, changed)
        buffers.megabytes = limits.buffer_megabytes
        open.limit = openAtMost(limits)
        limitSockets()
      },
      reread,
    })
    return address
  }

  /** Counts the connection until it closes. */
  #serve(socket: Socket, served: Served): void {
    this.#connections.add(served)
    socket.once('close', () => {
      this.#connections.delete(served)
      if (this.#connections.size === 0) this.#onEmpty?.()
    })
    // Its handshake was under way when the daemon was told to stop.
    if (this.#draining) served.drain()
  }

  /** @returns what serves HTTP to oxd clients, where the listener does */
  #oxdHttp(
    { realm, oxd_http: names }: ListenerConfig,
    dispatches: ReadonlyMap<string, Dispatch>,
    shared: Omit<HttpOxdOptions, 'dispatch' | 'names'>,
  ): SpeakHttp | undefined {
    const dispatch = names && dispatches.get(realm)
    if (!dispatch) return undefined
    const open = httpOxd({ ...shared, dispatch, names })
    return (socket, takeOver) => {
      takeOver()
      this.#serve(socket, open(socket))
    }
  }

  /**
   * Reads the listeners' TLS files anew.
   *
   * @returns what puts those that have changed in place, by the listener's name
   * @throws StartError if a file cannot serve; nothing has changed then
   */
  rereadTls(): Map<string, () => void> {
    return new Map(
      this.#listeners.flatMap(({ name, reread }): [string, () => void][] => {
        const renew = reread?.()
        return renew ? [[name, renew]] : []
      }),
    )
  }

  /** Takes other limits of listeners that listen. */
  change(listeners: readonly ListenerConfig[]): void {
    for (const { name, connections, buffer_megabytes, frame_timeout, idle_timeout } of listeners) {
      const listener = this.#listeners.find((one) => one.name === name)
      listener?.change({ connections, buffer_megabytes, frame_timeout, idle_timeout })
    }
  }

  /**
   * Takes no new connections and no new work, and waits until running commands have answered.
   *
   * @param seconds after which connections are cut
   * @returns how many had to be cut
   */
  async drain(seconds: number): Promise<number> {
    const close = ({ server }: Listener) => {
      const end = once(server, 'close')
      server.close()
      return end
    }
    // Who waits in the queue of a passed socket waits for the next daemon.
    const closed = this.#listeners.filter(({ isPassed }) => isPassed).map(close)
    await this.#acceptWaiting()
    closed.push(...this.#listeners.filter(({ isPassed }) => !isPassed).map(close))
    this.#draining = true
    for (const connection of this.#connections) connection.drain()
    const cut = await this.#empty(seconds)
    // A listener closes when its last socket has; who is in a handshake still was promised nothing.
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(closed)
    clearInterval(this.#checking)
    return cut
  }

  /**
   * Lets in who has connected already: closing a listener resets whoever waits in its queue. A turn
   * of the event loop may accept only one of them.
   */
  async #acceptWaiting(): Promise<void> {
    let quiet = 0
    for (let turn = 0; turn < ACCEPT_TURNS && quiet < QUIET_TURNS; turn += 1) {
      const accepted = this.#accepted
      await setImmediate()
      quiet = accepted === this.#accepted ? quiet + 1 : 0
    }
  }

  #check(): void {
    const now = performance.now()
    for (const connection of this.#connections) connection.check(now)
  }

  #empty(seconds: number): Promise<number> {
    if (this.#connections.size === 0) return Promise.resolve(0)
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        const left = [...this.#connections]
        for (const connection of left) connection.destroy()
        resolve(left.length)
      }, seconds * 1000)
      this.#onEmpty = () => {
        clearTimeout(timer)
        resolve(0)
      }
    })
  }
}

function openAtMost({ connections }: ListenerLimits): Limit {
  return { site: Number.POSITIVE_INFINITY, realm: connections }
}

/** @returns undefined for a passed Unix socket, whose path Node does not know */
function addressOf(server: NetServer): string | undefined {
  const bound = server.address()
  if (bound === null) return undefined
  if (typeof bound === 'string') return `unix:${bound}`
  return `tcp:${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`
}

function tooMany(name: string, { connections }: ListenerLimits): CommandError {
  return new CommandError(
    'quota_exceeded',
    `${connections} connections are open, the most that connections of [listener ${name}] allows`,
    { details: { quota: 'connections', option: 'connections', limit: connections } },
  )
}
