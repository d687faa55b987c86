/** oxd's commands by HTTP, as oxd-https-extension had them: one request a connection, for clients on this host. */
import { isUtf8 } from 'node:buffer'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isDeeperThan, jsonText, MAX_DEPTH, MAX_FRAME_BYTES } from '@relyd/sdk/framing'
import { CommandError } from '../errors.js'
import { isObject } from '../is_object.js'
import type { Buffers } from './buffers.js'
import { laneOf, stopping, type TimeLimits, tooLong } from './connection.js'
import type { Caller, Dispatch, OxdDispatch } from './dispatch.js'
import type { Request } from './envelope.js'
import { whyForeign } from './http_browsers.js'
import { type Answer, send } from './http_pages.js'
import type { Turns } from './turns.js'

/** Longest head of a request, in bytes: it holds a token, which may be a JWT. */
const HEAD_BYTES = 65_536

/** Milliseconds that a request on its way has when the daemon stops. */
const DRAIN_LONGEST = 1000

/** Those by which a client gets its first token. */
const WITHOUT_TOKEN = new Set(['setup_client', 'get_client_token'])

export interface HttpOxdOptions {
  dispatch: Dispatch
  turns: Turns
  buffers: Buffers
  /** The listener's, which may change. */
  limits: Readonly<TimeLimits>
  /** Names of this host beyond loopback's. */
  names: readonly string[]
}

/** @returns what takes a connection whose first byte is one of HTTP */
export function httpOxd(options: HttpOxdOptions): (socket: Socket) => HttpOxdConnection {
  const open = new WeakMap<Socket, HttpOxdConnection>()
  const server = createServer({ maxHeaderSize: HEAD_BYTES }, (request, response) => {
    const connection = open.get(request.socket)
    open.delete(request.socket)
    if (connection) void connection.serve(request, response)
    // What a client sends behind its request is not run. The connection ends before this is told.
    else response.writeHead(503).end()
  })
  // Time is measured by `check`.
  server.timeout = 0
  return (socket) => {
    const connection = new HttpOxdConnection(socket, options)
    open.set(socket, connection)
    server.emit('connection', socket)
    return connection
  }
}

/** Why a request is answered without being run. */
class Refusal extends Error {
  readonly status: number

  constructor(status: number, description: string) {
    super(description)
    this.status = status
  }
}

/** One connection, and its request. */
export class HttpOxdConnection implements Caller {
  readonly #socket: Socket
  readonly #options: HttpOxdOptions
  /** Since when its request has been arriving, or the answer been on its way; it has no end while the command runs. */
  #since = performance.now()
  #isRunning = false
  #isDraining = false
  #held = 0
  /** Of the reply. */
  #status = 200

  constructor(socket: Socket, options: HttpOxdOptions) {
    this.#socket = socket
    this.#options = options
    options.buffers.add(this)
    socket.setNoDelay(true)
    socket.once('close', () => options.buffers.remove(this))
  }

  /** Bytes of its body, as long as that is arriving. */
  get held(): number {
    return this.#held
  }

  get gone(): boolean {
    return this.#socket.destroyed
  }

  /** Nothing is subscribed to here. */
  deliver(): void {}

  encode(envelope: object): Buffer {
    this.#status = statusOf(envelope)
    const frame = Buffer.from(jsonText(envelope))
    if (frame.length <= MAX_FRAME_BYTES) return frame
    throw tooLong(`${MAX_FRAME_BYTES} bytes`)
  }

