/** What no honest peer sends: it is answered or cut off, and nobody else notices. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { encodeJson, encodeMsgpack, MAX_FRAME_BYTES } from '../../sdk/src/framing/index.js'
import { closed } from '../support/closed.js'
import { TestDaemon } from '../support/daemon.js'
import { connected, exchange, framed, openings, repliesIn } from '../support/peer.js'
import { openDescriptors, residentMib } from '../support/process.js'
import { issuedSite, registerIssued } from '../support/site.js'
import { type DialectName, type Reply, Wire } from '../support/wire.js'

let op: Op
let daemon: TestDaemon
let oxd_id: string

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start({
    record: false,
    memory: true,
    daemon: { default_op: op.issuer },
  })
  using wire = await Wire.connect(daemon.socket)
  oxd_id = await registerIssued(wire, op)
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

const ping = { command: 'ping', params: {} }

/** A value by the text or bytes that stand for it in each dialect. */
interface Written {
  json: string
  msgpack: Buffer
}

const packed = (value: unknown) => encodeMsgpack(value).subarray(4)

/** A map whose members are written as they are given, twice if they are. */
function map(...members: [name: string, value: Written][]): Written {
  return {
    json: `{${members.map(([name, { json }]) => `${JSON.stringify(name)}:${json}`).join()}}`,
    msgpack: Buffer.concat([
      Buffer.of(0x80 | members.length),
      ...members.flatMap(([name, { msgpack }]) => [packed(name), msgpack]),
    ]),
  }
}

function plain(value: unknown): Written {
  return { json: JSON.stringify(value), msgpack: packed(value) }
}

function frameOf(dialect: DialectName, written: Written): Buffer {
  return dialect === 'json' ? Buffer.from(`${written.json}\n`) : framed(written.msgpack)
}

/** Sends the frames between two pings. @returns the replies, without those of the pings */
async function ask(dialect: DialectName, ...frames: Buffer[]): Promise<Reply[]> {
  const { magic, encode } = openings[dialect]
  const [first, last] = ['first', 'last'].map((id) => encode({ ...ping, id }))
  const bytes = Buffer.concat([magic, first as Buffer, ...frames, last as Buffer])
  const replies = repliesIn(dialect, await exchange(daemon.socket, [bytes]))
  const [asked, pings] = [replies.filter(notPing), replies.filter((reply) => !notPing(reply))]
  expect(pings).toMatchObject([{ status: 'ok' }, { status: 'ok' }])
  return asked
}

const notPing = ({ id }: Reply) => id !== 'first' && id !== 'last'

/** Somebody else's whole use of the daemon. */
async function expectServed(): Promise<void> {
  using wire = await Wire.connect(daemon.socket, 'msgpack')
  const { authorization_url } = await wire.ok('get_authorization_url', { oxd_id })
  expect(new URL(authorization_url).searchParams.get('claims')).toBe(null)
}

/** Waits until what the daemon has open is what it had. Connections to the OP stay open a while, too. */
async function expectNothingLeft(before: number): Promise<void> {
  const open = () => openDescriptors(daemon.pid)
  await expect.poll(open, { timeout: 15_000, interval: 20 }).toBeLessThanOrEqual(before)
}

