/** oxd-https-extension's form, over the built daemon: what its clients send, and what browsers do. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { askHttp } from '../support/ask_http.js'
import { TestDaemon } from '../support/daemon.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'
import { registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

const sections = `[listener web]
address = tcp:127.0.0.1:0
oxd_http = yes
[listener proxied]
address = unix:{folder}/http.sock
oxd_http = OXD.example.com
[listener guarded]
address = tcp:127.0.0.1:0
realm = guarded
oxd_http = yes
[realm guarded]
oxd_clients = 3.1
protect_commands_with_access_token = yes`

let op: Op
let daemon: TestDaemon
let port: number
let oxd_id: string

beforeAll(async () => {
  op = await startOp()
  daemon = await startOxdDaemon({
    daemon: { default_op: op.issuer, log_level: 'debug' },
    sections,
  })
  port = daemon.portOf(2)
  using wire = await Wire.connect(daemon.socket)
  oxd_id = await registerIssued(wire, op)
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

/** What a client writes, and all that it reads until the daemon closes. */
async function exchange(said: string): Promise<{ status: number; body: string }> {
  const socket = connect({ host: '127.0.0.1', port })
  await once(socket, 'connect')
  socket.write(said)
  const told = await text(socket)
  const [head = '', body = ''] = told.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), body }
}

/** oxdpython 3.1.3.1's HttpMessenger on urllib2, byte for byte. */
function asPython(command: string, params: object, token = ''): string {
  const body = JSON.stringify(params)
  const bearer = token === '' ? '' : `Authorization: Bearer ${token}\r\n`
  return `POST /${command} HTTP/1.1\r\nAccept-Encoding: identity\r\nContent-Length: ${body.length}\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: oxdpython/3.1.3.1\r\n${bearer}Connection: close\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${body}`
}

/** oxd-node 3.1.4's request.post, whose parameters have the configuration among them. */
function asNode(command: string, params: object): string {
  const body = JSON.stringify({
    ...params,
    https_extension: true,
    host: `http://127.0.0.1:${port}`,
    port: 8443,
  })
  return `POST /${command} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\naccept: application/json\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
}

test('trap 18: commands with dashes are answered 200 with an envelope, refusals too, to each client', async () => {
  for (const sent of [asPython, asNode]) {
    const good = await exchange(sent('get-authorization-url', { oxd_id, prompt: null }))
    const { status, data } = JSON.parse(good.body)
    expect({ http: good.status, status }).toEqual({ http: 200, status: 'ok' })
    expect(new URL(data.authorization_url).origin).toBe(new URL(op.issuer).origin)
    for (const [command, params, error] of [
      ['get-authorization-url', {}, 'bad_request'],
      ['uma-rs-protect', { oxd_id }, 'invalid_uma_request'],
      ['no-such-command', { oxd_id }, 'unsupported_operation'],
    ] as const) {
      const bad = await exchange(sent(command, params))
      expect({ command, http: bad.status }).toEqual({ command, http: 200 })
      expect(JSON.parse(bad.body)).toMatchObject({
        status: 'error',
        data: { error, error_description: expect.any(String) },
      })
    }
  }
  expect(await exchange('GET /health-check HTTP/1.1\r\nHost: localhost\r\n\r\n')).toEqual({
    status: 200,
    body: 'running',
  })
})

test('a stale token is no hindrance where commands are not protected, and stays out of the log', async () => {
  const secret = 'hunter2-hunter2-hunter2'
  const logged = () =>
    daemon.log.filter(
      ({ command, msg }) => command === 'get_authorization_url' && msg === 'command',
    ).length
  const before = logged()
  const { body } = await exchange(asPython('get-authorization-url', { oxd_id }, secret))
  expect(JSON.parse(body).status).toBe('ok')
  await expect.poll(logged).toBeGreaterThan(before)
  expect(daemon.output).not.toContain('hunter2')
})

test('where commands are protected, those without a token are forbidden', async () => {
  const post = (path: string) =>
    askHttp(daemon.portOf(4), path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ oxd_id }),
    })
  const { status, body } = await post('/get-authorization-url')
  expect({ status, body: JSON.parse(body) }).toEqual({
    status: 403,
    body: { status: 'error', data: { error: '403', error_description: 'Forbidden Access' } },
  })
  expect((await post('/get-client-token')).status).toBe(200)
  expect((await post('/setup-client')).status).toBe(200)
})

test('frames of oxd and of relyd are spoken on the same port', async () => {
  using client = await OxdWire.connect(port)
  expect(await client.ok('get_authorization_url', { oxd_id })).toHaveProperty('authorization_url')
  using wire = await Wire.connect({ host: '127.0.0.1', port })
  await wire.ok('ping')
})

test('a page in a browser gets nothing, neither by its own name nor from here', async () => {
  const post = (headers: Record<string, string>) =>
    askHttp(port, '/get-authorization-url', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ oxd_id }),
    })
  const own = `127.0.0.1:${port}`
  for (const headers of [
    {
      'content-type': 'text/plain',
      origin: 'https://evil.example',
      'sec-fetch-site': 'cross-site',
    },
    { 'content-type': 'text/plain' },
    { origin: `http://${own}`, 'sec-fetch-site': 'same-origin' },
    { host: `evil.example:${port}`, origin: `http://evil.example:${port}` },
    { host: `evil.example:${port}` },
  ]) {
    const { status, body } = await post(headers)
    expect({ headers, status }).toEqual({ headers, status: 403 })
    expect(body).not.toContain('authorization_url')
  }
  expect((await post({})).status).toBe(200)
})

test('behind a reverse proxy, its names count beside those of loopback', async () => {
  const path = `${daemon.folder}/http.sock`
  const ask = async (host: string) =>
    (await askHttp(path, '/health-check', { headers: { host } })).status
  expect(await ask('oxd.example.com')).toBe(200)
  expect(await ask('Oxd.Example.com:8443')).toBe(200)
  expect(await ask('localhost')).toBe(200)
  expect(await ask('www.example.com')).toBe(403)
})

test('what is too long, or ill-formed, is told so', async () => {
  const post = async (body: string) => {
    const headers = { 'content-type': 'application/json' }
    return (await askHttp(port, '/get-rp', { method: 'POST', headers, body })).status
  }
  expect(await post('{"oxd_id":')).toBe(400)
  expect(await post(JSON.stringify({ oxd_id: 'x'.repeat(1024 * 1024) }))).toBe(413)
})

test('a listener that was not told to speaks no HTTP', async () => {
  const socket = connect({ host: '127.0.0.1', port: daemon.port })
  socket.on('error', () => {})
  socket.write(asPython('get-authorization-url', { oxd_id }))
  const told = await text(socket)
  expect(told).toContain('this is the socket of relyd')
  expect(told).not.toContain('authorization_url')
})

test('a realm that does not serve oxd clients has no such listener', async () => {
  await using daemon = new TestDaemon({ sections })
  await expect(daemon.start()).rejects.toThrow(/oxd_http is for a realm with oxd_clients/)
})
