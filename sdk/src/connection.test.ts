/** Calls over a connection whose other end dies, dawdles, mixes up the order, or restarts. */
import { EventEmitter, once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  connectTo,
  listen,
  newFolder,
  type Peer,
  type Request,
  transportError,
} from '../../test/support/bent_daemon.js'
import { Connection } from './connection.js'
import { CommandError, ProtocolError } from './errors.js'
import { encodeMsgpack, MAX_FRAME_BYTES } from './framing/index.js'

test('calls share a connection, their frames a write, and replies may come in any order', async () => {
  const waiting: Request[] = []
  let chunks = 0
  const peer = await listen((request) => {
    waiting.push(request)
    if (waiting.length === 3) for (const { ok, params } of waiting.reverse()) ok(params)
  })
  peer.server.on('connection', (socket) => socket.on('data', () => (chunks += 1)))
  const connection = connectTo(peer.path)
  const replies = ['Zürich', '漢字', '🙂'].map((text) => connection.call('echo', { text }, 'never'))
  expect(await Promise.all(replies)).toEqual([{ text: 'Zürich' }, { text: '漢字' }, { text: '🙂' }])
  expect(peer.sockets).toHaveLength(1)
  expect(chunks).toBe(1)
})

test('a reply that comes byte by byte is read', async () => {
  const peer = await listen(({ id, socket }) => {
    socket.setNoDelay()
    for (const byte of encodeMsgpack({ id, status: 'ok', data: 'ß' })) {
      socket.write(Buffer.of(byte))
    }
  })
  expect(await connectTo(peer.path).call('ping', {}, 'never')).toBe('ß')
})

test('TCP works like a Unix socket', async () => {
  const peer = await listen(({ ok }) => ok('pong'))
  const tcp = createServer((socket) => peer.server.emit('connection', socket)).listen(
    0,
    '127.0.0.1',
  )
  onTestFinished(() => void tcp.close())
  await once(tcp, 'listening')
  const { port } = tcp.address() as AddressInfo
  const connection = new Connection({ host: 'localhost', port }, 5000)
  expect(await connection.call('ping', {}, 'never')).toBe('pong')
  await connection.close()
})

test('a refusal is a CommandError with all that the daemon said', async () => {
  const peer = await listen(({ id, socket }) => {
    const data = {
      error: 'invalid_state',
      error_description: 'no such login',
      details: { state: 'x' },
      retryable: true,
    }
    socket.write(encodeMsgpack({ id, status: 'error', data }))
  })
  const error = await connectTo(peer.path).call('get_tokens', {}, 'safe').catch(String)
  expect(error).toBe('CommandError: no such login')
  const again = connectTo(peer.path).call('get_tokens', {}, 'safe')
  await expect(again).rejects.toBeInstanceOf(CommandError)
  await expect(again).rejects.toMatchObject({
    code: 'invalid_state',
    command: 'get_tokens',
    details: { state: 'x' },
    retryable: true,
  })
})

test('events and replies to nobody are ignored', async () => {
  const peer = await listen(({ socket, ok }) => {
    socket.write(encodeMsgpack({ event: 'logout', data: {} }))
    socket.write(encodeMsgpack({ id: 999, status: 'ok', data: {} }))
    ok('pong')
  })
  expect(await connectTo(peer.path).call('ping', {}, 'never')).toBe('pong')
})

test('a lost connection is replaced: safe calls are sent again, others are not', async () => {
  const peer = await listen(({ connection, command, socket, ok }) => {
    if (connection > 0) ok(command)
    else if (peer.seen.length === 2) socket.destroy()
  })
  const connection = connectTo(peer.path)
  const safe = connection.call('read', {}, 'safe')
  const never = connection.call('write', {}, 'never')
  await expect(never).rejects.toEqual(transportError('ERR_CLOSED', 'unknown'))
  await expect(never).rejects.toThrow(/write; its outcome is unknown/)
  expect(await safe).toBe('read')
  expect(await connection.call('write', {}, 'never')).toBe('write')
  expect(peer.seen).toEqual(['read', 'write', 'read', 'write'])
})

test('a safe call is sent again once', async () => {
  const peer = await listen(({ socket }) => socket.destroy())
  const call = connectTo(peer.path).call('read', {}, 'safe')
  await expect(call).rejects.toEqual(transportError('ERR_CLOSED', 'unknown'))
  expect(peer.seen).toEqual(['read', 'read'])
})

