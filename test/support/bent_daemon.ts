/** A daemon that does what a test tells it, for the SDK to meet: real sockets, its own answers. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { Times } from '../../sdk/src/channels.js'
import { Connection } from '../../sdk/src/connection.js'
import { encodeMsgpack, MSGPACK_MAGIC, MsgpackDecoder } from '../../sdk/src/framing/index.js'

/** A request as the peer sees it, with the means to answer. */
export interface Request {
  id: number
  command: string
  params: Record<string, unknown>
  socket: Socket
  /** Number of the connection it came over, from 0. */
  connection: number
  ok(data: unknown): void
  refuse(error: string, retryable?: boolean): void
}

export interface Peer {
  path: string
  server: Server
  sockets: Socket[]
  /** Commands in the order they came. */
  seen: string[]
}

/** Removed after the test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'relyd-sdk-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Listens on a Unix socket and hands every request to `answer`. */
export async function listen(
  answer: (request: Request) => void,
  path = join(newFolder(), 'relyd.sock'),
): Promise<Peer> {
  const peer: Peer = { path, server: createServer(), sockets: [], seen: [] }
  peer.server.on('connection', (socket) => {
    const connection = peer.sockets.push(socket) - 1
    const decoder = new MsgpackDecoder()
    let magicLeft = MSGPACK_MAGIC
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const magic = chunk.subarray(0, magicLeft.length)
      expect(magic).toEqual(magicLeft.subarray(0, magic.length))
      magicLeft = magicLeft.subarray(magic.length)
      for (const frame of decoder.push(chunk.subarray(magic.length))) {
        if ('error' in frame) throw frame.error
        const request = frame.message as Request
        peer.seen.push(request.command)
        const send = (message: object) => void socket.write(encodeMsgpack(message))
        answer({
          ...request,
          socket,
          connection,
          ok: (data) => send({ id: request.id, status: 'ok', data }),
          refuse: (error, retryable = false) =>
            send({
              id: request.id,
              status: 'error',
              data: { error, error_description: `it is ${error}`, retryable },
            }),
        })
      }
    })
  })
  peer.server.listen(path)
  await once(peer.server, 'listening')
  onTestFinished(() => stop(peer))
  return peer
}

/** Listens no more, and breaks its connections. */
export function stop({ server, sockets }: Peer): void {
  server.close()
  for (const socket of sockets) socket.destroy()
}

/** Closed after the test. */
export function connectTo(path: string, timeout_ms = 5000, times?: Times): Connection {
  const connection = new Connection({ path }, timeout_ms, times)
  onTestFinished(() => connection.close())
  return connection
}

export function transportError(code: string, outcome: string) {
  return expect.objectContaining({ name: 'TransportError', code, outcome })
}
