/** On whose behalf work is done: which request it belongs to, whose limits count, and what it asks of OPs. */
import { AsyncLocalStorage } from 'node:async_hooks'

export interface OpCalls {
  count: number
  /** Milliseconds spent waiting for OPs. */
  ms: number
}

interface Behalf {
  /** As the log and the site know it. */
  request_id: string
  /** Whose limits the calls count against, if anybody's. */
  site: string | undefined
  calls: OpCalls
}

const current = new AsyncLocalStorage<Behalf>()

/** Runs a request; every OP call it makes, however deep, is added to `calls` and is the site's. */
export function onBehalfOf<T>(behalf: Behalf, work: () => T): T {
  return current.run(behalf, work)
}

/** Runs `work` on nobody's behalf: background refreshes that a command merely set off. */
export function onNobodysBehalf<T>(work: () => T): T {
  return current.exit(work)
}

/** Runs `work` whose outcome other sites wait for too, so that no site's limit must hold it up. */
export function forEverybody<T>(work: () => T): T {
  const behalf = current.getStore()
  return behalf ? current.run({ ...behalf, site: undefined }, work) : work()
}

/** @returns the request that is worked on now, if one is */
export function currentRequest(): string | undefined {
  return current.getStore()?.request_id
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
