/** Deletes expired rows in small slices, so that no command waits long for one. */
import type { Clock } from './clock.js'
import type { Log } from './log.js'
import type { Store } from './store/store.js'

const EVERY_MS = 1000
const SLICE = 200

export interface Sweeping {
  stop(): void
}

export function startSweeping(store: Store, clock: Clock, log: Log): Sweeping {
  let running = false
  const timer = setInterval(() => {
    if (running) return
    running = true
    store
      .sweep(clock(), SLICE)
      .catch((error: unknown) => log.error({ error: String(error) }, 'expired rows not swept'))
      .finally(() => {
        running = false
      })
  }, EVERY_MS).unref()
  return { stop: () => clearInterval(timer) }
}
