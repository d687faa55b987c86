/** The daemon's log on standard output: a JSON object a line for the journal, or text for a terminal. */
import { isatty } from 'node:tty'
import { type DestinationStream, destination, type Logger, pino } from 'pino'
import { describeFault } from './faults.js'
import { live } from './live_secrets.js'
import { escapeObeyed } from './obeyed.js'
import { currentRequest } from './on_behalf.js'

export type Log = Logger

/** `auto` is `pretty` on a terminal, and `json` everywhere else. */
export type LogFormat = 'auto' | 'json' | 'pretty'

/** Opens the log on standard output. */
export async function openLog(level: string, format: LogFormat): Promise<Log> {
  const stream = standardOutput()
  if (format === 'json' || (format === 'auto' && !isatty(STDOUT))) return createLog(level, stream)
  // Only where it is needed: it is slow to load.
  const { prettyLines } = await import('./log_pretty.js')
  return createLog(level, prettyLines(stream, isatty(STDOUT)))
}

/**
 * @param level as pino names them
 * @param stream where lines go, written without blocking
 */
export function createLog(level: string, stream: DestinationStream = standardOutput()): Log {
  const options = {
    level,
    base: null,
    timestamp: pinoTime,
    // pino's own would write all of an error's properties.
    serializers: { err: describeFault },
    hooks: { streamWrite: lastFilter },
    mixin: requestOf,
  }
  return pino(options, stream)
}

const STDOUT = 1

/** Members in which the daemon writes words of its own, which no secret may take out of the log. */
const own_words = new Set(['level', 'time', 'command', 'realm', 'site', 'outcome', 'request_id'])

/** Every line that is logged on behalf of a request names it. */
function requestOf(): { request_id?: string } {
  const request_id = currentRequest()
  // A new one each time: pino puts the line's members into it.
  return request_id === undefined ? {} : { request_id }
}

/** Every line passes here, after all else was done to it. It remains one line of JSON. */
export function lastFilter(line: string): string {
  const shown = live.hide(line) === line ? line : hiddenIn(line)
  return escapeObeyed(shown)
}

/** Value by value: a secret may be of characters that JSON needs, or escapes. */
function hiddenIn(line: string): string {
  const members = Object.entries(JSON.parse(line) as object).map(([name, value]) =>
    own_words.has(name) ? [name, value] : [live.hide(name), live.hideIn(value)],
  )
  return `${JSON.stringify(Object.fromEntries(members))}\n`
}

/** Milliseconds that the last lines get; whoever read them may be gone. */
const FLUSH = 500

/** Writes what is still buffered, before the process ends. */
export function flushLog(log: Log): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, FLUSH)
    log.flush(() => resolve())
  })
}

function standardOutput() {
  return destination({ dest: STDOUT, sync: false })
}

let last_ms = 0
let last_time = ''

/** The same text serves all lines of a millisecond. */
function pinoTime(): string {
  const now = Date.now()
  if (now !== last_ms) {
    last_ms = now
    last_time = `,"time":"${new Date(now).toISOString()}"`
  }
  return last_time
}
