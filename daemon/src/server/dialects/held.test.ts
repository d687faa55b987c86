/** What is held is what was added and not taken, in memory of about its size. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Held } from './held.js'

test('bytes come out as they went in, and memory stays near their number', () => {
  const step = fc.record({
    add: fc.integer({ min: 1, max: 500 }),
    take: fc.double({ min: 0, max: 1 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const held = new Held()
      let expected = Buffer.alloc(0)
      for (const [i, { add, take }] of steps.entries()) {
        // Each chunk is a piece of something large.
        const chunk = Buffer.alloc(65_536, i).subarray(0, add)
        expected = Buffer.concat([expected, chunk])
        held.add(chunk)
        const taken = Math.floor(take * held.length)
        held.take(taken)
        expected = expected.subarray(taken)
        held.settle()
        expect(held.bytes).toEqual(expected)
        expect(held.bytes.buffer.byteLength).toBeLessThanOrEqual(2 * held.length + 64)
      }
    }),
  )
})