test('a call that was never written goes over the next connection, whatever its mark', async () => {
  const text = 'a'.repeat(MAX_FRAME_BYTES - 100)
  const peer = await listen(({ command, ok }) => ok(command))
  peer.server.prependOnceListener('connection', (socket) => {
    socket.once('data', () => socket.destroy())
  })
  const connection = connectTo(peer.path)
  const written = connection.call('big', { text }, 'never')
  // Behind a frame larger than what a socket takes at once.
  const unwritten = connection.call('small', {}, 'never')
  await expect(written).rejects.toEqual(transportError('ERR_CLOSED', 'unknown'))
  expect(await unwritten).toBe('small')
  expect(peer.seen).toEqual(['small'])
})

test('much more than a socket holds is delivered', async () => {
  const peer = await listen(({ params, ok }) => ok(String(params['text']).length))
  const connection = connectTo(peer.path, 20_000)
  const text = 'a'.repeat(500_000)
  const calls = Array.from({ length: 40 }, () => connection.call('big', { text }, 'never'))
  expect(new Set(await Promise.all(calls))).toEqual(new Set([text.length]))
  expect(peer.sockets).toHaveLength(1)
})

test('a call without reply times out, and its late reply is dropped', async () => {
  const late: Request[] = []
  const peer = await listen((request) => {
    if (request.command === 'slow') late.push(request)
    else {
      for (const { ok } of late) ok('late')
      request.ok('in time')
    }
  })
  const connection = connectTo(peer.path)
  const slow = connection.call('slow', {}, 'safe', { timeout_ms: 30 })
  await expect(slow).rejects.toEqual(transportError('ERR_TIMEOUT', 'unknown'))
  await expect(slow).rejects.toThrow(/no reply to slow .* in 30 ms/)
  expect(await connection.call('quick', {}, 'safe')).toBe('in time')
  expect(peer.sockets).toHaveLength(1)
})

test('an AbortSignal ends a call, before and after it was sent', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const peer = await listen(() => controller.abort(new Error('enough')))
  const connection = connectTo(peer.path)
  const sent = connection.call('slow', {}, 'safe', { signal })
  await expect(sent).rejects.toEqual(transportError('ERR_ABORTED', 'unknown'))
  await expect(sent).rejects.toHaveProperty('cause', new Error('enough'))
  const unsent = connection.call('slow', {}, 'safe', { signal })
  await expect(unsent).rejects.toEqual(transportError('ERR_ABORTED', 'not_executed'))
  expect(peer.seen).toEqual(['slow'])
})

test('close rejects what is pending and what comes later, and may be called again', async () => {
  const arrivals = new EventEmitter()
  const peer = await listen(() => arrivals.emit('one'))
  const connection = connectTo(peer.path)
  const pending = connection.call('slow', {}, 'safe')
  await once(arrivals, 'one')
  const unsent = connection.call('slow', {}, 'safe')
  const closing = connection.close()
  await expect(pending).rejects.toEqual(transportError('ERR_CLOSED', 'unknown'))
  await expect(unsent).rejects.toEqual(transportError('ERR_CLOSED', 'not_executed'))
  await Promise.all([closing, connection.close()])
  const later = connection.call('ping', {}, 'safe')
  await expect(later).rejects.toEqual(transportError('ERR_CLOSED', 'not_executed'))
  expect(peer.seen).toEqual(['slow'])
})

