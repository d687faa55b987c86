/** The daemon's log: one JSON object a line on standard output, for the journal. */
import { type DestinationStream, destination, type Logger, pino } from 'pino'

export type Log = Logger

/**
 * @param level as pino names them
 * @param stream where lines go; standard output, written without blocking, unless a test listens
 */
export function createLog(level: string, stream: DestinationStream = standardOutput()): Log {
  return pino({ level, base: null, timestamp: pinoTime }, stream)
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

function standardOutput(): DestinationStream {
  return destination({ dest: 1, sync: false })
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
