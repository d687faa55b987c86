/** Connections of oxd's clients: one reply for what they send twice, in order, whenever it comes. */
import { once } from 'node:events'
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type ConnectionPair, connectionPair } from '../../../test/support/connection_pair.js'
import type { OxdDispatch } from './dispatch.js'
import { errorReply, type Request } from './envelope.js'

interface Answering extends ConnectionPair {
  /** Commands that ran, in their order. */
  ran: string[]
  /** What came back so far, in the same words. */
  replies(): string[]
}

/** @param answer waits until a command may be answered */
async function answering(
  answer: (request: Request, one: Answering) => unknown,
): Promise<Answering> {
  let one: Answering
  const oxd: OxdDispatch = {
    isProtected: false,
    realm: 'default',
    events: { has: () => false, forget: () => {} },
    accountOf: () => '',
    nextRequestId: () => 'test-1',
    async run(request, _request_id, _account, caller) {
      one.ran.push(request.command)
      await answer(request, one)
      return caller.encode({ status: 'ok', data: request.command })
    },
    refuse: (id, error, request_id) => errorReply(id, error, request_id),
  }
  const pair = await connectionPair({ ...oxd, oxd })
  let received = ''
  pair.peer.on('data', (chunk) => {
    received += chunk
  })
  const replies = () => {
    const bodies = received.match(/\d{4}(\{.*?\})(?=\d{4}|$)/g) ?? []
    return bodies.map((text) => {
      const { data } = JSON.parse(text.slice(4))
      return data.error ?? data
    })
  }
  one = { ...pair, ran: [], replies }
  return one
}

function frame(command: string): string {
  const body = JSON.stringify({ command, params: {} })
  return `${String(body.length).padStart(4, '0')}${body}`
}

/** Lets the event loop turn, which reads what has come. */
async function turns(many: number): Promise<void> {
  for (let turn = 0; turn < many; turn += 1) await turnOfLoop()
}

/** A door that is shut until it is opened. */
function door(): { open(): void; opened: Promise<void> } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open: () => open(), opened }
}

const [a, b] = [frame('a'), frame('b')]

test('trap 6: a request that comes twice is run and answered once, the others in order', async () => {
  const gate = door()
  const one = await answering(() => gate.opened)
  one.peer.write(`${a}${a}`)
  await expect.poll(() => one.ran).toEqual(['a'])
  one.peer.write(`${a}${b}${b}`)
  one.peer.write(frame('c'))
  gate.open()
  await expect.poll(one.replies).toEqual(['a', 'b', 'c'])
  expect(one.ran).toEqual(['a', 'b', 'c'])
})

test('trap 6: the second copy is seen in time though it came with the answer, and was not read yet', async () => {
  const one = await answering(({ command }, { peer, ran }) => {
    // The kernel has it when this returns, and the reply follows without a turn of the event loop.
    if (command === 'a' && ran.length === 2) peer.write(a)
  })
  one.peer.write(b)
  await expect.poll(one.replies).toEqual(['b'])
  one.peer.write(a)
  await expect.poll(one.replies).toEqual(['b', 'a'])
  one.peer.write(b)
  await expect.poll(one.replies).toEqual(['b', 'a', 'b'])
  expect(one.ran).toEqual(['b', 'a', 'b'])
})

test('trap 6: the first reply leaves time for a second copy that is held up', async () => {
  const one = await answering(() => {})
  const began = performance.now()
  one.peer.write(a)
  await once(one.peer, 'data')
  // A timer of 5 ms may ring some part of one early.
  expect(performance.now() - began).toBeGreaterThan(4)
})

test('trap 6: what comes behind the answer is a request of its own, if all before came twice', async () => {
  const one = await answering(() => {})
  one.peer.write(`${a}${a}`)
  await expect.poll(one.replies).toEqual(['a'])
  for (const expected of [['b'], ['b', 'b'], ['b', 'b', 'b']]) {
    one.peer.write(b)
    await expect.poll(one.replies).toEqual(['a', ...expected])
  }
  expect(one.ran).toEqual(['a', 'b', 'b', 'b'])
})

