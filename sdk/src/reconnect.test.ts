/** What calls notice of a daemon that restarts, hangs or vanishes, and what the daemon notices of many calls. */
import diagnostics from 'node:diagnostics_channel'
import { EventEmitter, getEventListeners, once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  connectTo,
  listen,
  newFolder,
  type Request,
  stop,
  transportError,
} from '../../test/support/bent_daemon.js'
import type { Times } from './channels.js'
import { MAX_FRAME_BYTES } from './framing/index.js'
import { PATIENCE } from './outage.js'

/** A little less than usual. */
const hasty: Times = { open_ms: 100, silence_ms: 60, patience: PATIENCE }

/** Counts the sockets that this process opens from now on. */
function countSockets(): { count: number } {
  const opened = { count: 0 }
  const note = () => {
    opened.count += 1
  }
  diagnostics.subscribe('net.client.socket', note)
  onTestFinished(() => void diagnostics.unsubscribe('net.client.socket', note))
  return opened
}

test('calls wait for a daemon that is started again', async () => {
  const path = join(newFolder(), 'relyd.sock')
  const old = await listen(({ ok }) => ok('old'), path)
  const connection = connectTo(path)
  expect(await connection.call('ping', {}, 'never')).toBe('old')
  stop(old)
  await once(old.server, 'close')
  const calls = ['never', 'safe'].map((retry) => connection.call('ping', {}, retry as 'never'))
  // The first attempts find no socket.
  const opened = countSockets()
  await expect.poll(() => opened.count).toBeGreaterThan(2)
  await listen(({ ok }) => ok('new'), path)
  expect(await Promise.all(calls)).toEqual(['new', 'new'])
})

test('a daemon that never was there is told of within seconds, and tried a few times for all', async () => {
  const connection = connectTo(join(newFolder(), 'relyd.sock'), 30_000)
  const opened = countSockets()
  const began = performance.now()
  const calls = Array.from({ length: 500 }, () => connection.call('ping', {}, 'safe'))
  const settled = await Promise.allSettled(calls)
  expect(performance.now() - began).toBeLessThan(2000)
  expect(new Set(settled.map(({ status }) => status))).toEqual(new Set(['rejected']))
  expect(opened.count).toBeLessThan(12)
  // Now it is known: nobody waits that long again.
  const again = performance.now()
  await expect(connection.call('ping', {}, 'safe')).rejects.toEqual(
    transportError('ERR_UNREACHABLE', 'not_executed'),
  )
  expect(performance.now() - again).toBeLessThan(1200)
})

test('a daemon that breaks every connection is not stormed', async () => {
  const peer = await listen(({ socket }) => socket.destroy())
  const connection = connectTo(peer.path)
  const calls = Array.from({ length: 500 }, () => connection.call('read', {}, 'safe'))
  for (const call of calls) await expect(call).rejects.toThrow(/outcome is unknown/)
  expect(peer.sockets).toHaveLength(2)
})

test('a call that was sent once, and finds no daemon again, may have been executed', async () => {
  const peer = await listen(({ command, ok, socket }) => {
    if (command === 'ping') return ok('pong')
    peer.server.close()
    socket.destroy()
  })
  const connection = connectTo(peer.path, 300)
  await connection.call('ping', {}, 'safe')
  const call = connection.call('read', {}, 'safe')
  await expect(call).rejects.toEqual(transportError('ERR_UNREACHABLE', 'unknown'))
  await expect(call).rejects.toThrow(/there is no socket .* its outcome is unknown/)
})

test.each(['abort', 'close', 'timeout'])('nor is it said otherwise after %s', async (end) => {
  const peer = await listen(({ command, ok, socket }) => {
    if (command === 'ping') return ok('pong')
    peer.server.close()
    socket.destroy()
  })
  const connection = connectTo(peer.path)
  const controller = new AbortController()
  await connection.call('ping', {}, 'safe')
  const opened = countSockets()
  const call = connection.call('read', {}, 'safe', {
    signal: controller.signal,
    ...(end === 'timeout' && { timeout_ms: 200 }),
  })
  // It was lost, and waits to be sent again.
  await Promise.all([
    expect(call).rejects.toMatchObject({ outcome: 'unknown' }),
    expect
      .poll(() => opened.count)
      .toBeGreaterThan(0)
      .then(() => {
        if (end === 'abort') controller.abort()
        if (end === 'close') return connection.close()
        return undefined
      }),
  ])
})

test.each([
  ['was lost', 'lost'],
  ['said that it stops', 'stopping'],
] as const)(
  'a daemon that %s is waited for longer than one that never was there',
  async (_, kind) => {
    const path = join(newFolder(), 'relyd.sock')
    const old = await listen(({ command, ok, refuse }) => {
      if (command === 'ping') return ok('pong')
      return kind === 'lost' ? undefined : refuse('shutting_down', true)
    }, path)
    const patience = { unmet: 1, lost: 1, stopping: 1, [kind]: 5000 }
    const connection = connectTo(path, 10_000, { ...hasty, patience })
    await connection.call('ping', {}, 'never')
    const call = connection.call('read', {}, 'safe')
    await expect.poll(() => old.seen).toContain('read')
    stop(old)
    const opened = countSockets()
    await expect.poll(() => opened.count, { timeout: 5000 }).toBeGreaterThan(3)
    await listen(({ ok }) => ok('new'), path)
    expect(await call).toBe('new')
  },
)

