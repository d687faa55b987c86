/** Waits between attempts: longer each time, and no two alike. */
import { expect, test } from 'vitest'
import { backOffMs } from './limits.js'

test.each([
  [0, 50],
  [1, 100],
  [4, 800],
  [5, 1000],
  [50, 1000],
])('attempt %i is between half of its time and the whole, scattered', (attempt, most) => {
  const waits = Array.from({ length: 200 }, () => backOffMs(attempt))
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(most / 2)
  expect(Math.max(...waits)).toBeLessThanOrEqual(most)
  // Two halves of the range: that all of 200 fall into one has a chance of one in 2^199.
  expect(waits.some((wait) => wait < most * 0.75)).toBe(true)
  expect(waits.some((wait) => wait >= most * 0.75)).toBe(true)
})