  drain(): void {
    this.#isDraining = true
    const giveUp = () => {
      if (!this.#isRunning) this.destroy()
    }
    setTimeout(giveUp, DRAIN_LONGEST).unref()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** @param now as `performance.now()` counts */
  check(now: number): void {
    const { frame_timeout } = this.#options.limits
    if (!this.#isRunning && now - this.#since > frame_timeout * 1000) this.destroy()
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer
    try {
      answer = await this.#answerTo(request)
    } catch (error) {
      // Otherwise it is the client that went away in the middle of its request.
      if (!(error instanceof Refusal)) return this.destroy()
      answer = this.#refused(error)
    }
    this.#since = performance.now()
    send(request, response, answer)
  }

  #refused({ status, message }: Refusal): Answer {
    const { dispatch } = this.#options
    dispatch.refuse(null, new CommandError('invalid_frame', message), dispatch.nextRequestId())
    const data = { error: String(status), error_description: message }
    return json(status, JSON.stringify({ status: 'error', data }))
  }

  async #answerTo(request: IncomingMessage): Promise<Answer> {
    const { dispatch, names } = this.#options
    const { method, url = '', headers } = request
    const why = whyForeign(request, names)
    if (why !== undefined) throw new Refusal(403, why)
    if (method === 'GET' && url === '/health-check') return { status: 200, text: 'running' }
    const [, dashed] = PATH.exec(url) ?? []
    const { oxd } = dispatch
    if (method !== 'POST' || dashed === undefined || !oxd) {
      throw new Refusal(404, 'there are POST /command-with-dashes and GET /health-check')
    }
    const command = dashed.toLowerCase().replaceAll('-', '_')
    const [, token] = BEARER.exec(headers.authorization ?? '') ?? []
    if (token === undefined && oxd.isProtected && !WITHOUT_TOKEN.has(command)) {
      throw new Refusal(403, 'Forbidden Access')
    }
    const params = {
      ...(await this.#params(request)),
      ...(token !== undefined && { protection_access_token: token }),
    }
    if (this.#isDraining) {
      const reply = oxd.refuse(null, stopping, oxd.nextRequestId())
      return json(200, this.encode(reply).toString())
    }
    const frame = await this.#run(oxd, { id: null, command, params })
    return json(this.#status, frame.toString())
  }

  async #run(oxd: OxdDispatch, request: Request): Promise<Buffer> {
    const account = oxd.accountOf(request)
    this.#isRunning = true
    try {
      await new Promise<void>((begin) => this.#options.turns.take(laneOf(oxd, account), begin))
      return await oxd.run(request, oxd.nextRequestId(), account, this)
    } finally {
      this.#isRunning = false
    }
  }

  async #params(request: IncomingMessage): Promise<Record<string, unknown>> {
    const body = await this.#body(request)
    let params: unknown
    try {
      params = isUtf8(body) && JSON.parse(body.toString())
    } catch {
      params = undefined
    }
    if (isObject(params) && !isDeeperThan(params, MAX_DEPTH)) return params
    throw new Refusal(400, 'the body must be the parameters, one JSON object in UTF-8')
  }

  async #body(request: IncomingMessage): Promise<Buffer> {
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length
      // Read to its end all the same: who is still writing does not hear the answer.
      if (length > MAX_FRAME_BYTES) chunks.length = 0
      else chunks.push(chunk)
      if (!this.#hold(length > MAX_FRAME_BYTES ? 0 : length)) {
        throw new Refusal(503, 'too many bytes wait for the rest of a request (buffer_megabytes)')
      }
    }
    this.#hold(0)
    if (length <= MAX_FRAME_BYTES) return Buffer.concat(chunks)
    throw new Refusal(413, `the body is longer than ${MAX_FRAME_BYTES} bytes`)
  }

  /** @returns whether it may */
  #hold(bytes: number): boolean {
    const grown = bytes - this.#held
    this.#held = bytes
    return this.#options.buffers.grow(this, grown)
  }
}

/** A host and a slash before it, as clients join them. */
const PATH = /^\/+([a-z\d-]{1,64})$/i

/** RFC 6750 2.1. */
const BEARER = /^Bearer +(\S+)$/i

function json(status: number, text: string): Answer {
  return { status, text, type: 'application/json' }
}

/** oxd-https-extension: an OP's failure keeps its status, and every other error is told in a good answer. */
function statusOf(envelope: object): number {
  const { data } = envelope as { data?: { error?: unknown } | null }
  const [, status] = /^http_status_([45]\d\d)$/.exec(String(data?.error)) ?? []
  return status === undefined ? 200 : Number(status)
}
