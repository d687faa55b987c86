/** The listeners and their connections, from the first to the last. */
import { once } from 'node:events'
import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { ListenerConfig } from '../config/config.js'
import type { Realm } from '../context.js'
import { CommandError } from '../errors.js'
import { Buffers } from './buffers.js'
import { Connection } from './connection.js'
import type { Dispatch } from './dispatch.js'
import { listen } from './listen.js'
import { Turns } from './turns.js'

/** Turns of the event loop without a new connection after which nobody waits any more. */
const QUIET_TURNS = 2

/** Turns at the most: who goes on connecting does not keep the daemon from stopping. */
const ACCEPT_TURNS = 1000

/** Connections beyond the limit that are told why, at the same time; further ones are just closed. */
const TOLD = 50

/** Milliseconds between looks for connections that take too long. */
const CHECK_MS = 1000

export class Server {
  readonly #dispatchFor: (realm: Realm) => Dispatch
  readonly #listeners: NetServer[] = []
  readonly #connections = new Set<Connection>()
  readonly #turns = new Turns()
  readonly #checking: NodeJS.Timeout
  #accepted = 0
  #onEmpty: (() => void) | undefined

  constructor(dispatchFor: (realm: Realm) => Dispatch) {
    this.#dispatchFor = dispatchFor
    this.#checking = setInterval(() => this.#check(), CHECK_MS).unref()
  }

  /**
   * @returns the address as it came to be, with the port that the kernel chose for port 0
   * @throws StartError
   */
  async listen(listener: ListenerConfig, realm: Realm): Promise<string> {
    const options = {
      dispatch: this.#dispatchFor(realm),
      turns: this.#turns,
      buffers: new Buffers(listener.buffer_megabytes),
      frame_timeout: listener.frame_timeout,
      idle_timeout: listener.idle_timeout,
    }
    let open = 0
    let told = 0
    const accept = (socket: Socket) => {
      this.#accepted += 1
      const isFull = open >= listener.connections
      if (isFull && told >= TOLD) {
        socket.destroy()
        return
      }
      const refusal = isFull ? tooMany(listener) : undefined
      const connection = new Connection(socket, { ...options, refusal })
      if (isFull) told += 1
      else open += 1
      this.#connections.add(connection)
      socket.once('close', () => {
        if (isFull) told -= 1
        else open -= 1
        this.#connections.delete(connection)
        if (this.#connections.size === 0) this.#onEmpty?.()
      })
    }
    const server = createServer({ allowHalfOpen: true }, accept)
    await listen(server, listener)
    this.#listeners.push(server)
    const bound = server.address()
    return typeof bound === 'object' && bound !== null
      ? `tcp:${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`
      : `unix:${bound}`
  }

  /**
   * Takes no new connections and no new work, and waits until running commands have answered.
   *
   * @param seconds after which connections are cut
   * @returns how many had to be cut
   */
  async drain(seconds: number): Promise<number> {
    await this.#acceptWaiting()
    const closed = this.#listeners.map((server) => {
      const close = once(server, 'close')
      server.close()
      return close
    })
    for (const connection of this.#connections) connection.drain()
    const cut = await this.#empty(seconds)
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

function tooMany({ name, connections }: ListenerConfig): CommandError {
  return new CommandError(
    'quota_exceeded',
    `${connections} connections are open, the most that connections of [listener ${name}] allows`,
    { details: { quota: 'connections', option: 'connections', limit: connections } },
  )
}
