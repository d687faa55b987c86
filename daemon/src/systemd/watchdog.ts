/** Signs of life for systemd's watchdog, given only while the daemon can do its work. */
import type { Store } from '../store/store.js'
import type { ServiceManager } from './notify.js'

export interface Watchdog {
  stop(): void
}

/**
 * A sign every half of the watchdog's time, if the event loop turns and the store's queue of commits
 * gets to its end: what hangs there is mended by a restart. A store that refuses (a full disk) answers
 * too; to restart would mend nothing, and end what still works.
 */
export function startWatchdog(
  store: Pick<Store, 'sweep'>,
  manager: Pick<ServiceManager, 'alive' | 'present'>,
  environment: NodeJS.ProcessEnv = process.env,
): Watchdog {
  const every_ms = halfOf(environment)
  if (every_ms === undefined || !manager.present) return { stop() {} }
  let asking = false
  const ask = async () => {
    if (asking) return
    asking = true
    // Nothing has expired before the first second of time: a commit that changes nothing.
    await store.sweep(0, 1).catch(() => {})
    await manager.alive()
    asking = false
  }
  const timer = setInterval(ask, every_ms).unref()
  return { stop: () => clearInterval(timer) }
}

/** @returns milliseconds; undefined if there is no watchdog, or it watches another process */
function halfOf({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | undefined {
  const usec = Number(WATCHDOG_USEC)
  if (!Number.isSafeInteger(usec) || usec <= 0) return undefined
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(process.pid)) return undefined
  return Math.max(1, usec / 2000)
}
