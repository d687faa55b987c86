/** The demosite as a newcomer starts it: one command, one process tree. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../demosite/dist/main.js', import.meta.url))

export class Demo implements AsyncDisposable {
  readonly address: string
  /** Where it makes its files, all of them. */
  readonly #folder: string
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, folder: string, address: string) {
    this.#process = process
    this.#folder = folder
    this.address = address
  }

  /** Resolves when it has printed the address to open. */
  static async start(options: string[] = ['--port', '0']): Promise<Demo> {
    const folder = mkdtempSync(join(tmpdir(), 'relyd-demo-test-'))
    const child = spawn(process.execPath, [MAIN, ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: folder },
    })
    let output = ''
    const address = await new Promise<string>((resolve, reject) => {
      const read = (text: Buffer) => {
        output += text
        const [, found] = /Open\s+(\S+)/.exec(output) ?? []
        if (found !== undefined) resolve(found)
      }
      child.stdout.on('data', read)
      child.stderr.on('data', read)
      child.once('exit', (code) => reject(new Error(`the demo ended with ${code}: ${output}`)))
    })
    return new Demo(child, folder, address)
  }

  /** Ctrl-C. @returns its exit code, and what it left behind */
  async interrupt(): Promise<{ code: number; left: string[] }> {
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGINT')
    const [code] = await exit
    return { code, left: readdirSync(this.#folder) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.interrupt()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
