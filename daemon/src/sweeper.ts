/** Deletes expired rows in small slices, so that no command waits long for one. */
import { setImmediate } from 'node:timers/promises'
import type { Clock } from './clock.js'
import { describeFault } from './faults.js'
import type { Log } from './log.js'
import type { Store } from './store/store.js'

const EVERY_MS = 1000
const SLICE = 200

export interface Sweeping {
  stop(): void
}

export function startSweeping(store: Store, clock: Clock, log: Log): Sweeping {
  let running = false
  let stopped = false
  const timer = setInterval(async () => {
    if (running) return
    running = true
    try {
      // Until nothing is left: rows may expire faster than a slice a second.
      while (!stopped && (await store.sweep(clock(), SLICE)) >= SLICE) await setImmediate()
    } catch (error) {
      log.error(describeFault(error), 'expired rows not swept')
    } finally {
      running = false
    }
  }, EVERY_MS).unref()
  return {
    stop() {
      stopped = true
      clearInterval(timer)
    },
  }
}
