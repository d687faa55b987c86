/** Counts the calls to OPs that a command makes, for its log line. */
import { AsyncLocalStorage } from 'node:async_hooks'

export interface OpCalls {
  count: number
  /** Milliseconds spent waiting for OPs. */
  ms: number
}

const current = new AsyncLocalStorage<OpCalls>()

/** Runs `work`; every OP call it makes, however deep, is added to `calls`. */
export function countingOpCalls<T>(calls: OpCalls, work: () => T): T {
  return current.run(calls, work)
}

/** Runs `work` on nobody's account: background refreshes that a command merely set off. */
export function uncounted<T>(work: () => T): T {
  return current.exit(work)
}

export function recordOpCall(ms: number): void {
  const calls = current.getStore()
  if (!calls) return
  calls.count += 1
  calls.ms += ms
}
