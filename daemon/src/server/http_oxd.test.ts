/** oxd by HTTP on a listener of its own: what is let in, what becomes of it, and how long and how much it may be. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { askHttp } from '../../../test/support/ask_http.js'
import { closed } from '../../../test/support/closed.js'
import type { ListenerConfig } from '../config/config.js'
import { createLog } from '../log.js'
import type { Dispatch, OxdDispatch } from './dispatch.js'
import { errorReply, type Request } from './envelope.js'
import { Server } from './server.js'

/** What got as far as the commands. */
let ran: Request[]
let refused: string[]
/** What the next command answers, once it is there. */
let answer: Promise<object>
let isProtected: boolean
let server: Server
let path: string

const common: Dispatch = {
  realm: 'default',
  events: { has: () => false, forget: () => {} },
  accountOf: () => '',
  nextRequestId: () => 'test-1',
  async run(request, _request_id, _account, caller) {
    ran.push(request)
    return caller.encode(await answer)
  },
  refuse(id, error, request_id) {
    refused.push(error.message)
    return errorReply(id, error, request_id)
  },
}
const oxd: OxdDispatch = {
  ...common,
  get isProtected() {
    return isProtected
  },
}

beforeEach(async () => {
  ran = []
  refused = []
  answer = Promise.resolve({ status: 'ok', data: { café: null } })
  isProtected = false
  const folder = mkdtempSync(join(tmpdir(), 'relyd-oxd-http-'))
  path = join(folder, 'socket')
  server = new Server(createLog('silent'))
  const listener: ListenerConfig = {
    name: 'oxd',
    realm: 'default',
    address: { kind: 'unix', path, text: `unix:${path}` },
    mode: 0o600,
    tls: undefined,
    oxd_http: ['oxd.example'],
    connections: 4,
    buffer_megabytes: 2,
    frame_timeout: 1,
    idle_timeout: 60,
  }
  await server.listen(listener, new Map([['default', { ...common, oxd }]]))
  onTestFinished(async () => {
    await server.drain(0)
    rmSync(folder, { recursive: true })
  })
})

const JSON_TYPE = { 'content-type': 'application/json' }

function post(headers: Record<string, string> = {}, body = '{"oxd_id":"x"}', url = '/get-rp') {
  return askHttp(path, url, { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body })
}

test('the path is the command, the body its parameters, and the answer closes', async () => {
  const { status, headers, body } = await post({}, '{"oxd_id":"é","rpt":null}')
  expect(ran).toEqual([{ id: null, command: 'get_rp', params: { oxd_id: 'é', rpt: null } }])
  expect({ status, body: JSON.parse(body) }).toEqual({
    status: 200,
    body: { status: 'ok', data: { café: null } },
  })
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    connection: 'close',
    'cache-control': 'no-store',
  })
  const cors = Object.keys(headers).filter((name) => name.startsWith('access-control'))
  expect(cors).toEqual([])
})

test('hosts with a slash at their end, and commands in capitals, are understood', async () => {
  await post({}, '{}', '//Get-RP')
  expect(ran[0]?.command).toBe('get_rp')
})

test.each([
  ['http_status_401', 401],
  ['http_status_503', 503],
  ['http_status_200', 200],
  ['http_status_4040', 200],
  ['internal_error', 200],
])('%s is answered with %i', async (error, status) => {
  answer = Promise.resolve({ status: 'error', data: { error, error_description: 'of the OP' } })
  const told = await post()
  expect(told.status).toBe(status)
  expect(JSON.parse(told.body).data.error).toBe(error)
})

test('a Bearer token becomes a parameter, whatever the body says of it', async () => {
  await post({ authorization: 'Bearer a-token' }, '{"protection_access_token":"another"}')
  await post({ authorization: 'Basic YTpi' }, '{"protection_access_token":"another"}')
  expect(ran.map(({ params }) => params['protection_access_token'])).toEqual(['a-token', 'another'])
})

