/** The log for a terminal: the lines of the journal, each after its last filter, told for people. */
import pinoPretty from 'pino-pretty'

/** Where finished lines go; what pino asks of a stream. */
export interface LineStream {
  write(line: string): void
  flush(done?: (error?: Error) => void): void
  flushSync(): void
}

/**
 * In this thread and at once, so that a crash finds nothing on its way.
 *
 * @param stream where the text goes
 * @param terminal whether one shows it, perhaps in colours
 */
export function prettyLines(stream: LineStream, terminal: boolean): LineStream {
  const prettify = pinoPretty.prettyFactory({
    colorize: terminal && pinoPretty.isColorSupported,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
  })
  return {
    write(line) {
      stream.write(prettyLine(line, prettify))
    },
    flush: (done) => stream.flush(done),
    flushSync: () => stream.flushSync(),
  }
}

function prettyLine(line: string, prettify: (members: object) => string): string {
  const { stack, causes, ...members } = JSON.parse(stillEscaped(line)) as Record<string, unknown>
  const faults = [stack, ...(Array.isArray(causes) ? causes : [])].filter(isText)
  return prettify(members) + faults.map(indented).join('')
}

/**
 * The filter has left everything that a terminal obeys as an escape of JSON. It stays one when the
 * text is read: a backslash and letters.
 */
function stillEscaped(line: string): string {
  return line.replace(/\\(.)/g, (sequence, letter: string) =>
    'bfnrtu'.includes(letter) ? `\\${sequence}` : sequence,
  )
}

/** The lines of a stack, none of which can be taken for a line of the log. */
function indented(fault: string): string {
  return fault
    .split('\\n')
    .map((line) => `    ${line}\n`)
    .join('')
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