test.each([
  ['another protocol', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /another program/],
  ['a frame that is not msgpack', Buffer.from([0, 0, 0, 1, 0xc1]), /not relyd's/],
  ['a message that is no object', encodeMsgpack([1]), /not an object/],
  ['a reply without status', encodeMsgpack({ id: 1, data: {} }), /unknown form/],
  [
    'that it could not read',
    encodeMsgpack({
      id: null,
      status: 'error',
      data: { error: 'invalid_frame', error_description: 'what is that' },
    }),
    /what is that \(invalid_frame\)/,
  ],
])('a daemon that sends %s costs the connection and what is pending', async (_, bytes, message) => {
  const peer = await listen(({ connection, socket, ok }) => {
    if (connection > 0) ok('pong')
    else socket.write(bytes)
  })
  const connection = connectTo(peer.path)
  const calls = [connection.call('one', {}, 'safe'), connection.call('two', {}, 'never')]
  for (const call of calls) {
    await expect(call).rejects.toBeInstanceOf(ProtocolError)
    await expect(call).rejects.toThrow(message)
  }
  expect(await connection.call('ping', {}, 'never')).toBe('pong')
})

test.each([
  ['a Date', { at: new Date(0) }, /not used in this protocol/],
  ['bytes', { bytes: Buffer.of(1) }, /not used in this protocol/],
  ['too much', { text: 'a'.repeat(MAX_FRAME_BYTES) }, /larger than/],
])('%s in the params is refused before it costs others the connection', async (_, params, why) => {
  const peer = await listen(({ ok }) => ok('pong'))
  const connection = connectTo(peer.path)
  const pending = connection.call('ping', {}, 'never')
  const call = connection.call('bad', params, 'never')
  await expect(call).rejects.toBeInstanceOf(ProtocolError)
  await expect(call).rejects.toThrow(why)
  expect(await pending).toBe('pong')
})

test('a call that a stopping daemon refused is executed by the next one', async () => {
  const path = join(newFolder(), 'relyd.sock')
  const old: Peer = await listen((request) => {
    if (request.command === 'early') early = request
    else {
      request.refuse('shutting_down', true)
      // Gone before its successor is there; the reply that is due still comes.
      old.server.close()
      early?.ok('from the old one')
    }
  }, path)
  let early: Request | undefined
  const connection = connectTo(path)
  const first = connection.call('early', {}, 'never')
  const second = connection.call('late', {}, 'never')
  expect(await first).toBe('from the old one')
  await listen(({ ok }) => ok('from the new one'), path)
  expect(await second).toBe('from the new one')
})

test('a daemon that stops and has no successor is reported at the timeout', async () => {
  const peer = await listen(({ refuse }) => {
    refuse('shutting_down', true)
    peer.server.close()
  })
  const call = connectTo(peer.path).call('late', {}, 'never', { timeout_ms: 200 })
  await expect(call).rejects.toEqual(transportError('ERR_UNREACHABLE', 'not_executed'))
  await expect(call).rejects.toThrow(/there is no socket/)
})

test('a daemon that takes no more connections has executed nothing: calls go to the next one', async () => {
  const asked: string[] = []
  const full = encodeMsgpack({
    id: null,
    status: 'error',
    data: { error: 'quota_exceeded', error_description: '1 connections are open', retryable: true },
  })
  const peer = await listen(({ connection, socket, command, ok }) => {
    if (connection === 0) return void socket.end(full)
    asked.push(command)
    ok('done')
  })
  const connection = connectTo(peer.path)
  const calls = [connection.call('safe', {}, 'safe'), connection.call('once', {}, 'never')]
  expect(await Promise.all(calls)).toEqual(['done', 'done'])
  expect(asked).toEqual(['safe', 'once'])
})

test('a daemon that stays full is unreachable, and says why', async () => {
  const peer = await listen(({ socket }) => {
    socket.end(
      encodeMsgpack({
        id: null,
        status: 'error',
        data: { error: 'quota_exceeded', error_description: '1 connections are open' },
      }),
    )
  })
  const call = connectTo(peer.path).call('once', {}, 'never')
  await expect(call).rejects.toMatchObject({ code: 'ERR_UNREACHABLE', outcome: 'not_executed' })
  await expect(call).rejects.toThrow(/1 connections are open/)
})

test('calls that wait for the OP leave room for those that do not', async () => {
  const at_op: Request[] = []
  let isSlow = true
  const peer = await listen((request) => {
    if (request.command === 'get_session') request.ok('at once')
    else if (isSlow) at_op.push(request)
    else request.ok(request.params)
  })
  const connection = connectTo(peer.path)
  const slow = Array.from({ length: 300 }, (_, at) =>
    connection.call('get_user_info', { at }, 'never', { op: true }),
  )
  expect(await connection.call('get_session', {}, 'safe')).toBe('at once')
  expect(at_op).toHaveLength(128)
  isSlow = false
  for (const { ok, params } of at_op) ok(params)
  expect(await Promise.all(slow)).toEqual(slow.map((_, at) => ({ at })))
})
