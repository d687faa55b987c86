/** Whoever floods waits behind his own, and nobody else does. */
import { expect, test } from 'vitest'
import { Turns } from './turns.js'

const FLOOD = 1000

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A flood, of which not all can have been begun with. */
function flooded() {
  const turns = new Turns()
  const done: string[] = []
  for (let index = 0; index < FLOOD; index += 1) turns.take('flood', () => done.push('flood'))
  expect(done.length).toBeLessThan(100)
  return { turns, done }
}

test('one frame is handled at once', () => {
  const done: string[] = []
  new Turns().take('a', () => done.push('a'))
  expect(done).toEqual(['a'])
})

test('a flood is spread over turns, in its order, and all of it is handled', async () => {
  const turns = new Turns()
  const done: number[] = []
  for (let index = 0; index < FLOOD; index += 1) turns.take('flood', () => done.push(index))
  expect(done.length).toBeLessThan(100)
  await expect.poll(() => done.length).toBe(FLOOD)
  expect(done).toEqual(Array.from({ length: FLOOD }, (_, index) => index))
})

test('another site’s frame does not wait at all, and the flood goes on', async () => {
  const { turns, done } = flooded()
  turns.take('calm', () => done.push('calm'))
  expect(done.at(-1)).toBe('calm')
  await expect.poll(() => done.length).toBe(FLOOD + 1)
})

test('while another site is about, a turn begins with a few frames of the flood only', async () => {
  const { turns, done } = flooded()
  turns.take('calm', () => {})
  const before = done.length
  // More turns of the event loop than a flood alone would need.
  for (let count = 0; count < 20; count += 1) await turn()
  expect(done.length - before).toBeLessThan(FLOOD / 4)
})

test('two floods are served in turn, whoever began', async () => {
  const { turns, done } = flooded()
  for (let index = 0; index < FLOOD; index += 1) turns.take('other', () => done.push('other'))
  const at_first = done.filter((one) => one === 'other').length
  await expect
    .poll(() => done.filter((one) => one === 'other').length)
    .toBeGreaterThan(at_first + 100)
  const [flood, other] = ['flood', 'other'].map((lane) => done.filter((one) => one === lane).length)
  expect(Math.abs((flood ?? 0) - (other ?? 0))).toBeLessThan(200)
})

test('frames that are asked for while one is handled have their turn too', async () => {
  const turns = new Turns()
  let handled = 0
  const next = () => {
    handled += 1
    if (handled < FLOOD) turns.take('a', next)
  }
  turns.take('a', next)
  expect(handled).toBeLessThan(100)
  await expect.poll(() => handled).toBe(FLOOD)
})
