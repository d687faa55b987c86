/** One connection: frames in by turns, requests run side by side or one after another, and their replies. */
import type { Socket } from 'node:net'
import { FrameError, MAX_FRAME_BYTES } from '@relyd/sdk/framing'
import { CommandError } from '../errors.js'
import type { DaemonEvent } from '../events.js'
import type { Buffers } from './buffers.js'
import type { Dialect, RequestFrame } from './dialects/dialect.js'
import { json } from './dialects/json.js'
import { oxd } from './dialects/oxd.js'
import type { Caller, Dispatch } from './dispatch.js'
import type { Request, RequestId } from './envelope.js'
import { InOrder } from './in_order.js'
import { Incoming } from './incoming.js'
import { Replies } from './replies.js'
import type { Turns } from './turns.js'

/** Bytes of replies that wait for the peer to read; beyond them nothing more is started for it. */
const UNREAD = MAX_FRAME_BYTES

/** Bytes that wait for the peer to read with which another event costs it the connection. */
const UNREAD_EVENTS = 2 * UNREAD

/** Milliseconds of quiet after which the kernel asks whether a peer on another host is there. */
const KEEP_ALIVE = 60_000

/** Why a reply is not sent. */
export const tooLong = (longest: string) =>
  new CommandError(
    'frame_too_large',
    `the reply is longer than ${longest} and cannot be sent; what the command changes is changed`,
  )

const unwritable = new CommandError('internal_error', 'the reply could not be written as a frame')

/** Why nobody answers an oxd client. */
export const noOxdClients = new CommandError(
  'unsupported_operation',
  'oxd clients are not served here; the operator may allow them by oxd_clients in the realm of relyd.cfg',
)

/** Why a request is not run. */
export const stopping = new CommandError('shutting_down', 'the daemon is stopping; connect again')

/** Milliseconds without a request after which a draining connection closes: what was sent before is read by then. */
const DRAIN_QUIET = 150

/** Milliseconds after which it closes also if its peer goes on sending, once what ran is answered. */
const DRAIN_LONGEST = 1000

/** Milliseconds that a closing connection waits for its peer to close too. */
const LINGER = 1000

/** Seconds, as the listener's options of these names. */
export interface TimeLimits {
  frame_timeout: number
  idle_timeout: number
}

export interface ConnectionOptions {
  dispatch: Dispatch
  turns: Turns
  buffers: Buffers
  /** The listener's, which may change. */
  limits: Readonly<TimeLimits>
  /** Answered instead of anything else, where the listener takes no further connection. */
  refusal?: CommandError | undefined
}