describe.each<DialectName>(['json', 'msgpack'])('%s', (dialect) => {
  const { magic, encode } = openings[dialect]

  test.each(['__proto__', 'constructor', 'prototype', 'toString', 'then', 'hasOwnProperty'])(
    'a member named %s, wherever it stands, changes nothing for anybody',
    async (name) => {
      const evil = { oxd_id, command: 'ping', id: 7, realm: 'other', toString: null, polluted: 1 }
      // As an own property, which an object literal would not make of __proto__.
      const having = (value: unknown, more: object = {}) =>
        Object.fromEntries([...Object.entries(more), [name, value]])
      const login = (params: object) => ({ id: 1, command: 'get_authorization_url', params })
      const messages = [
        having(evil),
        having(evil, ping),
        login(having(evil, { oxd_id })),
        login({ oxd_id, claims: having(evil) }),
        login({ oxd_id, claims: { userinfo: having(having(evil)) } }),
        login({ oxd_id, custom_parameters: having(evil) }),
        login({ oxd_id, custom_parameters: having('text') }),
        { id: 1, command: name, params: { oxd_id } },
        { id: name, command: 'get_site', params: { oxd_id: name } },
      ]
      const replies = await ask(dialect, ...messages.map(encode))
      const codes = replies.map(({ status, data }) => (status === 'ok' ? status : data.error))
      expect(codes.sort()).toEqual([
        ...['invalid_frame', 'invalid_frame', 'invalid_oxd_id', 'invalid_request'],
        ...['invalid_request', 'ok', 'ok', 'ok', 'unsupported_operation'],
      ])
      using wire = await Wire.connect(daemon.socket, dialect)
      expect(await wire.ok('ping')).toEqual({ version: expect.any(String) })
      expect(await wire.refused('get_site', {})).toMatchObject({ error: 'invalid_request' })
      await expectServed()
    },
  )

  test('of members with one name the last counts', async () => {
    const twice = map(
      ['id', plain(1)],
      ['command', plain('get_site')],
      ['params', plain({ oxd_id })],
      ['command', plain('get_authorization_url')],
      ['params', map(['oxd_id', plain('nobody')], ['oxd_id', plain(oxd_id)])],
      ['id', plain(2)],
    )
    const [reply, ...more] = await ask(dialect, frameOf(dialect, twice))
    expect(reply).toMatchObject({ id: 2, data: { authorization_url: expect.any(String) } })
    expect(more).toEqual([])
  })

  const numbers: [what: string, written: Written][] = [
    ['1e400', { json: '1e400', msgpack: packed(Number.POSITIVE_INFINITY) }],
    ['-1e400', { json: '-1e400', msgpack: packed(Number.NEGATIVE_INFINITY) }],
    [
      'a million digits',
      { json: '9'.repeat(1_000_000), msgpack: Buffer.from('cb7ff8000000000000', 'hex') },
    ],
    ['2^53', { json: '9007199254740993', msgpack: Buffer.from('cf0020000000000001', 'hex') }],
    ['2^64', { json: '18446744073709551616', msgpack: Buffer.from('cfffffffffffffffff', 'hex') }],
    ['-2^63', { json: '-9223372036854775808', msgpack: Buffer.from('d38000000000000000', 'hex') }],
  ]

  test.each(numbers)('%s as an id or a parameter is refused', async (_, number) => {
    const asId = map(['command', plain('ping')], ['id', number])
    const asAge = map(
      ['command', plain('get_authorization_url')],
      ['params', map(['oxd_id', plain(oxd_id)], ['max_age', number])],
    )
    const replies = await ask(dialect, frameOf(dialect, asId), frameOf(dialect, asAge))
    expect(replies.map(({ id, data }) => [id, data.error]).sort()).toEqual([
      [null, 'invalid_frame'],
      [null, 'invalid_request'],
    ])
  })

  test.each([
    [0],
    [-1],
    [1.5],
    [2 ** 53 - 1],
    [1 - 2 ** 53],
    [5e-324],
    [''],
    ['\0'],
    ['\u2028"\\'],
    ['🗝'.repeat(64)],
    [null],
  ])('the id %j comes back as it was', async (id) => {
    expect(await ask(dialect, encode({ ...ping, id }))).toMatchObject([{ id, status: 'ok' }])
  })

  test.each([[true], [[1]], [{}], [{ valueOf: 1 }], ['x'.repeat(129)], ['🗝'.repeat(65)]])(
    'the id %j is refused',
    async (id) => {
      expect(await ask(dialect, encode({ ...ping, id }))).toMatchObject([
        { id: null, data: { error: 'invalid_frame' } },
      ])
    },
  )

  test('half of a million brackets is refused', async () => {
    const deep = {
      json: '['.repeat(500_000) + ']'.repeat(500_000),
      msgpack: Buffer.alloc(1_000_000, 0x91),
    }
    const open = { json: '{"a":'.repeat(150_000), msgpack: Buffer.alloc(1_000_000, 0x81) }
    const replies = await ask(dialect, frameOf(dialect, deep), frameOf(dialect, open))
    expect(replies).toMatchObject([
      { id: null, data: { error: 'invalid_frame' } },
      { id: null, data: { error: 'invalid_frame' } },
    ])
  })

  test('a command, a parameter and a member of a map with names of a megabyte hold nobody up', async () => {
    const name = 'x'.repeat(900_000)
    const login = (params: object) => ({ command: 'get_authorization_url', params })
    const replies = await ask(
      dialect,
      encode({ command: name }),
      encode(login({ oxd_id, [name]: 1 })),
      encode(login({ oxd_id, custom_parameters: { [name]: 1 } })),
    )
    const size = encode(replies).length
    expect(replies.map(({ data }) => data.error).sort()).toEqual([
      ...['invalid_request', 'invalid_request', 'unsupported_operation'],
    ])
    expect(size).toBeLessThan(2000)
  })

  test('a secret of half a megabyte, sought in a name as long, holds nobody up', async () => {
    const secret = 's'.repeat(300_000)
    const params = { code: secret, [`${secret}${secret}`]: 1 }
    const [reply] = await ask(dialect, encode({ id: 1, command: 'get_tokens_by_code', params }))
    expect(reply?.data).toMatchObject({ error: 'invalid_request' })
  })

  test('10,000 frames in one write are all answered', async () => {
    const frames = Array.from({ length: 10_000 }, (_, id) => encode({ ...ping, id }))
    const replies = await ask(dialect, ...frames)
    expect(new Set(replies.map(({ id }) => id)).size).toBe(10_000)
  })

  test('10,000 malformed frames in one write are all answered', async () => {
    const bad = frameOf(dialect, { json: '}', msgpack: Buffer.of(0xc1) })
    const replies = await ask(dialect, ...Array<Buffer>(10_000).fill(bad))
    expect(replies.filter(({ data }) => data.error === 'invalid_frame')).toHaveLength(10_000)
  })

  test('10,000 frames in a write each are all answered', async () => {
    const frames = Array.from({ length: 10_000 }, (_, id) => encode({ ...ping, id }))
    const bytes = await exchange(daemon.socket, [magic, ...frames])
    expect(new Set(repliesIn(dialect, bytes).map(({ id }) => id)).size).toBe(10_000)
  })

  test('peers that come and go at every byte of the first frames leave nothing behind', async () => {
    const before = openDescriptors(daemon.pid)
    const bytes = Buffer.concat([
      magic,
      encode({ id: 1, command: 'get_authorization_url', params: { oxd_id } }),
      encode({ id: 2, command: 'get_site', params: { oxd_id } }),
    ])
    const at = (turn: number) => turn % (bytes.length + 1)
    for (let turn = 0; turn < 1000; turn += 50) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, more) => {
          const socket = await connected(daemon.socket)
          socket.write(bytes.subarray(0, at(turn + more)), () => socket.destroy())
          await closed(socket)
        }),
      )
      // Who connects next waits behind them; and the kernel's queue of the listener is not endless.
      await expectServed()
    }
    await expectNothingLeft(before)
  })

  test('peers that reset the connection at any point leave nothing behind', async () => {
    const before = openDescriptors(daemon.pid)
    const request = encode({ id: 1, command: 'get_authorization_url', params: { oxd_id } })
    const bytes = Buffer.concat([magic, ...Array<Buffer>(300).fill(request)])
    for (let turn = 0; turn < 100; turn += 1) {
      const socket = connect(daemon.port, '127.0.0.1').on('error', () => {})
      await once(socket, 'connect')
      const cut = Math.floor((bytes.length * turn) / 100)
      socket.write(bytes.subarray(0, cut), () => socket.resetAndDestroy())
      await closed(socket)
    }
    await expectNothingLeft(before)
    await expectServed()
  })

  test('a peer that never reads gets nothing more computed, and others are served', async () => {
    using wire = await Wire.connect(daemon.socket, dialect)
    const large = { ...issuedSite(op), scope: Array(15).fill('x'.repeat(4096)) }
    const { oxd_id } = await wire.ok('register_site', large)
    const before = residentMib(daemon.pid)
    const request = encode({ id: 1, command: 'get_site', params: { oxd_id } })
    const deaf = await connected(daemon.socket)
    // Six hundred megabytes of replies.
    deaf.write(Buffer.concat([magic, ...Array<Buffer>(10_000).fill(request)]))
    let grown = 0
    for (let turn = 0; turn < 300; turn += 1) {
      await wire.ok('ping')
      grown = Math.max(grown, residentMib(daemon.pid) - before)
    }
    deaf.destroy()
    // 256 replies of 60 KiB that ran at once, each for itself and gathered into one write, and garbage.
    expect(grown).toBeLessThan(150)
  })

  test('an unfinished frame in small pieces takes no more memory than its bytes', async () => {
    using wire = await Wire.connect(daemon.socket, dialect)
    const kept = await daemon.keptMib()
    const bytes = Buffer.concat([
      magic,
      dialect === 'json' ? Buffer.from('{"command":"') : framed(Buffer.alloc(0), MAX_FRAME_BYTES),
    ])
    const peers = await Promise.all(Array.from({ length: 200 }, () => connected(daemon.socket)))
    for (const peer of peers) peer.write(bytes)
    for (let turn = 0; turn < 20; turn += 1) {
      for (const peer of peers) peer.write('x')
      await wire.ok('ping')
    }
    await daemon.expectKept(kept, 8)
    for (const peer of peers) peer.destroy()
    await wire.ok('ping')
  })
})

