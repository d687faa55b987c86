/** What programs that look after the daemon ask by HTTP: its metrics, whether it lives, whether it is ready. */
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { Metrics } from '../metrics/metrics.js'
import type { Readiness } from '../readiness.js'

export interface Answer {
  status: number
  text: string
  type?: string
}

type Page = () => Promise<Answer>

/** Longest head of a request, in bytes. */
const HEAD_BYTES = 8192

/** Milliseconds for a request to arrive, and for an answer to be made and taken. */
const ARRIVAL = 5000
const IDLE = 60_000

export interface HttpOptions {
  metrics: Metrics
  readiness: Readiness
  /** Refuses what was sent for another host, by the request's Host. */
  isOurs?: (host: string | undefined) => boolean
}

/** A server that answers its connections, wherever they come from. */
export function createHttpServer({
  metrics,
  readiness,
  isOurs = () => true,
}: HttpOptions): HttpServer {
  const pages: Record<string, Page> = {
    '/metrics': async () => ({
      status: 200,
      type: metrics.contentType,
      text: await metrics.text(),
    }),
    // That it is answered says that the event loop turns.
    '/healthz': async () => ({ status: 200, text: 'alive\n' }),
    '/readyz': async () => {
      const obstacle = await readiness.obstacle()
      return obstacle === undefined
        ? { status: 200, text: 'ready\n' }
        : { status: 503, text: `${obstacle}\n` }
    },
  }
  const limits = {
    maxHeaderSize: HEAD_BYTES,
    headersTimeout: ARRIVAL,
    requestTimeout: ARRIVAL,
    connectionsCheckingInterval: 1000,
  }
  const server = createServer(limits, (request, response) => {
    void answerOf(request, pages, isOurs).then(
      (answer) => send(request, response, answer),
      () => send(request, response, { status: 500, text: 'failed\n' }),
    )
  })
  server.timeout = IDLE
  return server
}

async function answerOf(
  { method, url = '', headers }: IncomingMessage,
  pages: Record<string, Page>,
  isOurs: (host: string | undefined) => boolean,
): Promise<Answer> {
  // A page of elsewhere whose name was made to mean this host (DNS rebinding).
  if (!isOurs(headers.host)) return { status: 421, text: 'this is no host of that name\n' }
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, text: 'GET or HEAD\n' }
  if (headers['transfer-encoding'] || Number(headers['content-length'] ?? 0) !== 0) {
    return { status: 400, text: 'a request has no body here\n' }
  }
  const path = url.split('?', 1)[0] as string
  if (!Object.hasOwn(pages, path)) {
    return { status: 404, text: `there are ${Object.keys(pages).join(', ')}\n` }
  }
  return (pages[path] as Page)()
}

/** Answers, and closes the connection. */
export function send(
  { method }: IncomingMessage,
  response: ServerResponse,
  { status, text, type = 'text/plain; charset=utf-8' }: Answer,
): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    ...(status === 405 && { allow: 'GET, HEAD' }),
    // Whoever asks now and then keeps no place, and a body is no further request.
    connection: 'close',
  })
  response.end(method === 'HEAD' ? undefined : text)
}
