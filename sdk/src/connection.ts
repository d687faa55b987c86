/** Calls to the daemon over one connection, opened on the first call and again after a loss. */
import type { CallOptions, CommandTraits } from './call_options.js'
import { Channel } from './channel.js'
import { CommandError, ProtocolError, TransportError } from './errors.js'
import { encodeMsgpack, MAX_FRAME_BYTES } from './framing/index.js'
import { findMsgpackFault } from './framing/msgpack_scan.js'
import { backOffMs, checkTimeout, watchLimits } from './limits.js'
import { type Refusal, readReply } from './reply.js'
import { type Address, nameOfAddress } from './site_address.js'

const LENGTH_BYTES = 4

/** About how much is written at once, so that what a slow daemon does not take stays unsent. */
const WRITE_BYTES = 64 * 1024

/** A call without its reply: queued, written to a channel, or waiting to be queued again. */
interface Call {
  id: number
  command: string
  retry: CommandTraits['retry']
  frame: Buffer
  /** Where it was written; undefined means that no daemon can have executed it. */
  channel: Channel | undefined
  /** Its connection broke once, and it was sent again. */
  resent: boolean
  /** The daemon's last word that it is shutting down and did not execute it. */
  refusal: CommandError | undefined
  refusals: number
  fail(error: Error): void
  succeed(data: unknown): void
}

/** A multiplexed connection that comes back after a loss. */
export class Connection {
  readonly #address: Address
  readonly #name: string
  readonly #timeout_ms: number
  /** Everything that is not settled, by id; ids are never used again. */
  readonly #calls = new Map<number, Call>()
  #queue: Call[] = []
  #flushScheduled = false
  #lastId = 0
  /** Takes new calls. */
  #channel: Channel | undefined
  /** Of daemons that shut down: open for the replies still due. */
  readonly #retired = new Set<Channel>()
  readonly #closing = new AbortController()

  /** @param timeout_ms of calls that do not say otherwise */
  constructor(address: Address, timeout_ms: number) {
    this.#address = address
    this.#name = nameOfAddress(address)
    this.#timeout_ms = checkTimeout(timeout_ms)
  }

