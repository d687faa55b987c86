/** systemd's end of sd_notify: what it was told. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { required } from './required.js'

const PROGRAM = fileURLToPath(new URL('notify_socket.py', import.meta.url))

export class NotifySocket implements AsyncDisposable {
  readonly path: string
  /** Each message as its lines, in their order. */
  readonly messages: string[][] = []
  readonly #folder: string
  readonly #process: ChildProcess

  private constructor(folder: string, path: string, process: ChildProcess) {
    this.#folder = folder
    this.path = path
    this.#process = process
  }

  static async start(): Promise<NotifySocket> {
    const folder = mkdtempSync(join(tmpdir(), 'relyd-notify-'))
    const path = join(folder, 'notify')
    const child = spawn('python3', [PROGRAM, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface(child.stdout)
    await once(lines, 'line')
    const socket = new NotifySocket(folder, path, child)
    lines.on('line', (line) => socket.messages.push((JSON.parse(line) as string).split('\n')))
    return socket
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exit
    rmSync(this.#folder, { recursive: true })
  }
}

/** Whether systemd's programs are there; it need not run. */
export function hasSystemd(): boolean {
  return required('systemd-notify and systemd-analyze', () =>
    ['systemd-notify', 'systemd-analyze'].every(
      (program) => spawnSync(program, ['--version']).status === 0,
    ),
  )
}
