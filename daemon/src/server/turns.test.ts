/** Whoever floods waits behind his own, and nobody else does. */
import { expect, test } from 'vitest'
import { Turns } from './turns.js'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('one frame is handled at once', () => {
  const done: string[] = []
  new Turns().take('a', () => done.push('a'))
  expect(done).toEqual(['a'])
})

test('a flood is spread over turns, in its order, and all of it is handled', async () => {
  const turns = new Turns()
  const done: number[] = []
  for (let index = 0; index < 100; index += 1) turns.take('flood', () => done.push(index))
  const at_once = done.length
  expect(at_once).toBeLessThan(50)
  await turn()
  expect(done.length).toBeLessThanOrEqual(2 * at_once)
  for (let left = 0; left < 20; left += 1) await turn()
  expect(done).toEqual(Array.from({ length: 100 }, (_, index) => index))
})

test('another site’s frame waits for a turn, not for the flood', async () => {
  const turns = new Turns()
  const done: string[] = []
  for (let index = 0; index < 1000; index += 1) turns.take('flood', () => done.push('flood'))
  turns.take('calm', () => done.push('calm'))
  await turn()
  expect(done).toContain('calm')
  expect(done.length).toBeLessThan(50)
})

test('frames that are asked for while one is handled have their turn too', async () => {
  const turns = new Turns()
  let handled = 0
  const next = () => {
    handled += 1
    if (handled < 200) turns.take('a', next)
  }
  turns.take('a', next)
  expect(handled).toBeLessThan(50)
  for (let left = 0; left < 40; left += 1) await turn()
  expect(handled).toBe(200)
})
