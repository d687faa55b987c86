/** One connection: frames in by turns, requests run side by side or one after another, and their replies. */
import type { Socket } from 'node:net'
import { setTimeout as sleep, setImmediate as turnOfLoop } from 'node:timers/promises'
import { FrameError, MAX_FRAME_BYTES } from '@relyd/sdk/framing'
import { CommandError } from '../errors.js'
import type { DaemonEvent } from '../events.js'
import type { Buffers } from './buffers.js'
import {
  chooseDialect,
  type Dialect,
  LONGEST_MAGIC,
  type RequestDecoder,
  type RequestFrame,
} from './dialects/dialect.js'
import { json } from './dialects/json.js'
import { oxd } from './dialects/oxd.js'
import type { Caller, Dispatch } from './dispatch.js'
import type { Request, RequestId } from './envelope.js'
import { Replies } from './replies.js'
import type { SecondCopies } from './second_copies.js'
import type { Turns } from './turns.js'

/** Bytes that are decoded ahead of their turn, so that a chunk full of tiny frames takes no long while. */
const SLICE_BYTES = 2048

/** Bytes of replies that wait for the peer to read; beyond them nothing more is started for it. */
const UNREAD = MAX_FRAME_BYTES

/** Bytes that wait for the peer to read with which another event costs it the connection. */
const UNREAD_EVENTS = 2 * UNREAD

/**
 * Milliseconds that a connection's first reply waits where replies keep the order, unless the site's
 * client is known. PHP's writes each request twice, and its host may let the daemon answer before it
 * comes to the second time.
 */
const SECOND_COPY = 5

/** Milliseconds of quiet after which the kernel asks whether a peer on another host is there. */
const KEEP_ALIVE = 60_000

/** Why a reply is not sent. */
export const tooLong = (bytes: number) =>
  new CommandError(
    'frame_too_large',
    `the reply is longer than ${bytes} bytes and cannot be sent; what the command changes is changed`,
  )

const unwritable = new CommandError('internal_error', 'the reply could not be written as a frame')

