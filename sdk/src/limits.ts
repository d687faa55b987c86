/** How long a call may take, and how long to wait before the next attempt. */
import type { CallOptions } from './call_options.js'
import { onAbort } from './on_abort.js'

/** What `setTimeout` can count. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

const FIRST_BACK_OFF_MS = 50
const LONGEST_BACK_OFF_MS = 1000

/** Options of calls that the SDK itself makes, too. */
export interface Limits extends CallOptions {
  /** Nobody waits for it: its timer keeps no process alive. */
  background?: boolean | undefined
  /** It may wait for the OP; false unless given. */
  op?: boolean | undefined
}

/**
 * @returns a timeout that timers can keep
 * @throws {RangeError} if it is not a positive number of milliseconds
 */
export function checkTimeout(timeout_ms: number): number {
  if (timeout_ms > 0) return Math.min(timeout_ms, LONGEST_TIMEOUT_MS)
  throw new RangeError(`timeout_ms must be a positive number, not ${timeout_ms}`)
}

/**
 * Watches a call's limits. The timer is what keeps the process alive while a call is pending that
 * somebody waits for.
 *
 * @param exceeded told at most once, before or after this function has returned
 * @returns ends the watch
 */
export function watchLimits(
  { timeout_ms, signal, background }: Limits & { timeout_ms: number },
  exceeded: (code: 'ERR_TIMEOUT' | 'ERR_ABORTED', cause?: unknown) => void,
): () => void {
  const aborted = () => exceeded('ERR_ABORTED', signal?.reason)
  if (signal?.aborted) {
    aborted()
    return () => {}
  }
  const timer = setTimeout(exceeded, timeout_ms, 'ERR_TIMEOUT')
  if (background) timer.unref()
  const unwatch = signal && onAbort(signal, aborted)
  return () => {
    clearTimeout(timer)
    unwatch?.()
  }
}

/** Milliseconds before attempt number `attempt`, from 0: doubling, and scattered, so that many do not come at once. */
export function backOffMs(attempt: number, longest = LONGEST_BACK_OFF_MS): number {
  const most = Math.min(longest, FIRST_BACK_OFF_MS * 2 ** attempt)
  return most * (0.5 + Math.random() / 2)
}
