/** The built daemon reads the same requests from the same bytes, wherever the stream is cut. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  encodeJson,
  encodeMsgpack,
  JsonDecoder,
  MSGPACK_MAGIC,
  MsgpackDecoder,
} from '../../sdk/src/framing/index.js'
import { TestDaemon } from '../support/daemon.js'
import { type DialectName, type Reply, Wire } from '../support/wire.js'

let daemon: TestDaemon

beforeAll(async () => {
  daemon = await TestDaemon.start({ record: false })
})

afterAll(() => daemon[Symbol.asyncDispose]())

/** Two requests; the second's unknown parameter comes back in its error, byte for byte. */
const requests = [
  { id: 'één', command: 'ping', params: {} },
  { id: 2, command: 'get_site', params: { 'ключ-❤-🗝': 'zoë' } },
]

const dialects = {
  json: {
    bytes: Buffer.concat(requests.map(encodeJson)),
    decoder: () => new JsonDecoder(),
  },
  msgpack: {
    bytes: Buffer.concat([MSGPACK_MAGIC, ...requests.map(encodeMsgpack)]),
    decoder: () => new MsgpackDecoder(),
  },
}

/** Writes each piece in a turn of its own, half-closes, and reads until the daemon closes. */
async function exchange(dialect: DialectName, pieces: Buffer[]): Promise<Reply[]> {
  const socket = connect({ path: daemon.socket, allowHalfOpen: true })
  const decoder = dialects[dialect].decoder()
  const replies: Reply[] = []
  for (const piece of pieces)
    await new Promise<void>((resolve) => socket.write(piece, () => resolve()))
  socket.end()
  for await (const chunk of socket) {
    for (const frame of decoder.push(chunk)) {
      if ('error' in frame) throw frame.error
      replies.push(frame.message as Reply)
    }
  }
  return replies.sort((a, b) => String(b.id).localeCompare(String(a.id)))
}

describe.each<DialectName>(['json', 'msgpack'])('%s', (dialect) => {
  const { bytes } = dialects[dialect]
  const expected = [
    { id: 'één', status: 'ok' },
    { id: 2, status: 'error', data: { details: { field: 'ключ-❤-🗝' } } },
  ]

  test('cut in two at every byte', async () => {
    for (let at = 1; at < bytes.length; at += 1) {
      const replies = await exchange(dialect, [bytes.subarray(0, at), bytes.subarray(at)])
      expect(replies, `cut at ${at}`).toMatchObject(expected)
    }
  })

  test('a byte at a time', async () => {
    const pieces = Array.from(bytes, (byte) => Buffer.of(byte))
    expect(await exchange(dialect, pieces)).toMatchObject(expected)
  })

  test('a malformed frame is answered, and the connection goes on', async () => {
    using wire = await Wire.connect(daemon.socket, dialect)
    await wire.ok('ping')
    for (const message of [[], 'text', { command: 7 }, { command: 'ping', stray: 1 }]) {
      wire.socket.write(wire.encode(message))
      expect((await wire.nextUnasked()).data.error).toBe('invalid_frame')
    }
    let deep: unknown = 1
    for (let level = 0; level < 40; level += 1) deep = [deep]
    wire.socket.write(wire.encode({ command: 'ping', params: { deep } }))
    expect((await wire.nextUnasked()).data.error).toBe('invalid_frame')
    await wire.ok('ping')
  })

  test('S45 a frame that is too large is answered, and the connection closed', async () => {
    using wire = await Wire.connect(daemon.socket, dialect)
    wire.socket.write(wire.encode({ command: 'ping', params: { text: 'x'.repeat(1024 * 1024) } }))
    expect((await wire.nextUnasked()).data.error).toBe('frame_too_large')
    await wire.closed
  })

  test('what ran before a frame that is too large is still answered', async () => {
    let answer = () => {}
    const op = createServer((_request, response) => {
      answer = () => response.writeHead(404).end()
      op.emit('asked')
    }).listen(0, '127.0.0.1')
    await once(op, 'listening')
    const asked = once(op, 'asked')
    using wire = await Wire.connect(daemon.socket, dialect)
    const running = wire.call('register_site', {
      op_host: `http://127.0.0.1:${(op.address() as AddressInfo).port}`,
      authorization_redirect_uri: 'http://site.example/callback',
    })
    await asked
    wire.socket.write(wire.encode({ command: 'ping', params: { text: 'x'.repeat(1024 * 1024) } }))
    expect((await wire.nextUnasked()).data.error).toBe('frame_too_large')
    answer()
    expect((await running).data.error).toBe('no_connect_discovery_response')
    await wire.closed
    op.close()
  })

  test('more requests than run at once are all answered', async () => {
    using wire = await Wire.connect(daemon.socket, dialect)
    const replies = await Promise.all(Array.from({ length: 3000 }, () => wire.call('ping')))
    expect(replies.filter(({ status }) => status === 'ok')).toHaveLength(3000)
  })
})

test.each([
  ['an HTTP request', 'POST / HTTP/1.1\r\nhost: localhost\r\n\r\n{"command":"ping"}\n'],
  ['a TLS hello', Buffer.from('16030100c8010000c4', 'hex')],
  ['another version of the msgpack dialect', Buffer.from('c1726c7902', 'hex')],
])('%s is refused and nothing of it is decoded', async (_what, bytes) => {
  using wire = await Wire.connect(daemon.socket, 'json')
  wire.socket.write(bytes)
  expect((await wire.nextUnasked()).data.error).toBe('invalid_frame')
  await wire.closed
  expect(wire.unasked).toEqual([])
})

test('white space before a JSON text is skipped', async () => {
  using wire = await Wire.connect(daemon.socket)
  for (const blank of ['\n', '  \n', ' '.repeat(100_000)]) wire.socket.write(blank)
  await wire.ok('ping')
})