test('where commands are protected, all but the two that lead to a token need one', async () => {
  isProtected = true
  for (const headers of [{}, { authorization: 'Bearer ' }, { authorization: 'Basic YTpi' }]) {
    const { status, body } = await post(headers, '{"protection_access_token":"in the body"}')
    expect({ status, body: JSON.parse(body) }).toEqual({
      status: 403,
      body: { status: 'error', data: { error: '403', error_description: 'Forbidden Access' } },
    })
  }
  expect(ran).toEqual([])
  await post({ authorization: 'Bearer a-token' })
  await post({}, '{}', '/setup-client')
  await post({}, '{}', '/get-client-token')
  expect(ran.map(({ command }) => command)).toEqual(['get_rp', 'setup_client', 'get_client_token'])
})

test.each<[what: string, request: Parameters<typeof askHttp>[2] & { url?: string }]>([
  ['of a page, to another origin', { headers: { origin: 'https://evil.example' } }],
  ['of a page in a frame without origin', { headers: { origin: 'null' } }],
  ['of a page that says it is from here', { headers: { origin: 'http://127.0.0.1:8099' } }],
  ['with the marks of a browser', { headers: { 'sec-fetch-site': 'none' } }],
  ['of a form', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
  ['of a form with a file', { headers: { 'content-type': 'multipart/form-data; boundary=x' } }],
  ['of a form of text', { headers: { 'content-type': 'text/plain' } }],
  ['of a text that only begins like JSON', { headers: { 'content-type': 'application/jsonx' } }],
  ['of a text that names JSON', { headers: { 'content-type': 'text/plain; a=application/json' } }],
  ['without a type', { headers: { 'content-type': '' } }],
  ['after DNS rebinding', { headers: { host: 'evil.example:8099' } }],
  ['of a name that begins like ours', { headers: { host: 'oxd.example.evil.example' } }],
  ['of a name that begins like loopback', { headers: { host: '127.0.0.1.evil.example' } }],
  ['asking first', { method: 'OPTIONS', headers: { 'access-control-request-method': 'POST' } }],
  ['looking for the daemon', { method: 'GET', url: '/health-check', headers: { origin: 'null' } }],
])('a request %s is refused', async (_, { url = '/get-rp', method = 'POST', headers }) => {
  const body = method === 'POST' ? '{}' : undefined
  const told = await askHttp(path, url, {
    method,
    headers: { ...JSON_TYPE, ...headers },
    ...(body !== undefined && { body }),
  })
  expect(told.status).toBe(403)
  expect(Object.keys(told.headers).join(' ')).not.toContain('access-control')
  expect(ran).toEqual([])
  expect(refused).toHaveLength(1)
})

test.each(['localhost', 'localhost:8099', '127.0.0.1:8099', '[::1]:8099', 'OXD.example:443'])(
  'a request for %s is ours',
  async (host) => {
    expect((await post({ host })).status).toBe(200)
  },
)

test('a request without Host is nobody’s', async () => {
  const socket = await open('POST /get-rp HTTP/1.0\r\ncontent-type: application/json\r\n\r\n')
  expect(await text(socket)).toMatch(/^HTTP\/1.1 403 /)
})

test('health-check says that it runs; other pages are not there', async () => {
  const health = await askHttp(path, '/health-check')
  expect({ status: health.status, body: health.body }).toEqual({ status: 200, body: 'running' })
  for (const [method, url] of [
    ['GET', '/get-rp'],
    ['GET', '/'],
    ['PUT', '/get-rp'],
    ['POST', '/'],
    ['POST', '/get-rp/x'],
    ['POST', '/get-rp?x=y'],
    ['POST', '/../get-rp'],
  ] as const) {
    const { status } = await askHttp(path, url, { method, headers: JSON_TYPE })
    expect({ method, url, status }).toEqual({ method, url, status: 404 })
  }
  expect(ran).toEqual([])
})

test.each([
  ['nothing', ''],
  ['half a text', '{"oxd_id":'],
  ['a list', '[]'],
  ['null', 'null'],
  ['a text', '"x"'],
  ['a frame', '0002{}'],
  ['levels without end', `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`],
])('a body that is %s is a bad request', async (_, body) => {
  expect((await post({}, body)).status).toBe(400)
  expect(ran).toEqual([])
})

test('bytes that are no UTF-8 are a bad request', async () => {
  const socket = await open(head(4))
  socket.write(Buffer.from([0x22, 0xff, 0xfe, 0x22]))
  expect(await text(socket)).toMatch(/^HTTP\/1.1 400 /)
})

test('a body beyond 1 MiB is refused, in a readable answer, however it is sent', async () => {
  const body = JSON.stringify({ long: 'x'.repeat(1024 * 1024) })
  expect((await post({}, body)).status).toBe(413)
  expect((await post({ 'transfer-encoding': 'chunked' }, body)).status).toBe(413)
  expect(ran).toEqual([])
  expect((await post({}, JSON.stringify({ long: 'x'.repeat(1024 * 1024 - 11) }))).status).toBe(200)
})

/** What came until the daemon closed, which may be while the body is still being written. */
function toldUntilClosed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => {})
  return new Promise((resolve) =>
    socket.once('close', () => resolve(Buffer.concat(chunks).toString())),
  )
}