test('trap 6: only what stands directly behind its like is a copy of it', async () => {
  const gate = door()
  const one = await answering(() => gate.opened)
  one.peer.write(`${a}${b}${a}${frame('c')}${frame('c')}${a}`)
  await expect.poll(() => one.ran).toEqual(['a'])
  gate.open()
  await expect.poll(one.replies).toEqual(['a', 'b', 'a', 'c', 'a'])
})

test('a request that is given up and sent again is answered once, and all later ones too', async () => {
  const gate = door()
  const one = await answering(() => gate.opened)
  for (let times = 1; times <= 3; times += 1) {
    one.peer.write(a)
    // It has come, and waits for nothing else.
    await turns(20)
  }
  expect(one.ran).toEqual(['a'])
  gate.open()
  await expect.poll(one.replies).toEqual(['a'])
  for (let times = 2; times <= 5; times += 1) {
    one.peer.write(a)
    await expect.poll(one.replies).toHaveLength(times)
  }
})

test('trap 6: who has read the reply may send the same again', async () => {
  const one = await answering(() => {})
  for (let times = 1; times <= 20; times += 1) {
    one.peer.write(times % 2 === 0 ? a : '0002{}')
    await expect.poll(() => one.replies().length, { interval: 1 }).toBe(times)
  }
  expect(one.ran).toHaveLength(10)
})

test('a copy that came in part holds nothing up, and is none once it is whole', async () => {
  const gate = door()
  const one = await answering(() => gate.opened)
  one.peer.write(`${a}${a.slice(0, 9)}`)
  await expect.poll(() => one.ran).toEqual(['a'])
  gate.open()
  await expect.poll(one.replies).toEqual(['a'])
  one.peer.write(a.slice(9))
  one.peer.write(`${a}${b}`)
  await expect.poll(one.replies).toEqual(['a', 'a', 'b'])
  expect(one.ran).toEqual(['a', 'a', 'b'])
})

test('what is refused is told in its place, and once', async () => {
  const gate = door()
  const one = await answering(() => gate.opened)
  one.peer.write(`${a}0002{}0002{}0005hello${b}`)
  await expect.poll(() => one.ran).toEqual(['a'])
  gate.open()
  await expect.poll(one.replies).toEqual(['a', 'unsupported_operation', 'invalid_frame', 'b'])
})

test('a peer that sends no more gets all its replies before the end', async () => {
  const gate = door()
  const one = await answering(() => gate.opened)
  one.peer.end(`${a}${b}00`)
  await expect.poll(() => one.ran).toEqual(['a'])
  gate.open()
  await once(one.peer, 'end')
  expect(one.replies()).toEqual(['a', 'b'])
})

test('a frame that does not arrive whole is told after the replies before it', async () => {
  const gate = door()
  const one = await answering(() => gate.opened)
  one.peer.write(`${a}${b.slice(0, 9)}`)
  await expect.poll(() => one.ran).toEqual(['a'])
  await expect.poll(() => one.connection.held).toBe(9)
  one.connection.check(performance.now() + 31_000)
  gate.open()
  await once(one.peer, 'end')
  expect(one.replies()).toEqual(['a', 'invalid_frame'])
})

test('trap 1: it stays open however long nobody uses it, after a refusal too', async () => {
  const one = await answering(() => {})
  one.peer.write('0002{}')
  await expect.poll(one.replies).toEqual(['unsupported_operation'])
  one.connection.check(performance.now() + 30 * 24 * 3600 * 1000)
  one.peer.write(a)
  await expect.poll(one.replies).toEqual(['unsupported_operation', 'a'])
})

test('a daemon that stops lets what runs be answered, and closes', async () => {
  const gate = door()
  const one = await answering(() => gate.opened)
  one.peer.write(a)
  await expect.poll(() => one.ran).toEqual(['a'])
  one.connection.drain()
  one.peer.write(b)
  gate.open()
  await once(one.peer, 'end')
  expect(one.replies()).toEqual(['a', 'shutting_down'])
})

test('a flood of copies takes its turns, and leaves nothing behind', async () => {
  const gate = door()
  const one = await answering(() => gate.opened)
  one.peer.write(a.repeat(20_000))
  one.peer.write(b)
  await expect.poll(() => one.ran).toEqual(['a'])
  // All copies have come once b waits, which is read no further.
  await expect.poll(() => one.peer.writableLength).toBe(0)
  gate.open()
  await expect.poll(() => one.replies().at(-1)).toBe('b')
})
