/** A daemon that is told to stop under load answers what it took, and loses nothing. */

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { registerIssued } from '../support/site.js'
import { type Reply, Wire } from '../support/wire.js'

const CONNECTIONS = 8
const EACH = 200

test('drain under load loses no reply, and ends with exit code 0', async () => {
  const op = await startOp()
  await using daemon = await TestDaemon.start({ record: false })
  using setup = await Wire.connect(daemon.socket)
  const oxd_id = await registerIssued(setup, op)
  await op.close()
  const wires = await Promise.all(
    Array.from({ length: CONNECTIONS }, (_, n) =>
      Wire.connect(n % 2 ? daemon.socket : { port: daemon.port }, n % 4 < 2 ? 'json' : 'msgpack'),
    ),
  )
  const replies: Promise<Reply>[] = []
  for (const wire of wires) {
    for (let n = 0; n < EACH; n += 1) replies.push(wire.call('get_authorization_url', { oxd_id }))
  }
  // The first reply shows that the daemon is in the midst of them.
  await replies[0]
  const stopped = daemon.stop()
  // Each goes on until it is told that the daemon stops: nothing may go unanswered until then.
  const told = wires.map(async (wire) => {
    for (;;) {
      const reply = wire.call('get_authorization_url', { oxd_id })
      replies.push(reply)
      if ((await reply).data.error === 'shutting_down') return
    }
  })
  await Promise.all(told)
  const settled = await Promise.allSettled(replies)
  expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(0)
  const outcomes = new Set(
    settled.map((one) => {
      const { status, data } = (one as PromiseFulfilledResult<Reply>).value
      return status === 'ok' ? 'ok' : data.error
    }),
  )
  expect([...outcomes]).toEqual(['ok', 'shutting_down'])
  expect(await stopped).toBe(0)
  await Promise.all(wires.map(({ closed }) => closed))
})

test('a command that waits for its OP finishes while the daemon drains', async () => {
  let answer = () => {}
  const slow = createServer((_request, response) => {
    answer = () => response.writeHead(404).end()
    slow.emit('asked')
  })
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve))
  const op_host = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`
  await using daemon = await TestDaemon.start()
  using wire = await Wire.connect(daemon.socket)
  const asked = once(slow, 'asked')
  const running = wire.call('register_site', {
    op_host,
    authorization_redirect_uri: 'http://site.example/callback',
  })
  await asked
  const stopped = daemon.stop()
  // Refused from now on, over the connection that still waits.
  await expect.poll(async () => (await wire.call('ping')).status).toBe('error')
  answer()
  expect((await running).data.error).toBe('no_connect_discovery_response')
  expect(await stopped).toBe(0)
  slow.close()
})

test('a command that never ends is cut after drain_timeout', async () => {
  const silent = createServer(() => silent.emit('asked'))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const op_host = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  await using daemon = await TestDaemon.start({ daemon: { drain_timeout: 0 } })
  using wire = await Wire.connect(daemon.socket)
  const asked = once(silent, 'asked')
  const lost = wire.call('register_site', {
    op_host,
    authorization_redirect_uri: 'http://site.example/callback',
  })
  await asked
  const [code] = await Promise.all([daemon.stop(), expect(lost).rejects.toThrow('closed')])
  expect(code).toBe(0)
  silent.closeAllConnections()
  silent.close()
})
