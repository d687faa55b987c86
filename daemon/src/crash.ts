/** What is left to say when the process fails, and the filter on what it says beside its log. */
import { describeFault } from './faults.js'
import { live } from './live_secrets.js'
import type { Log } from './log.js'

/** Milliseconds that a write of the log, begun in another thread, may still take on a busy host. */
const ON_ITS_WAY = 250

/** Takes live secrets out of whatever JavaScript writes to standard output and standard error. */
export function guardOutput(): void {
  for (const name of ['stdout', 'stderr'] as const) {
    let guarded: NodeJS.WriteStream | undefined
    const get = Object.getOwnPropertyDescriptor(process, name)?.get as () => NodeJS.WriteStream
    // At the first use only: Node makes a pipe non-blocking by opening it, which is the log's too.
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get() {
        guarded ??= withFilter(get.call(process))
        return guarded
      },
    })
  }
}

function withFilter(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  const write = stream.write.bind(stream) as (text: string, ...rest: unknown[]) => boolean
  stream.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean =>
    write(live.hide(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()), ...rest)
  return stream
}

/**
 * Makes a crash one fatal line of the log and exit code 1, and Node's warnings lines of the log.
 * Left to itself, Node prints errors with all their properties, past every filter.
 */
export function guardFailures(log: Log): void {
  process.on('uncaughtException', (error) => crash(log, error, 'uncaught exception'))
  process.on('unhandledRejection', (reason) => crash(log, reason, 'unhandled rejection'))
  process.removeAllListeners('warning')
  process.on('warning', (warning) => log.warn(describeFault(warning), 'warning of Node'))
}

function crash(log: Log, error: unknown, what: string): never {
  try {
    // A line on its way to the kernel is neither overtaken nor lost.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ON_ITS_WAY)
    // pino writes out what it holds before this returns.
    log.fatal(describeFault(error), `crashed by an ${what}`)
  } finally {
    // Also where the line could not be written; what is half done is undone at the next start.
    process.exit(1)
  }
}
