/** A connection that gets more events than its peer reads. */
import { encodeJson, MAX_FRAME_BYTES } from '@relyd/sdk/framing'
import { expect, test } from 'vitest'
import { type ConnectionPair, connectionPair } from '../../../test/support/connection_pair.js'
import { type DaemonEvent, EventHub } from '../events.js'
import type { Dispatch } from './dispatch.js'
import { errorReply } from './envelope.js'

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

/** One that gets events. */
async function pair(): Promise<ConnectionPair> {
  const subscribed = await connectionPair(dispatch)
  subscribed.peer.write(encodeJson({ id: 1, command: 'subscribe', params: {} }))
  await expect.poll(() => hub.has(subscribed.connection)).toBe(true)
  return subscribed
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
