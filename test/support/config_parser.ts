/** Python's ConfigParser, to compare with: one process that reads many files. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { is, type Python, python27 } from './python27.js'

const SCRIPT = fileURLToPath(new URL('config_parser.py', import.meta.url))

/** `value` is null where Python cannot replace `%(…)s`; `raw` is as it stands. */
export interface Entry {
  value: string | null
  raw: string
}

/** Entries by section and key; `DEFAULT` is there if it has any. */
export type Sections = Record<string, Record<string, Entry>>

/** What Python makes of a file: its values, or the name of its exception. */
export type Reading = { sections: Sections } | { error: string }

export class ConfigParser implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  #last: Promise<unknown> = Promise.resolve()

  private constructor({ command, env }: Python) {
    this.#child = spawn(command, [SCRIPT], { env })
    this.#child.stderr.pipe(process.stderr)
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]()
  }

  /** @throws if there is no Python 3: the suite needs it */
  static python3(): ConfigParser {
    const python = { command: 'python3', env: process.env }
    if (is(python, 'sys.version_info[0] == 3')) return new ConfigParser(python)
    throw new Error(
      'these tests compare with Python: install Python 3, so that "python3" starts it (Debian: apt-get install python3)',
    )
  }

  /** @returns undefined where there is no Python 2.7 */
  static python27(): ConfigParser | undefined {
    const python = python27()
    return python && new ConfigParser(python)
  }

  /** Answers come in the order of the questions. */
  read(text: string): Promise<Reading> {
    const reading = this.#last.then(async (): Promise<Reading> => {
      this.#child.stdin.write(`${Buffer.from(text).toString('base64')}\n`)
      const { value, done } = await this.#lines.next()
      if (done) throw new Error('Python ended; see standard error')
      return JSON.parse(value)
    })
    this.#last = reading.catch(() => {})
    return reading
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end()
    if (this.#child.exitCode === null) {
      await new Promise((resolve) => this.#child.once('exit', resolve))
    }
  }
}