  /** Fires when `close` is called. */
  get closing(): AbortSignal {
    return this.#closing.signal
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
    options: CallOptions = {},
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timeout_ms = checkTimeout(options.timeout_ms ?? this.#timeout_ms)
      this.#lastId += 1
      const id = this.#lastId
      if (this.#closing.signal.aborted) throw closed(command, 'not_executed')
      const settle = (): void => {
        unwatch()
        this.#settled(call)
      }
      const call: Call = {
        id,
        command,
        retry,
        frame: encode(id, command, params),
        channel: undefined,
        resent: false,
        refusal: undefined,
        refusals: 0,
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
      this.#calls.set(id, call)
      this.#enqueue(call)
      unwatch = watchLimits({ ...options, timeout_ms }, (code, cause) => {
        call.fail(this.#overLimit(call, code, timeout_ms, cause))
      })
    })
  }

  /** Rejects what is pending and closes; later calls are rejected too. */
  async close(): Promise<void> {
    this.#closing.abort()
    const channels = [...this.#retired, ...(this.#channel ? [this.#channel] : [])]
    this.#channel = undefined
    this.#retired.clear()
    const gone = channels.map((channel) => channel.destroy())
    for (const call of this.#calls.values()) call.fail(closed(call.command, outcomeOf(call)))
    await Promise.all(gone)
  }

  #enqueue(call: Call): void {
    call.channel = undefined
    this.#queue.push(call)
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    // After this turn of the event loop: the calls of all its callbacks share a write.
    setImmediate(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    this.#queue = this.#queue.filter((call) => this.#calls.has(call.id))
    if (this.#queue.length === 0) return
    this.#channel ??= new Channel(this.#address, {
      ready: () => this.#flush(),
      received: (channel, message) => this.#received(channel, message),
      ended: (channel, fault) => this.#ended(channel, fault),
    })
    const channel = this.#channel
    let next = 0
    while (channel.ready && next < this.#queue.length) {
      const frames: Buffer[] = []
      for (let bytes = 0; bytes < WRITE_BYTES && next < this.#queue.length; next += 1) {
        const call = this.#queue[next] as Call
        call.channel = channel
        frames.push(call.frame)
        bytes += call.frame.length
      }
      channel.write(Buffer.concat(frames))
    }
    this.#queue.splice(0, next)
  }

  #received(channel: Channel, message: unknown): void {
    const reply = readReply(message)
    const call = this.#calls.get(reply?.id as number)
    // An event, or a reply to a call that was given up.
    if (!reply || call?.channel !== channel) return
    if ('data' in reply) call.succeed(reply.data)
    else if (reply.refusal.error === 'shutting_down') this.#refused(call, channel, reply.refusal)
    else call.fail(new CommandError(call.command, reply.refusal))
  }

  /** A daemon that shuts down has not executed the call: the next one will, once it is there. */
  #refused(call: Call, channel: Channel, refusal: Refusal): void {
    call.refusal = new CommandError(call.command, refusal)
    if (this.#channel === channel) {
      this.#channel = undefined
      this.#retired.add(channel)
    }
    this.#enqueueLater(call)
    this.#closeIfDone(channel)
  }

  #enqueueLater(call: Call): void {
    call.channel = undefined
    const delay = backOffMs(call.refusals)
    call.refusals += 1
    setTimeout(() => {
      if (this.#calls.has(call.id)) this.#enqueue(call)
    }, delay).unref()
  }

  #ended(channel: Channel, fault: Error | undefined): void {
    this.#retired.delete(channel)
    if (this.#channel === channel) this.#channel = undefined
    if (!channel.connected) {
      const queue = this.#queue
      this.#queue = []
      for (const call of queue) {
        // While one daemon follows another there may be none for a moment.
        if (call.refusal) this.#enqueueLater(call)
        else call.fail(fault ?? closed(call.command, 'not_executed'))
      }
      return
    }
    for (const call of this.#calls.values()) {
      if (call.channel !== channel) continue
      if (fault instanceof ProtocolError) call.fail(fault)
      else if (call.retry === 'safe' && !call.resent) {
        call.resent = true
        this.#enqueue(call)
      } else call.fail(lost(call.command, this.#name, channel, fault))
    }
    if (this.#queue.length > 0) this.#flush()
  }

  #settled(call: Call): void {
    this.#calls.delete(call.id)
    if (call.channel) this.#closeIfDone(call.channel)
    // Nobody waits any more for a connection that is slow to open.
    if (this.#calls.size === 0 && this.#channel?.connected === false) {
      void this.#channel.destroy()
      this.#channel = undefined
    }
  }

  #closeIfDone(channel: Channel): void {
    if (!this.#retired.has(channel)) return
    for (const call of this.#calls.values()) if (call.channel === channel) return
    this.#retired.delete(channel)
    void channel.destroy()
  }

  #overLimit(
    call: Call,
    code: 'ERR_TIMEOUT' | 'ERR_ABORTED',
    timeout_ms: number,
    cause: unknown,
  ): Error {
    const outcome = outcomeOf(call)
    if (code === 'ERR_ABORTED') {
      return new TransportError(
        code,
        `${call.command} was aborted; ${say(outcome)}`,
        outcome,
        cause,
      )
    }
    if (call.refusal && outcome === 'not_executed') return call.refusal
    const message = `no reply to ${call.command} from ${this.#name} in ${timeout_ms} ms; ${say(outcome)}`
    return new TransportError(code, message, outcome)
  }
}

/**
 * A frame the daemon cannot read would cost everybody their connection, so it is checked as the
 * daemon will.
 */
function encode(id: number, command: string, params: object): Buffer {
  let frame: Buffer
  try {
    frame = encodeMsgpack({ id, command, params })
  } catch (error) {
    throw unsendable(command, (error as Error).message, error)
  }
  const body = frame.subarray(LENGTH_BYTES)
  if (body.length > MAX_FRAME_BYTES) {
    throw unsendable(command, `they are larger than ${MAX_FRAME_BYTES} bytes`)
  }
  const fault = findMsgpackFault(body)
  if (fault) throw unsendable(command, `${fault}; send what JSON can express`)
  return frame
}

function unsendable(command: string, why: string, cause?: unknown): ProtocolError {
  return new ProtocolError(`the params of ${command} cannot be sent: ${why}`, { cause })
}

function outcomeOf(call: Call): TransportError['outcome'] {
  return call.channel ? 'unknown' : 'not_executed'
}

function say(outcome: TransportError['outcome']): string {
  return outcome === 'unknown'
    ? 'its outcome is unknown: relyd may have executed it'
    : 'it was not executed'
}

function closed(command: string, outcome: TransportError['outcome']): TransportError {
  return new TransportError('ERR_CLOSED', `${command}: client closed; ${say(outcome)}`, outcome)
}

function lost(
  command: string,
  name: string,
  { wantedTls }: Channel,
  cause: Error | undefined,
): TransportError {
  const hint = wantedTls
    ? ". If relyd's listener there has TLS, the site's cfg needs tls_ca, tls_certificate and tls_key"
    : ''
  const message = `the connection to ${name} broke before the reply to ${command}; ${say('unknown')}${hint}`
  return new TransportError('ERR_CLOSED', message, 'unknown', cause)
}
