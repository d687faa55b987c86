/** A website's processes, each with the built SDK, that make the same call when they are told to. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../peers/calling_process.js', import.meta.url))

// biome-ignore lint/suspicious/noExplicitAny: tests look into outcomes of every shape
export type Outcome = any

interface Started {
  child: ChildProcess
  lines: AsyncIterator<string>
}

export class SiteProcesses implements AsyncDisposable {
  readonly #started: Started[]

  private constructor(started: Started[]) {
    this.#started = started
  }

  /** Starts so many; resolves when all are connected. */
  static async start(
    count: number,
    cfg: string,
    method: string,
    params: object,
  ): Promise<SiteProcesses> {
    const args = [PROGRAM, cfg, method, JSON.stringify(params)]
    const processes = new SiteProcesses(
      Array.from({ length: count }, () => {
        const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
        const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
        return { child, lines }
      }),
    )
    for (const { lines } of processes.#started) await lines.next()
    return processes
  }

  /** Lets those of a range call. @returns the result or error of each */
  call(start = 0, end = this.#started.length): Promise<Outcome[]> {
    return Promise.all(
      this.#started.slice(start, end).map(async ({ child, lines }): Promise<Outcome> => {
        child.stdin?.write('\n')
        return JSON.parse((await lines.next()).value)
      }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#started) child.kill('SIGKILL')
  }
}
