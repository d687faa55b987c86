/** Calls to the daemon over one connection, opened on the first call and again after a loss. */
import {
  aborted,
  busy,
  type Call,
  closed,
  encodeCall,
  lost,
  notSent,
  outcomeOf,
  timedOut,
  weightOf,
} from './call.js'
import type { CommandTraits } from './call_options.js'
import type { Channel } from './channel.js'
import { Channels, type Times } from './channels.js'
import { CommandError, ProtocolError, TransportError } from './errors.js'
import { checkTimeout, type Limits, watchLimits } from './limits.js'
import { type DaemonEvent, type Refusal, readMessage } from './reply.js'
import { type Address, nameOfAddress } from './site_address.js'
import { mayPass } from './unreachable.js'

/** About how much is written at once, so that what a slow daemon does not take stays unsent. */
const WRITE_BYTES = 64 * 1024

/** Bytes that calls without a reply may take: some 50,000 small ones. */
const MOST_BYTES = 64 * 1024 * 1024

/**
 * Calls of a channel that may wait for the OP, at once. The daemon reads no further while it runs 256
 * requests of one connection: a slow OP, or a flood of tokens to ask it about, must not keep waiting
 * what needs no OP.
 */
const MOST_AT_OP = 128

/** What else happens on a connection. */
export interface Watcher {
  event(event: DaemonEvent): void
  /** The first answer over a new connection came. */
  opened(): void
  /** A connection over which answers came takes no more calls. */
  lost(): void
}

/** A multiplexed connection that comes back after a loss. */
export class Connection {
  /** The daemon's address. */
  readonly #name: string
  readonly #timeout_ms: number
  readonly #channels: Channels
  #watcher: Watcher | undefined
  /** Everything that is not settled; ids are never used again. */
  readonly #calls = new Set<Call>()
  /** Bytes that they take. */
  #weight = 0
  /** Those that are not written, in their order. */
  readonly #queue = new Set<Call>()
  /** Those of them that may wait for the OP. */
  readonly #op_queue = new Set<Call>()
  #flushScheduled = false
  #lastId = 0
  readonly #closing = new AbortController()

