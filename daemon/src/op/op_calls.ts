/** On whose behalf OPs are called, and how often a command does, for its log line. */
import { AsyncLocalStorage } from 'node:async_hooks'

export interface OpCalls {
  count: number
  /** Milliseconds spent waiting for OPs. */
  ms: number
}

interface Account {
  calls: OpCalls
  /** Whose limits the calls count against, if anybody's. */
  site: string | undefined
}

const current = new AsyncLocalStorage<Account>()

/** Runs `work`; every OP call it makes, however deep, is added to `calls` and is the site's. */
export function countingOpCalls<T>(calls: OpCalls, site: string, work: () => T): T {
  return current.run({ calls, site }, work)
}

/** Runs `work` on nobody's account: background refreshes that a command merely set off. */
export function uncounted<T>(work: () => T): T {
  return current.exit(work)
}

/** Runs `work` whose outcome other sites wait for too, so that no site's limit must hold it up. */
export function forEverybody<T>(work: () => T): T {
  const account = current.getStore()
  return account ? current.run({ calls: account.calls, site: undefined }, work) : work()
}

/** @returns the site whose limits a call made now counts against */
export function callingSite(): string | undefined {
  return current.getStore()?.site
}

export function recordOpCall(ms: number): void {
  const calls = current.getStore()?.calls
  if (!calls) return
  calls.count += 1
  calls.ms += ms
}
