/** What node:http heard becomes the web's Request, whoever wrote it. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formOf, type Incoming, Requests, send, toRequest } from './bridge.js'

const origin = 'https://site.example'
const server = createServer((request, response) => {
  const { method, url, headers } = toRequest(origin, request)
  response.end(JSON.stringify({ method, url, headers: [...headers] }))
})

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
})

afterAll(() => server.close())

/** Sends a request's first lines as they are. @returns what the server saw */
async function heard(...lines: string[]) {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write([...lines, 'Host: evil.example', 'Connection: close', '', ''].join('\r\n'))
  const answer = await text(socket)
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')).trim()) as {
    method: string
    url: string
    headers: [string, string][]
  }
}

test.each([
  ['/', '/'],
  ['/login?a=b&c', '/login?a=b&c'],
  ['//evil.example/login', '//evil.example/login'],
  ['/%6cogin', '/%6cogin'],
  ['http://evil.example/login?a=b', '/login?a=b'],
  ['*', '/'],
])('the target %s is %s of the site, whatever Host says', async (target, path) => {
  const method = target === '*' ? 'OPTIONS' : 'GET'
  expect((await heard(`${method} ${target} HTTP/1.1`)).url).toBe(origin + path)
})

test('headers that came twice are seen twice', async () => {
  const { headers } = await heard(
    'GET / HTTP/1.1',
    'Authorization: Bearer a',
    'authorization: Bearer b',
    'Cookie: a=b',
    'Cookie: c=d',
    'X-Latin: \xe4',
  )
  expect(Object.fromEntries(headers)).toMatchObject({
    authorization: 'Bearer a, Bearer b',
    cookie: 'a=b; c=d',
  })
})

test('a method that the web knows not is none that does anything', async () => {
  expect((await heard('TRACE / HTTP/1.1')).method).toBe('OPTIONS')
  expect((await heard('PROPFIND / HTTP/1.1')).method).toBe('PROPFIND')
})

test('the pseudo-headers of HTTP/2 are no headers', () => {
  const message: Incoming = { method: 'GET', url: '/', rawHeaders: [':path', '/', 'a', 'b'] }
  expect([...toRequest(origin, message).headers]).toEqual([['a', 'b']])
})

test('the target as it came counts, not what a router left of it', () => {
  const message: Incoming = { url: '/login', originalUrl: '/app/login', rawHeaders: [] }
  expect(toRequest(origin, message).url).toBe(`${origin}/app/login`)
})

test('an answer has all its cookies, beside those that were set before', async () => {
  const other = createServer((_request, response) => {
    response.setHeader('set-cookie', 'before=1')
    response.setHeader('content-security-policy', 'of the app')
    const answer = new Response('hello', { status: 401, headers: { 'x-own': 'a' } })
    answer.headers.append('set-cookie', 'a=b')
    answer.headers.append('set-cookie', 'c=d')
    answer.headers.set('content-security-policy', 'of the page')
    void send(answer, response)
  })
  try {
    await once(other.listen(0, '127.0.0.1'), 'listening')
    const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    const response = await fetch(address)
    expect(response.status).toBe(401)
    expect(response.headers.getSetCookie()).toEqual(['before=1', 'a=b', 'c=d'])
    expect(response.headers.get('content-security-policy')).toBe('of the page')
    expect(await response.text()).toBe('hello')
    const head = await fetch(address, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([401, ''])
  } finally {
    other.close()
  }
})

describe('the form of a posted callback', () => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
  const message = (members: object) =>
    Object.assign(Readable.from([Buffer.from('a=1&'), Buffer.from('b=2')]), {
      method: 'POST',
      headers,
      ...members,
    }) as never

  test.each<[what: string, given: object, form: string | undefined]>([
    ['that nobody has read', {}, 'a=1&b=2'],
    ['that a parser left as text', { body: 'state=x&code=y' }, 'state=x&code=y'],
    ['that a parser left as bytes', { body: Buffer.from('state=x') }, 'state=x'],
    [
      'that a parser made an object of',
      { body: { state: 'x y', code: 'ä&' } },
      'state=x+y&code=%C3%A4%26',
    ],
    // Twice is an attack or a fault, which relyd refuses: it must not be lost here.
    ['that came twice', { body: { state: ['a', 'b'] } }, 'state=a&state=b'],
    ['of another method', { method: 'GET' }, undefined],
    [
      'with members that are no text',
      { body: { state: 'x', a: { toString: 1 }, b: [['c'], null, 1, { toString: 1 }, 'd'] } },
      'state=x&b=d',
    ],
    [
      'that is JSON',
      { headers: { 'content-type': 'application/json' }, body: { a: 'b' } },
      undefined,
    ],
    ['that says not what it is', { headers: {} }, undefined],
  ])('%s', async (_, given, form) => {
    expect(await formOf(message(given))).toBe(form)
  })

  test('that is too long is given up, and the connection not', async () => {
    const long = Readable.from([Buffer.alloc(70_000), Buffer.from('more')])
    expect(await formOf(Object.assign(long, { method: 'POST', headers }) as never)).toBeUndefined()
    expect(long.destroyed).toBe(false)
  })

  test('that breaks off is none, and ends nothing else', async () => {
    const waits = createServer()
    const read = new Promise<string | undefined>((resolve, reject) => {
      waits.on('request', (request) => void formOf(request).then(resolve, reject))
    })
    await once(waits.listen(0, '127.0.0.1'), 'listening')
    const socket = connect((waits.address() as AddressInfo).port, '127.0.0.1')
    const type = `Content-Type: ${headers['content-type']}`
    const head = ['POST /callback HTTP/1.1', 'Host: a', type, 'Content-Length: 100']
    socket.write([...head, '', 'a=1'].join('\r\n'), () => socket.destroy())
    expect(await read).toBeUndefined()
    waits.close()
  })

  test('is there also for who has asked for the request without it before', async () => {
    const requests = new Requests(origin)
    const posted: Incoming = { method: 'POST', url: '/callback', rawHeaders: [] }
    const first = requests.of(posted, posted)
    expect(requests.of(posted, posted)).toBe(first)
    const second = requests.of(posted, posted, 'state=x')
    expect(await second.text()).toBe('state=x')
    expect(requests.of(posted, posted)).toBe(second)
  })
})
