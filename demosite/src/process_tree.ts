/** The parent's end of the process tree: starts children, notices when one dies, and leaves none behind. */
import { type ChildProcess, type ForkOptions, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { printable } from './printable.js'

/** A child stopped although nobody asked it to. */
export class ChildError extends Error {
  override readonly name = 'ChildError'
}

// In a process group of their own, Ctrl-C at the terminal reaches the parent alone, which then stops
// its children in order, and can tell that from a child that died.
const apart: ForkOptions = { detached: true, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }

/** How long a child may take to stop before it is killed. */
const patience_ms = 5000

export class ProcessTree {
  readonly #children: ChildProcess[] = []
  #stopping = false
  #fail: (error: ChildError) => void = () => {}

  /** Rejects when a child dies by itself; never resolves. */
  readonly failure = new Promise<never>((_resolve, reject) => {
    this.#fail = reject
  })

  constructor() {
    // It may happen while nobody looks, which is for `stop` to sort out, not a crash.
    this.failure.catch(() => {})
    // Should this process fail where nobody expects it, at least nothing stays behind.
    process.once('exit', () => this.kill())
  }

  /**
   * Starts one of our own scripts, which call `serveParent`.
   *
   * @returns the address that it serves
   */
  async runScript(name: string, script: string, args: string[] = []): Promise<string> {
    const path = fileURLToPath(new URL(script, import.meta.url))
    const child = this.#watch(name, fork(path, args, apart))
    const [{ address }] = (await this.#unlessFailed(once(child, 'message'))) as [
      { address: string },
    ]
    return address
  }

  /** Starts the daemon; resolves when it listens. */
  async runRelyd(config: string): Promise<void> {
    const package_file = fileURLToPath(import.meta.resolve('relyd/package.json'))
    const { bin } = JSON.parse(readFileSync(package_file, 'utf8')) as { bin: { relyd: string } }
    const script = fileURLToPath(new URL(bin.relyd, import.meta.resolve('relyd/package.json')))
    const args = [script, 'serve', '--config', config]
    const child = this.#watch(
      'relyd',
      spawn(process.execPath, args, { ...apart, stdio: ['ignore', 'pipe', 'inherit'] }),
    )
    await this.#unlessFailed(readyInLog(child))
  }

  /** Stops all children, the youngest first: it may still need the older ones. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const child of this.#children.toReversed()) {
      if (hasEnded(child)) continue
      const timer = setTimeout(() => child.kill('SIGKILL'), patience_ms)
      child.kill('SIGTERM')
      await once(child, 'exit')
      clearTimeout(timer)
    }
  }

  /** For those who press Ctrl-C twice. */
  kill(): void {
    for (const child of this.#children) child.kill('SIGKILL')
  }

  #watch(name: string, child: ChildProcess): ChildProcess {
    this.#children.push(child)
    child.once('error', (error) => this.#fail(new ChildError(`${name}: ${error.message}`)))
    child.once('exit', (code, signal) => {
      const how = signal ? `was killed by ${signal}` : `stopped with exit code ${code}`
      this.#fail(new ChildError(`${name} ${how}`))
    })
    // Started while everything else was being stopped.
    if (this.#stopping) child.kill('SIGKILL')
    return child
  }

  #unlessFailed<T>(ready: Promise<T>): Promise<T> {
    return Promise.race([ready, this.failure])
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}

/** Follows relyd's log: tells of troubles, and resolves at the line that says it is ready. */
function readyInLog(relyd: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    let is_ready = false
    if (!relyd.stdout) throw new Error('stdout of relyd must be a pipe')
    createInterface(relyd.stdout).on('line', (line) => {
      const { level, msg, time: _, ...rest } = parseLine(line)
      if (msg === 'ready') {
        is_ready = true
        resolve()
      }
      // pino's levels: 40 is a warning, 50 an error. Warnings before it is ready are for the owners
      // of a new installation: back up the key, and the like.
      if (level >= (is_ready ? 40 : 50)) {
        console.error(printable(`relyd: ${msg} ${JSON.stringify(rest)}`))
      }
    })
  })
}

function parseLine(line: string): { level: number; msg: string; time?: unknown } {
  try {
    return JSON.parse(line)
  } catch {
    return { level: 50, msg: line }
  }
}
