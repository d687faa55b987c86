/** Calls over a connection whose other end dies, dawdles, mixes up the order, or restarts. */
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Connection } from './connection.js'
import { CommandError, ProtocolError, TransportError } from './errors.js'
import { encodeMsgpack, MAX_FRAME_BYTES, MSGPACK_MAGIC, MsgpackDecoder } from './framing/index.js'

/** A request as the peer sees it, with the means to answer. */
interface Request {
  id: number
  command: string
  params: Record<string, unknown>
  socket: Socket
  /** Number of the connection it came over, from 0. */
  connection: number
  ok(data: unknown): void
  refuse(error: string, retryable?: boolean): void
}

interface Peer {
  path: string
  server: Server
  sockets: Socket[]
  /** Commands in the order they came. */
  seen: string[]
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'relyd-sdk-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Listens on a Unix socket and hands every request to `answer`. */
async function listen(
  answer: (request: Request) => void,
  path = join(newFolder(), 'relyd.sock'),
): Promise<Peer> {
  const peer: Peer = { path, server: createServer(), sockets: [], seen: [] }
  peer.server.on('connection', (socket) => {
    const connection = peer.sockets.push(socket) - 1
    const decoder = new MsgpackDecoder()
    let magicLeft = MSGPACK_MAGIC
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const magic = chunk.subarray(0, magicLeft.length)
      expect(magic).toEqual(magicLeft.subarray(0, magic.length))
      magicLeft = magicLeft.subarray(magic.length)
      for (const frame of decoder.push(chunk.subarray(magic.length))) {
        if ('error' in frame) throw frame.error
        const request = frame.message as Request
        peer.seen.push(request.command)
        const send = (message: object) => void socket.write(encodeMsgpack(message))
        answer({
          ...request,
          socket,
          connection,
          ok: (data) => send({ id: request.id, status: 'ok', data }),
          refuse: (error, retryable = false) =>
            send({
              id: request.id,
              status: 'error',
              data: { error, error_description: `it is ${error}`, retryable },
            }),
        })
      }
    })
  })
  peer.server.listen(path)
  await once(peer.server, 'listening')
  onTestFinished(() => stop(peer))
  return peer
}

function stop({ server, sockets }: Peer): void {
  server.close()
  for (const socket of sockets) socket.destroy()
}

function connectTo(path: string, timeout_ms = 5000): Connection {
  const connection = new Connection({ path }, timeout_ms)
  onTestFinished(() => connection.close())
  return connection
}

function transportError(code: string, outcome: string) {
  return expect.objectContaining({ name: 'TransportError', code, outcome })
}

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
  peer.server.prependOnceListener('connection', (socket) => void socket.destroy())
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
  await expect(call).rejects.toBeInstanceOf(CommandError)
  await expect(call).rejects.toMatchObject({ code: 'shutting_down', retryable: true })
})

test('a missing socket is told apart from a stale one', async () => {
  const missing = connectTo(join(newFolder(), 'relyd.sock')).call('ping', {}, 'safe')
  await expect(missing).rejects.toEqual(transportError('ERR_UNREACHABLE', 'not_executed'))
  await expect(missing).rejects.toThrow(/there is no socket .*systemctl status relyd.*relyd serve/)

  const path = join(newFolder(), 'relyd.sock')
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  await once(spawn(process.execPath, ['--eval', script]), 'close')
  const stale = connectTo(path).call('ping', {}, 'safe')
  await expect(stale).rejects.toEqual(transportError('ERR_UNREACHABLE', 'not_executed'))
  await expect(stale).rejects.toThrow(/nobody listens on .* a stale socket/)
})

test('a port where nobody listens is named', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const call = new Connection({ host: '127.0.0.1', port }, 5000).call('ping', {}, 'safe')
  await expect(call).rejects.toBeInstanceOf(TransportError)
  await expect(call).rejects.toThrow(`nobody listens on 127.0.0.1:${port}`)
})

test.each([
  ['socket', 0o755, 0o600, /may not write to .*relyd\.sock.*socket's group/],
  ['folder', 0o700, 0o666, /may not enter .*relyd-sdk-/],
])('permission denied names the %s that is closed', async (_, folderMode, socketMode, why) => {
  const { path } = await listen(({ ok }) => ok('pong'))
  chmodSync(join(path, '..'), process.getuid?.() === 0 ? folderMode : folderMode & 0o077)
  chmodSync(path, process.getuid?.() === 0 ? socketMode : 0)
  onTestFinished(() => chmodSync(join(path, '..'), 0o700))
  const { output } = run(
    `if (process.getuid() === 0) {
      process.setgroups([])
      process.setgid(65534)
      process.setuid(65534)
    }
    connection.call('ping', {}, 'safe').catch((error) => console.log(error.code, error.message))`,
    path,
  )
  expect(await output).toMatch(/^ERR_UNREACHABLE .*permission denied: user /)
  expect(await output).toMatch(why)
})

test('an idle connection does not keep the process alive, a pending call does', async () => {
  const peer = await listen(({ command, ok }) => {
    if (command === 'quick') ok('one')
    // Late enough for the process to have ended, if nothing kept it.
    else setTimeout(ok, 100, 'two')
  })
  const { output } = run(
    `console.log(await connection.call('quick', {}, 'safe'))
    connection.call('slow', {}, 'safe').then(console.log)`,
    peer.path,
  )
  expect(await output).toBe('one\ntwo\n')
})

/** Runs a script with a `connection` to `path`, from the compiled package, until it ends by itself. */
function run(script: string, path: string) {
  const module = JSON.stringify(new URL('../dist/connection.js', import.meta.url))
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import { Connection } from ${module}
      const connection = new Connection({ path: ${JSON.stringify(path)} }, 20_000)
      ${script}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  return { output: once(child, 'close').then(() => text) }
}
