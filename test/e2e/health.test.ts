/** /healthz and /readyz: alive, ready, and in words why not; and who may ask. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askHttp } from '../support/ask_http.js'
import { TestDaemon } from '../support/daemon.js'
import { Scrape } from '../support/scrape.js'
import { Wire } from '../support/wire.js'

const options = { daemon: { metrics_address: 'tcp:127.0.0.1:0' } }

let daemon: TestDaemon

beforeAll(async () => {
  daemon = await TestDaemon.start(options)
})

afterAll(() => daemon[Symbol.asyncDispose]())

async function readyz(daemon: TestDaemon): Promise<[status: number, text: string]> {
  const { status, body } = await askHttp(daemon.metrics_port, '/readyz')
  return [status, body]
}

describe.each([
  ['the admin socket', () => daemon.admin_socket],
  ['the loopback port', () => daemon.metrics_port],
])('over %s', (_, where) => {
  test('a daemon at work is alive, ready and measured', async () => {
    expect(await askHttp(where(), '/healthz')).toMatchObject({ status: 200, body: 'alive\n' })
    expect(await askHttp(where(), '/readyz')).toMatchObject({ status: 200, body: 'ready\n' })
    const { status, headers } = await askHttp(where(), '/metrics?any=thing')
    expect([status, headers['content-type']]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ])
  })

  test('GET and HEAD of these pages is all there is', async () => {
    const head = await askHttp(where(), '/metrics', { method: 'HEAD' })
    expect([head.status, head.body]).toEqual([200, ''])
    expect(Number(head.headers['content-length'])).toBeGreaterThan(1000)
    expect((await askHttp(where(), '/')).status).toBe(404)
    expect((await askHttp(where(), '/constructor')).status).toBe(404)
    expect((await askHttp(where(), 'http://elsewhere/metrics')).status).toBe(404)
    const post = await askHttp(where(), '/metrics', { method: 'POST', body: 'x' })
    expect([post.status, post.headers['allow']]).toEqual([405, 'GET, HEAD'])
    expect((await askHttp(where(), '/metrics', { body: 'x' })).status).toBe(400)
    const long = { headers: { x: 'x'.repeat(9000) } }
    expect((await askHttp(where(), '/metrics', long)).status).toBe(431)
    // A page of another site may ask, and learns nothing.
    const { headers } = await askHttp(where(), '/metrics', { headers: { origin: 'https://evil' } })
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})

test.each([
  ['127.0.0.1', 200],
  ['127.0.0.1:9464', 200],
  ['localhost:1', 200],
  ['[::1]:9464', 200],
  ['rebound.example', 421],
  ['127.0.0.1.evil.example', 421],
  ['localhost.evil.example:9464', 421],
  ['[::1].evil.example', 421],
  ['[::2]', 421],
  ['10.0.0.1', 421],
])('the port answers a request for %s with %i', async (host, status) => {
  expect((await askHttp(daemon.metrics_port, '/metrics', { headers: { host } })).status).toBe(
    status,
  )
})

test('who has asked keeps no place at the port, whatever he would like', async () => {
  const asking = Array.from({ length: 20 }, () => connect(daemon.metrics_port, '127.0.0.1'))
  const head = 'host: localhost\r\nconnection: keep-alive\r\n\r\n'
  const answers = asking.map(async (socket) => {
    socket.write(`GET /healthz HTTP/1.1\r\n${head}`)
    return text(socket)
  })
  for (const answer of await Promise.all(answers)) expect(answer).toContain('alive')
  expect((await askHttp(daemon.metrics_port, '/healthz')).status).toBe(200)
})

test('the admin socket speaks its dialects beside HTTP, on other connections', async () => {
  using json = await Wire.connect(daemon.admin_socket)
  using msgpack = await Wire.connect(daemon.admin_socket, 'msgpack')
  expect(await json.ok('status')).toMatchObject({ pid: daemon.pid })
  expect(await msgpack.ok('status')).toMatchObject({ pid: daemon.pid })
  expect((await askHttp(daemon.admin_socket, '/healthz')).status).toBe(200)
  // On a socket of sites there is no HTTP.
  await expect(askHttp(daemon.socket, '/metrics')).rejects.toThrow()
})

test('a port that is taken keeps the daemon from starting, in words', async () => {
  const other = new TestDaemon({
    daemon: { metrics_address: `tcp:127.0.0.1:${daemon.metrics_port}` },
  })
  await using _ = other
  await expect(other.start()).rejects.toThrow(/metrics_address cannot listen .* in use/)
})

test('a store that takes no writes, as on a full disk, makes the daemon unready until it does', async () => {
  await using full = await TestDaemon.start(options)
  const allow = (bytes: string) =>
    execFileSync('prlimit', ['--pid', String(full.pid), `--fsize=${bytes}`])
  const because = [503, expect.stringContaining('the store takes no writes')]
  expect(await readyz(full)).toEqual([200, 'ready\n'])
  allow('1:unlimited')
  await expect.poll(() => readyz(full), { timeout: 10_000 }).toEqual(because)
  expect((await askHttp(full.metrics_port, '/healthz')).status).toBe(200)
  expect(
    (await Scrape.of(full.metrics_port)).value('relyd_store_commits_total', { outcome: 'failed' }),
  ).toBeGreaterThan(0)
  expect(await readyz(full)).toEqual(because)
  allow('unlimited')
  await expect.poll(() => readyz(full), { timeout: 10_000 }).toEqual([200, 'ready\n'])
  // Told once each.
  const told = () =>
    full.log
      .filter(({ msg }) => msg.startsWith('the store takes'))
      .map(({ level, msg }) => [level, msg])
  await expect.poll(told).toEqual([
    [50, 'the store takes no writes'],
    [30, 'the store takes writes again'],
  ])
})

test('a daemon that drains is alive, and not ready', async () => {
  await using stopping = await TestDaemon.start(options)
  using wire = await Wire.connect(stopping.socket)
  let answer = () => {}
  const slow = createServer((_request, response) => {
    answer = () => response.writeHead(404).end()
    slow.emit('asked')
  }).listen(0, '127.0.0.1')
  await once(slow, 'listening')
  const asked = once(slow, 'asked')
  const reply = wire.call('register_site', {
    op_host: `http://127.0.0.1:${(slow.address() as AddressInfo).port}`,
    authorization_redirect_uri: 'https://site.example/callback',
  })
  await asked
  const stopped = stopping.stop()
  await expect.poll(() => readyz(stopping)).toEqual([503, 'stopping: no new work is taken\n'])
  expect((await askHttp(stopping.metrics_port, '/healthz')).status).toBe(200)
  answer()
  await reply
  expect(await stopped).toBe(0)
  await expect(readyz(stopping)).rejects.toThrow()
  slow.close()
})