test('bodies on their way count among the bytes of the listener', async () => {
  const big = 1024 * 1024
  const sockets = await Promise.all(Array.from({ length: 4 }, () => open(head(big))))
  for (const socket of sockets) socket.write(Buffer.alloc(big - 1, 0x20))
  const told = await Promise.all(sockets.map(toldUntilClosed))
  expect(told.filter((one) => /^HTTP\/1.1 503 /.test(one)).length).toBeGreaterThan(0)
  // Those that were held are cut off in time, and then nothing is held.
  expect(told).toContain('')
  await expect.poll(() => server.listeners[0]?.connections).toBe(0)
  expect((await post({}, JSON.stringify({ long: 'x'.repeat(1000 * 1000) }))).status).toBe(200)
})

test('who sends nothing, or never ends his request, is cut off in time, however he drips', async () => {
  const began = performance.now()
  const cut = ['', 'POST /get-rp HTTP/1.1\r\n', head(1000)].map(async (said) => {
    const socket = await open(said)
    const dripping = setInterval(() => socket.write(said === '' ? '' : 'x'), 100)
    await closed(socket.resume())
    clearInterval(dripping)
  })
  await Promise.all(cut)
  // Its own limits, and those between two looks at it; Node's own would take a minute.
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(ran).toEqual([])
})

test('a command that takes longer than a request may take to arrive is answered', async () => {
  let done = (_: object) => {}
  answer = new Promise((resolve) => {
    done = resolve
  })
  const asked = post()
  await expect.poll(() => ran.length).toBe(1)
  const idle = await open('')
  // Whoever came later, and only waits, is cut off first.
  await closed(idle.resume())
  done({ status: 'ok', data: null })
  expect((await asked).status).toBe(200)
})

test.each(['1.1', '1.0'])(
  'of requests behind one another in one connection the first is run: HTTP/%s',
  async (version) => {
    let done = (_: object) => {}
    answer = new Promise((resolve) => {
      done = resolve
    })
    const one = `${head(2).replace('1.1\r\n', `${version}\r\nconnection: keep-alive\r\n`)}{}`
    const told = text(await open(one + one + one))
    await expect.poll(() => ran.length).toBe(1)
    done({ status: 'ok', data: null })
    expect((await told).match(/^HTTP\/1.1 \d+ /gm)).toEqual(['HTTP/1.1 200 '])
    expect(ran).toHaveLength(1)
  },
)

test('frames are spoken beside it, and places are counted together', async () => {
  const frames = await open('{"id":1,"command":"ping"}\n')
  const [reply] = (await once(frames, 'data')) as [Buffer]
  expect(reply.toString()).toContain('"status":"ok"')
  await Promise.all([open(''), open(''), open(head(2))])
  await expect.poll(() => server.listeners[0]?.connections).toBe(4)
  expect((await post()).status).toBe(503)
  expect(ran.map(({ command }) => command)).toEqual(['ping'])
})

test('a daemon that stops answers what runs, and cuts who is still sending', async () => {
  let done = (_: object) => {}
  answer = new Promise((resolve) => {
    done = resolve
  })
  const asked = post()
  const sending = await open(head(2))
  await expect.poll(() => ran.length).toBe(1)
  const drained = server.drain(5)
  await closed(sending.resume())
  done({ status: 'ok', data: null })
  expect((await asked).status).toBe(200)
  expect(await drained).toBe(0)
})

function head(length: number): string {
  return `POST /get-rp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`
}

async function open(said: string): Promise<Socket> {
  const socket = connect(path)
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(said)
  return socket
}