export class Connection implements Caller {
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  /** Of the dialect, once it is known. */
  #dispatch: Dispatch
  readonly #incoming = new Incoming()
  /** Where replies come in the order of their requests. */
  #order: InOrder | undefined
  #running = 0
  readonly #replies: Replies
  /** The site that this connection last spoke for; it waits among that site's. */
  #lane: string
  /** Whether a turn was asked for. */
  #queued = false
  #draining = false
  /** The peer sends no more, or nothing that could be read. */
  #inputEnded = false
  /** Counts what happens, to tell whether anything did in a quiet while. */
  #events = 0
  #ended = false
  /** Bytes that the listener's buffers count for this connection. */
  #held = 0
  #activeAt = performance.now()

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket
    this.#options = options
    this.#dispatch = options.dispatch
    this.#lane = laneOf(options.dispatch, '')
    this.#replies = new Replies(socket, () => {
      this.#count()
      if (this.#incoming.next) this.#pull()
    })
    options.buffers.add(this)
    if (options.refusal) setTimeout(() => socket.destroy(), LINGER).unref()
    socket.setNoDelay(true)
    // Who only waits for events sends nothing, and may vanish without a word.
    socket.setKeepAlive(true, KEEP_ALIVE)
    socket.on('data', (chunk) => this.#read(chunk))
    socket.on('drain', () => this.#pull())
    // The peer may half-close and still wait for its replies.
    socket.on('end', () => {
      this.#inputEnded = true
      this.#endIfIdle()
    })
    // A reset peer gets no replies; 'close' follows.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#stopReading()
      options.buffers.remove(this)
      options.dispatch.events.forget(this)
    })
  }

  /** Bytes held for this connection: of frames that did not arrive whole, and of unread replies. */
  get held(): number {
    return this.#held
  }

  get gone(): boolean {
    return this.#socket.destroyed
  }

  deliver(event: DaemonEvent): void {
    if (this.#ended || this.gone) return
    const frame = this.#dialect.encode(event)
    const { unread } = this.#replies
    // To lose the connection is a sign to subscribe again; a lost event would be none.
    if (frame.length > MAX_FRAME_BYTES || unread >= UNREAD_EVENTS) this.destroy()
    else this.#replies.push(frame)
  }

  encode(envelope: object): Buffer {
    const { encode, longest_reply } = this.#dialect
    let frame: Buffer
    try {
      frame = encode(envelope)
    } catch {
      // Whatever an encoder stumbles over came from outside, and must not end the process.
      throw unwritable
    }
    // The caller's decoder would give the whole connection up.
    if (frame.length > longest_reply.bytes) throw tooLong(longest_reply.told)
    return frame
  }

  /** Takes no new work: later requests are answered `shutting_down`, and the last reply closes. */
  drain(): void {
    this.#draining = true
    this.#resume()
    this.#endWhenQuiet(performance.now() + DRAIN_LONGEST)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /**
   * Ends what takes too long: a frame that does not arrive whole, replies that nobody reads, or a
   * connection that nobody uses.
   *
   * @param now as `performance.now()` counts
   */
  check(now: number): void {
    const { frame_timeout, idle_timeout } = this.#options.limits
    const over = (since: number | undefined, seconds: number) =>
      since !== undefined && now - since > seconds * 1000
    if (over(this.#replies.unreadSince, frame_timeout)) this.destroy()
    else if (this.#socket.isPaused()) {
      // What is not read cannot arrive.
      this.#incoming.waitAnew(now)
    } else if (over(this.#incoming.partialSince, frame_timeout)) {
      this.#refuse(`the frame did not arrive whole within ${frame_timeout} s (frame_timeout)`)
    } else if (this.#isQuiet() && over(this.#activeAt, idle_timeout)) {
      const stays = !this.#dialect.may_be_closed_idle || this.#dispatch.events.has(this)
      if (!stays) this.#end()
    }
  }

  /** Until it is known, the one that everybody can read. */
  get #dialect(): Dialect {
    return this.#incoming.dialect ?? json
  }

  #read(chunk: Buffer): void {
    if (this.#inputEnded) return
    const wasKnown = this.#incoming.dialect !== undefined
    this.#incoming.add(chunk)
    if (wasKnown || this.#choose()) this.#pull()
  }

  /** @returns whether there is a dialect to go on with */
  #choose(): boolean {
    const choice = this.#incoming.choose()
    if (choice === 'undecided') return false
    if ('refusal' in choice) {
      this.#refuse(choice.refusal)
      return false
    }
    if (choice.dialect.in_flight === 1) this.#order = new InOrder()
    const barred = this.#enter(choice.dialect)
    const { refusal = barred } = this.#options
    if (!refusal) return true
    this.#answerRefused(null, refusal)
    this.#stopReading()
    return false
  }

  /** Finds who answers in this dialect. @returns why nobody does */
  #enter(dialect: Dialect): CommandError | undefined {
    if (dialect !== oxd) return undefined
    const { oxd: of_oxd } = this.#options.dispatch
    if (!of_oxd) return noOxdClients
    this.#dispatch = of_oxd
    return undefined
  }

  /** Asks for a turn if there is a frame to handle, else for more bytes. */
  #pull(): void {
    if (this.#queued) return
    this.#incoming.decode()
    const { next } = this.#incoming
    if (!next) {
      this.#count()
      this.#resume()
      this.#endIfIdle()
      return
    }
    this.#socket.pause()
    // Replies, and their being read, make room for more; a copy is dropped, and needs none.
    if (this.#running >= this.#dialect.in_flight && !this.#order?.isCopy(next)) return
    if (this.#replies.unread >= UNREAD) return
    this.#queued = true
    this.#options.turns.take(this.#lane, () => {
      this.#queued = false
      const frame = this.#incoming.shift()
      if (frame) this.#start(frame)
      this.#pull()
    })
  }

  #start(frame: RequestFrame): void {
    this.#activeAt = performance.now()
    if (this.#order?.isCopy(frame)) return
    this.#order?.begin(frame)
    if ('error' in frame) {
      const { code, message, fatal } = frame.error
      this.#answerRefused(null, new CommandError(code, message))
      // What runs already is still answered; what follows cannot be told apart any more.
      if (fatal) this.#stopReading()
      return
    }
    const { id, request } = this.#dialect.readRequest(frame.message)
    if (request instanceof CommandError) this.#answerRefused(id, request)
    else if (this.#draining) this.#answerRefused(id, stopping)
    else this.#run(request)
  }

  #run(request: Request): void {
    const dispatch = this.#dispatch
    const account = dispatch.accountOf(request)
    const request_id = dispatch.nextRequestId()
    this.#lane = laneOf(dispatch, account)
    this.#answer(dispatch.run(request, request_id, account, this))
  }

  /** @param reply never rejects: the dispatcher answers its own failures */
  #answer(reply: Promise<Buffer>): void {
    this.#running += 1
    void (this.#order?.afterReading(reply) ?? reply).then((frame) => {
      this.#running -= 1
      this.#activeAt = performance.now()
      this.#order?.answered(this.#incoming.arrived)
      if (!this.#ended && !this.gone) this.#replies.push(frame)
      this.#pull()
    })
  }

  #answerRefused(id: RequestId, error: CommandError): void {
    if (this.#ended || this.gone) return
    const request_id = this.#dispatch.nextRequestId()
    const frame = this.encode(this.#dispatch.refuse(id, error, request_id))
    if (this.#order) this.#answer(Promise.resolve(frame))
    else this.#replies.push(frame)
  }

  #resume(): void {
    if (!this.#incoming.next && !this.#socket.writableNeedDrain) this.#socket.resume()
  }

  /** Tells the listener's buffers what is held here, and goes if that is too much. */
  #count(): void {
    const held = this.#incoming.pending + this.#socket.writableLength
    const grown = held - this.#held
    this.#held = held
    if (this.#options.buffers.grow(this, grown)) return
    // Replies that nobody reads would keep their bytes until the peer does.
    if (this.#socket.writableLength > 0) this.destroy()
    else this.#refuse('too many bytes wait for the rest of a frame (buffer_megabytes)')
  }

  #refuse(why: string): void {
    if (this.#order && this.#running > 0) {
      // Or it would be taken for the answer to what runs.
      this.#socket.pause()
      this.#incoming.fail(new FrameError('invalid_frame', why, true))
      return
    }
    this.#answerRefused(null, new CommandError('invalid_frame', why))
    this.#stopReading()
  }

  /** Reads no more: what follows could not be understood, or is not wanted. */
  #stopReading(): void {
    this.#inputEnded = true
    this.#incoming.clear()
    this.#endIfIdle()
  }

  #isQuiet(): boolean {
    return this.#running === 0 && this.#incoming.isEmpty
  }

  /** Closes if the peer sends no more and nothing is left to answer. */
  #endIfIdle(): void {
    this.#events += 1
    if (this.#inputEnded && this.#isQuiet()) this.#end()
  }

  /** Closes after a while without a request, or after the last answer when time is up. */
  #endWhenQuiet(longest: number): void {
    const events = this.#events
    const check = () => {
      if (this.#ended) return
      const over = performance.now() > longest && this.#running === 0
      if (over || (events === this.#events && this.#isQuiet())) this.#end()
      else this.#endWhenQuiet(longest)
    }
    // A busy turn lets timers fire before sockets are read; the immediate comes after reading.
    setTimeout(() => setImmediate(check), DRAIN_QUIET)
  }

  /**
   * Closes after the last reply has left. What still arrives is read and dropped for a moment:
   * closing a socket with unread bytes would reset it and take replies on their way along.
   */
  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#inputEnded = true
    process.nextTick(() => {
      this.#socket.end(() => setTimeout(() => this.#socket.destroy(), LINGER).unref())
      this.#socket.resume()
    })
  }
}

/** Whose turns the account's requests wait for. */
export function laneOf({ realm }: Dispatch, account: string): string {
  return `${realm} ${account}`
}
