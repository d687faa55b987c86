/** A connection that gets more events than its peer reads. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeJson, MAX_FRAME_BYTES } from '@relyd/sdk/framing'
import { expect, onTestFinished, test } from 'vitest'
import { type DaemonEvent, EventHub } from '../events.js'
import { Buffers } from './buffers.js'
import { Connection } from './connection.js'
import type { Dispatch } from './dispatch.js'
import { errorReply } from './envelope.js'
import { Turns } from './turns.js'

const hub = new EventHub()

/** Knows no command but one that subscribes whoever sends it. */
const dispatch: Dispatch = {
  realm: 'default',
  events: hub,
  accountOf: () => '',
  nextRequestId: () => 'test-1',
  async run({ id }, _request_id, _account, caller) {
    hub.subscribe(caller, 'shop', ['logout'])
    return caller.encode({ id, status: 'ok', data: {} })
  },
  refuse: (id, error, request_id) => errorReply(id, error, request_id),
}

/** Both ends of a connection, over a Unix socket. */
async function pair(): Promise<{ peer: Socket; connection: Connection; closed: Promise<unknown> }> {
  const folder = mkdtempSync(join(tmpdir(), 'relyd-events-'))
  const server = createServer({ allowHalfOpen: true }).listen(join(folder, 'socket'))
  const accepted = once(server, 'connection')
  const peer = connect(join(folder, 'socket'))
  const [socket] = (await accepted) as [Socket]
  onTestFinished(() => {
    peer.destroy()
    socket.destroy()
    server.close()
    rmSync(folder, { recursive: true })
  })
  const connection = new Connection(socket, {
    dispatch,
    turns: new Turns(),
    buffers: new Buffers(128),
    limits: { frame_timeout: 30, idle_timeout: 3600 },
  })
  peer.write(encodeJson({ id: 1, command: 'subscribe', params: {} }))
  await expect.poll(() => hub.has(connection)).toBe(true)
  return { peer, connection, closed: once(socket, 'close') }
}

const event: DaemonEvent = {
  event: 'logout',
  data: { oxd_id: 'shop', issuer: 'https://op', session_ref: 'ref', sub: 'x'.repeat(200) },
}

const FRAME = encodeJson(event).length

test('who does not read loses the connection, before its backlog grows', async () => {
  const { peer, connection, closed } = await pair()
  peer.pause()
  let delivered = 0
  while (!connection.gone) {
    connection.deliver(event)
    delivered += 1
    if (delivered % 100 === 0) await new Promise(setImmediate)
  }
  await closed
  // What the kernel took besides is a few hundred KiB.
  expect(delivered * FRAME).toBeLessThan(4 * MAX_FRAME_BYTES)
  expect(delivered * FRAME).toBeGreaterThan(2 * MAX_FRAME_BYTES)
  expect(hub.isEmpty).toBe(true)
})

test('who reads gets every one, however many', async () => {
  const { peer, connection } = await pair()
  let bytes = 0
  peer.on('data', (chunk) => {
    bytes += chunk.length
  })
  const total = Math.ceil((8 * MAX_FRAME_BYTES) / FRAME)
  for (let sent = 0; sent < total; sent += 1) {
    connection.deliver(event)
    if (sent % 100 === 0) await new Promise(setImmediate)
  }
  await expect.poll(() => bytes).toBeGreaterThanOrEqual(total * FRAME)
  expect(connection.gone).toBe(false)
})

test('an event too large for a frame costs the connection, not the daemon', async () => {
  const { connection, closed } = await pair()
  const { data } = event
  connection.deliver({ ...event, data: { ...data, sub: 'x'.repeat(MAX_FRAME_BYTES) } })
  await closed
  expect(hub.has(connection)).toBe(false)
})
