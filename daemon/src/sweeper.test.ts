/** Expired rows go in slices, between which commands have their turn. */
import { setImmediate } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { putSession, putSite, Stored } from '../../test/support/stored.js'
import { createLog } from './log.js'
import { startSweeping } from './sweeper.js'

const NOW = 1_800_000_000
const EXPIRED = 1000

test('a thousand that expire at once are five slices, with room for a command after each', async () => {
  using stored = new Stored()
  await stored.with(async (store) => {
    await putSite(store, 'shop')
    await Promise.all(
      Array.from({ length: EXPIRED + 1 }, (_, n) =>
        putSession(store, 'shop', n < EXPIRED ? NOW - 1 : NOW + 1),
      ),
    )
    const events: string[] = []
    const sweep = store.sweep.bind(store)
    store.sweep = async (now, limit) => {
      const swept = await sweep(now, limit)
      events.push(`swept ${swept}`)
      // A command that arrived meanwhile has its turn before the next slice.
      void setImmediate().then(() => events.push('command'))
      return swept
    }
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const sweeping = startSweeping(store, () => NOW, createLog('silent'))
    vi.advanceTimersByTime(1000)
    vi.useRealTimers()
    await expect.poll(() => events.at(-2), { timeout: 10_000 }).toBe('swept 0')
    sweeping.stop()
    const slice = ['swept 200', 'command']
    expect(events).toEqual([
      ...Array(EXPIRED / 200)
        .fill(slice)
        .flat(),
      'swept 0',
      'command',
    ])
  })
  expect(stored.read('SELECT count(*) FROM sessions')).toEqual([[1]])
})
