/** A burst, then one for each interval. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Throttle } from './throttle.js'

const BURST = 3
const INTERVAL = 10

function throttleAt(start: number) {
  const time = { now: start }
  const throttle = new Throttle(() => time.now, BURST, INTERVAL)
  return {
    time,
    /** How many of so many calls at once go through. */
    through: (calls: number) =>
      Array.from({ length: calls }, () => throttle.take()).filter(Boolean).length,
  }
}

test('lets a burst through and nothing more', () => {
  expect(throttleAt(1000).through(10)).toBe(BURST)
})

test('lets one more through for each interval', () => {
  const { time, through } = throttleAt(1000)
  through(BURST)
  time.now += INTERVAL - 1
  expect(through(5)).toBe(0)
  time.now += 1
  expect(through(5)).toBe(1)
  time.now += 2 * INTERVAL
  expect(through(5)).toBe(2)
})

test('saves no more than a burst, however long nobody asked', () => {
  const { time, through } = throttleAt(1000)
  time.now += 1000 * INTERVAL
  expect(through(10)).toBe(BURST)
})

test('does not lose the rest of an interval to one who asks in between', () => {
  const { time, through } = throttleAt(1000)
  through(BURST)
  for (let asked = 0; asked < INTERVAL; asked += 1) {
    expect(through(1)).toBe(0)
    time.now += 1
  }
  expect(through(1)).toBe(1)
})

test('in any order of waits and calls, lets no more through than burst and time allow', () => {
  const step = fc.record({ wait: fc.nat(100), calls: fc.nat(6) })
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const { time, through } = throttleAt(0)
      let total = 0
      for (const { wait, calls } of steps) {
        time.now += wait
        total += through(calls)
        expect(total).toBeLessThanOrEqual(BURST + Math.floor(time.now / INTERVAL))
      }
    }),
  )
})
