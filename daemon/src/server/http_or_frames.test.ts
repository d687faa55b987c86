/** A socket where HTTP is spoken beside the dialects: whoever speaks it has as long, and as much, as others. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { ListenerConfig } from '../config/config.js'
import { createLog } from '../log.js'
import type { Dispatch } from './dispatch.js'
import { errorReply } from './envelope.js'
import { Server } from './server.js'

const HEAD = 'GET / HTTP/1.1\r\nhost: relyd\r\n'

const dispatch: Dispatch = {
  realm: 'admin',
  events: { has: () => false, forget: () => {} },
  accountOf: () => '',
  nextRequestId: () => 'test-1',
  run: async ({ id }, _request_id, _account, caller) =>
    caller.encode({ id, status: 'ok', data: {} }),
  refuse: (id, error, request_id) => errorReply(id, error, request_id),
}

let server: Server
let path: string

beforeEach(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'relyd-http-'))
  path = join(folder, 'socket')
  server = new Server(createLog('silent'))
  const listener: ListenerConfig = {
    name: 'admin',
    realm: 'admin',
    address: { kind: 'unix', path, text: `unix:${path}` },
    mode: 0o600,
    tls: undefined,
    oxd_http: undefined,
    connections: 2,
    buffer_megabytes: 16,
    frame_timeout: 1,
    idle_timeout: 60,
  }
  const http = createServer((_, response) => response.end('answered'))
  await server.listen(listener, new Map([['admin', dispatch]]), { http })
  onTestFinished(async () => {
    await server.drain(0)
    rmSync(folder, { recursive: true })
  })
})

async function open(said = ''): Promise<Socket> {
  const socket = connect(path)
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(said)
  return socket
}

function places(): number | undefined {
  return server.listeners[0]?.connections
}

test.each([
  ['sends nothing', '', ''],
  ['never ends his request', HEAD, 'x'],
  ['stays after an answer', `${HEAD}\r\n`, ''],
  ['stays, and begins another request', `${HEAD}\r\n`, 'x'],
])('who %s is cut off in time, however he drips, and nobody else', async (_, said, drop) => {
  const speaks = await open('{"id":1,"command":"ping"}\n')
  const socket = await open(said)
  const began = performance.now()
  const dripping = setInterval(() => socket.write(drop), 100)
  // What drips after the cut is an error of the writer's.
  await new Promise((resolve) =>
    socket
      .on('error', () => {})
      .resume()
      .once('close', resolve),
  )
  clearInterval(dripping)
  expect(performance.now() - began).toBeLessThan(3000)
  // Whoever speaks a dialect has been there for longer, and may stay.
  await expect.poll(places).toBe(1)
  expect(speaks.destroyed).toBe(false)
})

test('who speaks HTTP, or has not spoken yet, takes a place; further ones are told so', async () => {
  await open()
  await open(HEAD)
  await expect.poll(places).toBe(2)
  expect(await text(await open(`${HEAD}\r\n`))).toMatch(/^HTTP\/1.1 503 /)
  expect(await text(await open('{"id":1,"command":"ping"}\n'))).toContain('quota_exceeded')
  await expect.poll(places).toBe(0)
  const asks = await open(`${HEAD}connection: close\r\n\r\n`)
  expect(await text(asks)).toContain('answered')
})
