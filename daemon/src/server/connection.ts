/** One connection: bytes in, requests run side by side, replies gathered into one write a turn. */
import type { Socket } from 'node:net'
import { type Decoder, type Frame, MAX_FRAME_BYTES } from '@relyd/sdk/framing'
import { CommandError } from '../errors.js'
import { chooseDialect, type Dialect, LONGEST_MAGIC } from './dialects/dialect.js'
import { json } from './dialects/json.js'
import type { Dispatch } from './dispatch.js'
import { errorReply, type Reply, type Request, readRequest } from './envelope.js'

/** Requests of one connection that run at the same time; further ones wait unread. */
const IN_FLIGHT = 256

/** Bytes of replies that wait for the peer to read; beyond them nothing more is started for it. */
const UNREAD = MAX_FRAME_BYTES

const tooLong = new CommandError(
  'frame_too_large',
  `the reply is longer than ${MAX_FRAME_BYTES} bytes; what the OP answers is too much`,
)

const unwritable = new CommandError('internal_error', 'the reply could not be written as a frame')

const stopping = new CommandError('shutting_down', 'the daemon is stopping; connect again')

/** Milliseconds without a request after which a draining connection closes: what was sent before is read by then. */
const DRAIN_QUIET = 50

/** Milliseconds that a closing connection waits for its peer to close too. */
const LINGER = 1000

export class Connection {
  readonly #socket: Socket
  readonly #dispatch: Dispatch
  #dialect: Dialect | undefined
  #decoder: Decoder | undefined
  #head = Buffer.alloc(0)
  #waiting: Frame[] = []
  #running = 0
  #out: Buffer[] = []
  #outBytes = 0
  #draining = false
  /** The peer sends no more, or nothing that could be read. */
  #inputEnded = false
  /** Counts what happens, to tell whether anything did in a quiet while. */
  #events = 0
  #ended = false

  constructor(socket: Socket, dispatch: Dispatch) {
    this.#socket = socket
    this.#dispatch = dispatch
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#read(chunk))
    socket.on('drain', () => this.#startWaiting())
    // The peer may half-close and still wait for its replies.
    socket.on('end', () => this.#finishInput())
    // A reset peer gets no replies; 'close' follows.
    socket.on('error', () => socket.destroy())
  }

  /** Takes no new work: later requests are answered `shutting_down`, and the last reply closes. */
  drain(): void {
    this.#draining = true
    this.#resume()
    this.#endIfIdle()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    if (this.#inputEnded) return
    let bytes: Buffer = chunk
    if (!this.#decoder) {
      this.#head = Buffer.concat([this.#head, chunk])
      const choice = chooseDialect(this.#head)
      if (choice === 'undecided') {
        // Blank so far, if longer than any magic: nothing that would have to be kept.
        if (this.#head.length > LONGEST_MAGIC) this.#head = Buffer.alloc(0)
        return
      }
      if ('refusal' in choice) {
        this.#refuse(choice.refusal)
        return
      }
      this.#dialect = choice.dialect
      this.#decoder = choice.dialect.decoder()
      bytes = this.#head.subarray(choice.dialect.magic.length)
      this.#head = Buffer.alloc(0)
    }
    for (const frame of this.#decoder.push(bytes)) this.#waiting.push(frame)
    this.#startWaiting()
    if (this.#waiting.length > 0) this.#socket.pause()
  }

  #start(frame: Frame): void {
    if ('error' in frame) {
      const { code, message, fatal } = frame.error
      this.#send(errorReply(null, new CommandError(code, message)))
      // What runs already is still answered; what follows cannot be told apart any more.
      if (fatal) this.#finishInput()
      return
    }
    const { id, request } = readRequest(frame.message)
    if (request instanceof CommandError) this.#send(errorReply(id, request))
    else if (this.#draining) this.#send(errorReply(id, stopping))
    else this.#run(request)
  }

  #run(request: Request): void {
    this.#running += 1
    // The dispatcher answers its own failures; nothing rejects here.
    void this.#dispatch(request).then((reply) => {
      this.#running -= 1
      this.#send(reply)
      this.#startWaiting()
    })
  }

  #startWaiting(): void {
    while (this.#running < IN_FLIGHT && this.#outBytes + this.#socket.writableLength < UNREAD) {
      const frame = this.#waiting.shift()
      if (!frame) break
      this.#start(frame)
    }
    this.#resume()
    this.#endIfIdle()
  }

  #send(reply: Reply): void {
    if (this.#ended) return
    const frame = this.#encode(reply)
    this.#out.push(frame)
    this.#outBytes += frame.length
    // After every promise of this turn: replies of one group commit leave in one write.
    if (this.#out.length === 1) process.nextTick(() => this.#flush())
  }

  #encode(reply: Reply): Buffer {
    const { encode } = this.#dialect ?? json
    try {
      const frame = encode(reply)
      // The caller's decoder would give the whole connection up.
      return frame.length <= MAX_FRAME_BYTES ? frame : encode(errorReply(reply.id, tooLong))
    } catch {
      // Whatever an encoder stumbles over came from outside, and must not end the process.
      return encode(errorReply(reply.id, unwritable))
    }
  }

  #flush(): void {
    const bytes = this.#out.length === 1 ? this.#out[0] : Buffer.concat(this.#out)
    this.#out = []
    this.#outBytes = 0
    // A peer that does not read its replies gets no further ones computed.
    if (bytes && !this.#socket.destroyed && !this.#socket.write(bytes)) this.#socket.pause()
    if (this.#waiting.length > 0) this.#startWaiting()
  }

  #resume(): void {
    if (this.#waiting.length === 0 && !this.#socket.writableNeedDrain) this.#socket.resume()
  }

  #refuse(why: string): void {
    this.#send(errorReply(null, new CommandError('invalid_frame', why)))
    this.#finishInput()
  }

  #finishInput(): void {
    this.#inputEnded = true
    this.#endIfIdle()
  }

  /** With nothing left to answer: at once when the peer sends no more, after a quiet while if it may. */
  #endIfIdle(): void {
    this.#events += 1
    if (this.#running > 0 || this.#waiting.length > 0) return
    if (this.#inputEnded) this.#end()
    else if (this.#draining) this.#endWhenQuiet(this.#events)
  }

  #endWhenQuiet(events: number): void {
    const check = () => {
      if (events === this.#events) this.#end()
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
    process.nextTick(() => {
      this.#socket.end(() => setTimeout(() => this.#socket.destroy(), LINGER).unref())
      this.#socket.resume()
    })
  }
}