describe('a msgpack frame that lies about its length', () => {
  const { magic, encode } = openings.msgpack
  const honest = encode({ ...ping, id: 1 })
  const body = honest.subarray(4)

  async function answered(...frames: Buffer[]): Promise<unknown[]> {
    const bytes = await exchange(daemon.socket, [Buffer.concat([magic, honest, ...frames])])
    const replies = repliesIn('msgpack', bytes)
    expect(replies).toContainEqual({ id: 1, status: 'ok', data: expect.anything() })
    return replies.filter(({ id }) => id !== 1).map(({ data }) => data.error)
  }

  test('by nothing: the empty frame is answered, and the connection goes on', async () => {
    expect(await ask('msgpack', framed(Buffer.alloc(0)))).toMatchObject([
      { id: null, data: { error: 'invalid_frame' } },
    ])
  })

  test('too short: the rest is read as a frame, and refused', async () => {
    // What follows is a length made of letters, far beyond the limit.
    expect(await answered(framed(body, 8), honest)).toEqual(['invalid_frame', 'frame_too_large'])
  })

  test('too long: it takes its neighbour along, and both are refused as one', async () => {
    const both = framed(body, body.length + honest.length)
    expect(await answered(both, honest)).toEqual(['invalid_frame'])
  })

  test('longer than what ever comes: it ends with the connection, unanswered', async () => {
    expect(await answered(framed(body, MAX_FRAME_BYTES))).toEqual([])
  })

  test.each([MAX_FRAME_BYTES + 1, 2 ** 31, 2 ** 32 - 1])(
    '%d bytes: refused and closed',
    async (length) => {
      expect(await answered(framed(body, length), honest)).toEqual(['frame_too_large'])
    },
  )
})