test('a peer that falls silent keeps what is due, and gets no more', async () => {
  const due: Request[] = []
  const peer = await listen((request) => {
    if (request.connection > 0) request.ok('from the second')
    else if (request.command === 'hello') request.ok('hello')
    else due.push(request)
  })
  const connection = connectTo(peer.path, 5000, hasty)
  await connection.call('hello', {}, 'never')
  const lost = connection.call('lost', {}, 'never', { timeout_ms: 20 })
  const slow = connection.call('slow', {}, 'never')
  await expect(lost).rejects.toEqual(transportError('ERR_TIMEOUT', 'unknown'))
  // Asked for a sign of life first.
  await expect.poll(() => due.map(({ id }) => id)).toContain(0)
  const ping = () => connection.call('ping', {}, 'never', { timeout_ms: 30 }).catch(() => undefined)
  await expect.poll(ping).toBe('from the second')
  for (const { ok } of due) ok('late')
  expect(await slow).toBe('late')
  expect(peer.sockets).toHaveLength(2)
})

test('a peer that is slow, and answers that it lives, is kept', async () => {
  let pings = 0
  const peer = await listen((request) => {
    if (request.command !== 'ping') slow = request
    else {
      request.ok('pong')
      pings += 1
      if (pings === 3) slow?.ok('at last')
    }
  })
  let slow: Request | undefined
  const connection = connectTo(peer.path, 5000, hasty)
  expect(await connection.call('slow', {}, 'never')).toBe('at last')
  await connection.call('ping', {}, 'never')
  expect(peer.sockets).toHaveLength(1)
})

test('a daemon that hangs gets only a few connections', async () => {
  const peer = await listen(() => {})
  const connection = connectTo(peer.path, 1500, { ...hasty, silence_ms: 10 })
  const asking = setInterval(() => connection.call('slow', {}, 'safe').catch(() => {}), 5)
  onTestFinished(() => clearInterval(asking))
  await expect(connection.call('slow', {}, 'safe')).rejects.toThrow(/in 1500 ms/)
  expect(peer.sockets).toHaveLength(5)
})

test('more calls than memory should hold are refused, and leave room when they are settled', async () => {
  let answers = false
  const waiting: Request[] = []
  const peer = await listen((request) => {
    if (answers) request.ok('pong')
    else waiting.push(request)
  })
  const connection = connectTo(peer.path, 60_000)
  const text = 'a'.repeat(MAX_FRAME_BYTES - 100)
  const calls = Array.from({ length: 100 }, () => connection.call('big', { text }, 'never'))
  const refused = calls.splice(64)
  for (const call of refused) {
    await expect(call).rejects.toEqual(transportError('ERR_BUSY', 'not_executed'))
  }
  await expect(connection.call('ping', {}, 'never')).rejects.toThrow(/64 calls wait/)
  answers = true
  const arrived = Promise.allSettled(calls)
  for (const { ok } of waiting) ok('')
  await arrived
  expect(await connection.call('ping', {}, 'never')).toBe('pong')
})

test('a signal that lives long keeps nothing of the calls that it might have ended', async () => {
  const { signal } = new AbortController()
  const warnings: string[] = []
  const note = ({ message }: Error) => void warnings.push(message)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  const peer = await listen(({ command, ok, refuse }) => {
    if (command === 'fail') refuse('internal_error')
    else if (command === 'ping') ok('pong')
  })
  const connection = connectTo(peer.path)
  const calls = Array.from({ length: 200 }, (_, n) =>
    connection.call(['ping', 'fail', 'slow'][n % 3] as string, {}, 'safe', {
      signal,
      timeout_ms: 100,
    }),
  )
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  await Promise.allSettled(calls)
  expect(getEventListeners(signal, 'abort')).toEqual([])
  expect(warnings).toEqual([])
})

test('a call is aborted in the queue, too, and its reason told', async () => {
  const connection = connectTo(join(newFolder(), 'relyd.sock'))
  const controller = new AbortController()
  const call = connection.call('ping', {}, 'safe', { signal: controller.signal })
  const opened = countSockets()
  await expect.poll(() => opened.count).toBeGreaterThan(0)
  const reason = new Error('the browser left')
  controller.abort(reason)
  await expect(call).rejects.toEqual(transportError('ERR_ABORTED', 'not_executed'))
  await expect(call).rejects.toHaveProperty('cause', reason)
})

test('close does not wait for a daemon that is not there', async () => {
  const path = join(newFolder(), 'relyd.sock')
  const connection = connectTo(path)
  const call = connection.call('ping', {}, 'safe')
  const opened = countSockets()
  await expect.poll(() => opened.count).toBeGreaterThan(0)
  await Promise.all([
    connection.close(),
    expect(call).rejects.toEqual(transportError('ERR_CLOSED', 'not_executed')),
  ])
  const { count } = opened
  const arrivals = new EventEmitter()
  const peer = await listen(() => arrivals.emit('one'), path)
  await expect(connection.call('ping', {}, 'safe')).rejects.toThrow('client closed')
  expect(opened.count).toBe(count)
  expect(peer.seen).toEqual([])
  rmSync(path, { force: true })
})