const noOxdClients = new CommandError(
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
  copies: SecondCopies
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
  #dialect: Dialect | undefined
  #decoder: RequestDecoder | undefined
  #head = Buffer.alloc(0)
  /** Bytes that arrived and were not given to the decoder yet. */
  #unread: Buffer = Buffer.alloc(0)
  #waiting: RequestFrame[] = []
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
  /** When the frame that has not arrived whole began. */
  #partialSince: number | undefined
  #activeAt = performance.now()
  /** Whether a first request was, or is. */
  #answered = false

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket
    this.#options = options
    this.#dispatch = options.dispatch
    this.#lane = laneOf(options.dispatch, '')
    this.#replies = new Replies(socket, () => {
      this.#count()
      if (this.#waiting.length > 0) this.#pull()
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
    const frame = (this.#dialect ?? json).encode(event)
    const { unread } = this.#replies
    // To lose the connection is a sign to subscribe again; a lost event would be none.
    if (frame.length > MAX_FRAME_BYTES || unread >= UNREAD_EVENTS) this.destroy()
    else this.#replies.push(frame)
  }

  encode(envelope: object): Buffer {
    const dialect = this.#dialect ?? json
    let frame: Buffer
    try {
      frame = dialect.encode(envelope)
    } catch {
      // Whatever an encoder stumbles over came from outside, and must not end the process.
      throw unwritable
    }
    // The caller's decoder would give the whole connection up.
    if (frame.length > dialect.longest_reply) throw tooLong(dialect.longest_reply)
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
      if (this.#partialSince !== undefined) this.#partialSince = now
    } else if (over(this.#partialSince, frame_timeout)) {
      this.#partialSince = undefined
      this.#refuse(`the frame did not arrive whole within ${frame_timeout} s (frame_timeout)`)
    } else if (this.#isQuiet() && over(this.#activeAt, idle_timeout)) {
      const stays = this.#dialect?.may_be_closed_idle === false || this.#dispatch.events.has(this)
      if (!stays) this.#end()
    }
  }

  #read(chunk: Buffer): void {
    if (this.#inputEnded) return
    if (this.#decoder) {
      this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk])
    } else if (!this.#choose(chunk)) return
    this.#pull()
  }

  /** @returns whether the dialect is known by now */
  #choose(chunk: Buffer): boolean {
    this.#head = Buffer.concat([this.#head, chunk])
    const choice = chooseDialect(this.#head)
    if (choice === 'undecided') {
      this.#partialSince ??= performance.now()
      // Blank so far, if longer than any magic: nothing that would have to be kept.
      if (this.#head.length > LONGEST_MAGIC) this.#head = Buffer.alloc(0)
      return false
    }
    this.#partialSince = undefined
    if ('refusal' in choice) {
      this.#refuse(choice.refusal)
      return false
    }
    this.#dialect = choice.dialect
    this.#decoder = choice.dialect.decoder()
    const barred = this.#enter(choice.dialect)
    const { refusal = barred } = this.#options
    if (refusal) {
      this.#answerRefused(null, refusal)
      this.#stopReading()
      return false
    }
    this.#unread = this.#head.subarray(choice.dialect.magic.length)
    this.#head = Buffer.alloc(0)
    return true
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
    this.#decode()
    if (this.#waiting.length === 0) {
      this.#count()
      this.#resume()
      this.#endIfIdle()
      return
    }
    this.#socket.pause()
    // Replies, and their being read, make room for more.
    if (this.#running >= (this.#dialect?.in_flight ?? 0) && !this.#isRepeat) return
    if (this.#replies.unread >= UNREAD) return
    this.#queued = true
    this.#options.turns.take(this.#lane, () => {
      this.#queued = false
      const frame = this.#waiting.shift()
      if (frame) this.#start(frame)
      this.#pull()
    })
  }

  /** Decodes until there is a frame, or nothing is left to decode. */
  #decode(): void {
    const decoder = this.#decoder
    if (!decoder) return
    while (this.#waiting.length === 0 && this.#unread.length > 0) {
      const frames = decoder.push(this.#unread.subarray(0, SLICE_BYTES))
      this.#unread = this.#unread.subarray(SLICE_BYTES)
      this.#waiting = frames
      if (frames.length > 0) this.#partialSince = undefined
    }
    if (decoder.pending === 0) this.#partialSince = undefined
    else if (this.#waiting.length === 0) this.#partialSince ??= performance.now()
  }

  /** Whether replies come in the order of their requests. */
  get #isOrdered(): boolean {
    return this.#dialect?.in_flight === 1
  }

  /** Whether what waits is dropped in its turn, and need not wait for a reply. */
  get #isRepeat(): boolean {
    const [next] = this.#waiting
    return next !== undefined && 'repeat' in next
  }

  #start(frame: RequestFrame): void {
    this.#activeAt = performance.now()
    if ('repeat' in frame) return
    if ('error' in frame) {
      const { code, message, fatal } = frame.error
      this.#answerRefused(null, new CommandError(code, message))
      // What runs already is still answered; what follows cannot be told apart any more.
      if (fatal) this.#stopReading()
      return
    }
    const { id, request } = (this.#dialect ?? json).readRequest(frame.message)
    if (request instanceof CommandError) this.#answerRefused(id, request)
    else if (this.#draining) this.#answerRefused(id, stopping)
    else this.#run(request)
  }

  #run(request: Request): void {
    const dispatch = this.#dispatch
    const account = dispatch.accountOf(request)
    const request_id = dispatch.nextRequestId()
    this.#lane = laneOf(dispatch, account)
    this.#answer(dispatch.run(request, request_id, account, this), account)
  }

  /** @param reply never rejects: the dispatcher answers its own failures */
  #answer(reply: Promise<Buffer>, account = ''): void {
    this.#running += 1
    void (this.#isOrdered ? this.#afterReading(reply, account) : reply).then((frame) => {
      this.#running -= 1
      this.#activeAt = performance.now()
      if (!this.#ended && !this.gone) this.#replies.push(frame)
      this.#pull()
    })
  }

  /**
   * Waits until the socket was looked at once more: what has come by then was sent without waiting for
   * the reply, and may be what is answered, for a second time.
   */
  async #afterReading(reply: Promise<Buffer>, account: string): Promise<Buffer> {
    const { copies } = this.#options
    const isFirst = !this.#answered
    this.#answered = true
    const waits = isFirst && copies.mayFollow(account)
    const [frame] = await Promise.all([reply, waits && sleep(SECOND_COPY)])
    // The first may come before the event loop reads, the second comes behind it.
    await turnOfLoop()
    await turnOfLoop()
    const came = this.#decoder?.answered?.() ?? false
    if (isFirst || came) copies.note(account, came)
    return frame
  }

  #answerRefused(id: RequestId, error: CommandError): void {
    if (this.#ended || this.gone) return
    const request_id = this.#dispatch.nextRequestId()
    const frame = this.encode(this.#dispatch.refuse(id, error, request_id))
    if (this.#isOrdered) this.#answer(Promise.resolve(frame))
    else this.#replies.push(frame)
  }

  #resume(): void {
    if (this.#waiting.length === 0 && !this.#socket.writableNeedDrain) this.#socket.resume()
  }

  /** Tells the listener's buffers what is held here, and goes if that is too much. */
  #count(): void {
    const held = (this.#decoder?.pending ?? 0) + this.#socket.writableLength
    const grown = held - this.#held
    this.#held = held
    if (this.#options.buffers.grow(this, grown)) return
    // Replies that nobody reads would keep their bytes until the peer does.
    if (this.#socket.writableLength > 0) this.destroy()
    else this.#refuse('too many bytes wait for the rest of a frame (buffer_megabytes)')
  }

  #refuse(why: string): void {
    if (this.#isOrdered && this.#running > 0) {
      // Or it would be taken for the answer to what runs.
      this.#socket.pause()
      this.#waiting = [{ error: new FrameError('invalid_frame', why, true) }]
      return
    }
    this.#answerRefused(null, new CommandError('invalid_frame', why))
    this.#stopReading()
  }

  /** Reads no more: what follows could not be understood, or is not wanted. */
  #stopReading(): void {
    this.#inputEnded = true
    this.#waiting = []
    this.#unread = Buffer.alloc(0)
    this.#decoder = undefined
    this.#partialSince = undefined
    this.#endIfIdle()
  }

  #isQuiet(): boolean {
    return this.#running === 0 && this.#waiting.length === 0 && this.#unread.length === 0
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
