/** Counts a realm's calls to OPs, and tells the log of those that failed. */
import { bounded } from '../errors.js'
import type { Log } from '../log.js'
import type { OpCall } from '../op/http.js'
import type { Metrics } from './metrics.js'
import type { OpNames } from './op_names.js'

/** @returns what to tell of every call */
export function observeOpCalls(metrics: Metrics, names: OpNames, log: Log): (call: OpCall) => void {
  return ({ host, outcome, http_status, ms, why }) => {
    if (http_status !== undefined) names.answered(host)
    const op = names.of(host)
    metrics.count('relyd_op_calls_total', op, outcome).add()
    if (ms !== undefined) metrics.times('relyd_op_call_duration_seconds', op).observe(ms / 1000)
    if (outcome === 'ok') return
    const line = { op: bounded(host), outcome, ...(http_status && { http_status }), why }
    // What an OP refuses may be as it should: a code used twice, a token that was revoked.
    if (outcome === 'refused') log.info(line, 'OP call')
    else log.warn(line, 'OP call')
  }
}
