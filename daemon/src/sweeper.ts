/** Deletes expired rows in small slices, so that no command waits long for one. */
import { setImmediate } from 'node:timers/promises'
import type { Clock } from './clock.js'
import { describeFault } from './faults.js'
import type { Log } from './log.js'
import type { Store } from './store/store.js'

const EVERY_MS = 1000
const SLICE = 200

export interface Sweeping {
  /** Deleted since the start. */
  readonly rows: number
  /** How often it failed. */
  readonly failures: number
  stop(): void
}

export function startSweeping(store: Store, clock: Clock, log: Log): Sweeping {
  let running = false
  let stopped = false
  let rows = 0
  let failures = 0

  /** @returns whether more may be left */
  async function sweepSlice(): Promise<boolean> {
    const swept = await store.sweep(clock(), SLICE)
    rows += swept
    return swept >= SLICE
  }

  const timer = setInterval(async () => {
    if (running) return
    running = true
    try {
      // Until nothing is left: rows may expire faster than a slice a second.
      while (!stopped && (await sweepSlice())) await setImmediate()
    } catch (error) {
      failures += 1
      log.error(describeFault(error), 'expired rows not swept')
    } finally {
      running = false
    }
  }, EVERY_MS).unref()
  return {
    get rows() {
      return rows
    },
    get failures() {
      return failures
    },
    stop() {
      stopped = true
      clearInterval(timer)
    },
  }
}