test.each([
  ['fixext', 'd40100'],
  ['a record definition', 'd4724091a16101'],
  ['a timestamp', 'd6ff00000000'],
  ['a class of msgpackr', 'c70165'],
  ['binary', 'c40100'],
  ['the type that does not exist', 'c1'],
])('%s inside a request is refused before msgpackr sees it', async (_, hex) => {
  const request = map(
    ['id', plain(1)],
    ['command', plain('get_authorization_url')],
    ['params', map(['claims', { json: '', msgpack: Buffer.from(hex, 'hex') }])],
  )
  expect(await ask('msgpack', framed(request.msgpack))).toMatchObject([
    {
      id: null,
      data: { error: 'invalid_frame', error_description: expect.stringContaining('is not used') },
    },
  ])
})

test.each([
  [
    'in an id',
    map(['id', { json: '', msgpack: Buffer.of(0xa2, 0xc3, 0x28) }], ['command', plain('ping')]),
  ],
  [
    'in a name',
    map(
      ['command', plain('ping')],
      ['params', { json: '', msgpack: Buffer.of(0x81, 0xa1, 0xff, 1) }],
    ),
  ],
])('bytes that are no UTF-8 %s are refused', async (_, { msgpack }) => {
  expect(await ask('msgpack', framed(msgpack))).toMatchObject([
    { id: null, data: { error: 'invalid_frame', error_description: 'a string is not UTF-8' } },
  ])
})

test('json: half of a surrogate pair in an id or a name comes back readable', async () => {
  const lines = [
    '{"id":"\\ud800","command":"ping"}',
    '{"id":1,"command":"ping","params":{"\\udc00":1}}',
  ]
  const bytes = await exchange(
    daemon.socket,
    lines.map((line) => Buffer.from(`${line}\n`)),
  )
  expect(bytes.toString()).not.toContain('\\ud')
  const replies = repliesIn('json', bytes)
  expect(replies.find(({ id }) => id === '\ufffd')).toMatchObject({ status: 'ok' })
  expect(replies.find(({ id }) => id === 1)).toMatchObject({ data: { details: { field: '?' } } })
})

test('a map member that is no text cannot hide behind a line break in its name', async () => {
  const custom_parameters = { 'a\nb': { toString: 1 } }
  const request = { id: 1, command: 'get_authorization_url', params: { oxd_id, custom_parameters } }
  expect(await ask('json', encodeJson(request))).toMatchObject([
    { data: { error: 'invalid_request', details: { field: 'custom_parameters.a?b' } } },
  ])
})

test('none of it was a failure of the daemon', () => {
  expect(daemon.log.filter(({ level }) => level >= 50)).toEqual([])
})
