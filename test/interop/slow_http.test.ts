/** Who asks by HTTP and never comes to an end. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { askHttp } from '../support/ask_http.js'
import { TestDaemon } from '../support/daemon.js'

test('who never ends his request is cut off, and keeps nobody else out for longer', async () => {
  await using daemon = await TestDaemon.start({ daemon: { metrics_address: 'tcp:127.0.0.1:0' } })
  const slow = Array.from({ length: 20 }, () => connect(daemon.metrics_port, '127.0.0.1'))
  for (const socket of slow) {
    socket.on('error', () => {})
    socket.write('GET /metrics HTTP/1.1\r\nhost: localhost\r\n')
  }
  const began = performance.now()
  await Promise.all(slow.map((socket) => once(socket.resume(), 'close')))
  expect(performance.now() - began).toBeGreaterThan(2000)
  expect((await askHttp(daemon.metrics_port, '/healthz')).status).toBe(200)
}, 15_000)