  /** @param timeout_ms of calls that do not say otherwise */
  constructor(address: Address, timeout_ms: number, times?: Times) {
    this.#name = nameOfAddress(address)
    this.#timeout_ms = checkTimeout(timeout_ms)
    this.#channels = new Channels(
      address,
      {
        free: () => this.#flush(),
        ready: () => this.#flush(),
        received: (channel, message) => this.#received(channel, message),
        ended: (channel, fault) => this.#ended(channel, fault),
        opened: () => this.#watcher?.opened(),
        left: () => this.#watcher?.lost(),
      },
      times,
    )
  }

  /** Fires when `close` is called. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** @param watcher told from now on, instead of another */
  watch(watcher: Watcher): void {
    this.#watcher = watcher
  }

  /**
   * Sends a command and waits for its reply.
   *
   * @param retry whether it may be sent again when its connection breaks
   * @returns the reply's data
   * @throws {CommandError} the daemon refused
   * @throws {TransportError} no reply came
   * @throws {ProtocolError} the params cannot be sent, or the daemon cannot be understood
   */
  call(
    command: string,
    params: object,
    retry: CommandTraits['retry'],
    options: Limits = {},
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timeout_ms = checkTimeout(options.timeout_ms ?? this.#timeout_ms)
      if (this.#closing.signal.aborted) throw closed(command, 'not_executed')
      if (this.#weight >= MOST_BYTES) throw busy(command, this.#calls.size)
      this.#lastId += 1
      const settle = (): void => {
        unwatch()
        this.#settled(call)
      }
      const call: Call = {
        id: this.#lastId,
        command,
        retry,
        op: options.op ?? false,
        frame: encodeCall(this.#lastId, command, params),
        channel: undefined,
        resent: false,
        setback: undefined,
        fail: (error) => {
          settle()
          reject(error)
        },
        succeed: (data) => {
          settle()
          resolve(data)
        },
      }
      let unwatch = (): void => {}
      this.#calls.add(call)
      this.#weight += weightOf(call)
      this.#enqueue(call)
      unwatch = watchLimits({ ...options, timeout_ms }, (code, cause) => {
        if (code === 'ERR_ABORTED') call.fail(aborted(call, cause))
        else call.fail(timedOut(call, this.#name, timeout_ms))
      })
    })
  }

  /** Rejects what is pending and closes; later calls are rejected too. */
  async close(): Promise<void> {
    this.#closing.abort()
    const gone = this.#channels.destroy()
    for (const call of this.#calls) call.fail(closed(call.command, outcomeOf(call)))
    await gone
  }

  #enqueue(call: Call): void {
    call.channel?.forget(call)
    call.channel = undefined
    this.#queueOf(call).add(call)
    this.#flushSoon()
  }

  #flushSoon(): void {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    // After this turn of the event loop: the calls of all its callbacks share a write.
    setImmediate(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#queue.size + this.#op_queue.size === 0) return
    const channel = this.#channels.take()
    while (channel?.ready) {
      const calls = this.#nextFor(channel)
      if (calls.length === 0) return
      if (channel.send(calls)) for (const call of calls) this.#queueOf(call).delete(call)
    }
  }

  /** What is written next, as one. */
  #nextFor(channel: Channel): Call[] {
    const calls: Call[] = []
    let bytes = 0
    let room = MOST_AT_OP - channel.at_op.size
    const take = (call: Call) => {
      calls.push(call)
      bytes += call.frame.length
    }
    for (const call of this.#queue) {
      if (bytes >= WRITE_BYTES) return calls
      take(call)
    }
    for (const call of this.#op_queue) {
      if (bytes >= WRITE_BYTES || room <= 0) return calls
      take(call)
      room -= 1
    }
    return calls
  }

  #queueOf(call: Call): Set<Call> {
    return call.op ? this.#op_queue : this.#queue
  }

  #received(channel: Channel, message: unknown): void {
    const said = readMessage(message)
    if (!said) return
    const isRefused = 'refusal' in said && said.refusal.error === 'shutting_down'
    if (!isRefused) this.#channels.answered(channel)
    if ('event' in said) {
      this.#watcher?.event(said)
      return
    }
    const call = channel.due.get(said.id as number)
    // A reply to a call that was given up, or a sign of life.
    if (!call) return
    if ('data' in said) call.succeed(said.data)
    else if (isRefused) this.#refused(call, channel, said.refusal)
    else call.fail(new CommandError(call.command, said.refusal))
  }

  /** A daemon that shuts down has not executed the call: the next one will, once it is there. */
  #refused(call: Call, channel: Channel, refusal: Refusal): void {
    call.setback = new CommandError(call.command, refusal)
    if (this.#channels.isLongOutage) call.fail(notSent(call, call.setback))
    else this.#enqueue(call)
    this.#channels.shutsDown(channel)
    this.#channels.settled(channel)
  }

  #ended(channel: Channel, fault: Error | undefined): void {
    if (!channel.connected) this.#notOpened(fault as Error)
    else {
      const isRefused = fault instanceof TransportError
      for (const call of channel.due.values()) {
        if (isRefused) this.#enqueue(call)
        else if (fault instanceof ProtocolError) call.fail(fault)
        else if (call.retry === 'safe' && !call.resent) {
          call.resent = true
          this.#enqueue(call)
        } else call.fail(lost(call, this.#name, fault))
      }
      if (isRefused) this.#notOpened(fault)
    }
    this.#flush()
  }

  #notOpened(fault: Error): void {
    const isFinal = !mayPass(fault) || this.#channels.isLongOutage
    for (const call of [...this.#queue, ...this.#op_queue]) {
      call.setback = fault
      if (isFinal) call.fail(notSent(call, fault))
    }
  }

  #settled(call: Call): void {
    this.#calls.delete(call)
    this.#weight -= weightOf(call)
    this.#queueOf(call).delete(call)
    call.channel?.forget(call)
    if (call.channel) this.#channels.settled(call.channel)
    if (call.op && this.#op_queue.size > 0) this.#flushSoon()
    if (this.#calls.size === 0) this.#channels.abandon()
  }
}
