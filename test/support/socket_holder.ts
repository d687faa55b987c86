/** What holds sockets and passes them to a daemon under test as systemd does, over all of its starts. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { TestDaemon } from './daemon.js'

const PROGRAM = fileURLToPath(new URL('socket_holder.py', import.meta.url))

export interface HeldSocket {
  name: string
  kind: 'unix' | 'unix_dgram' | 'unix_seqpacket' | 'tcp' | 'udp'
  /** A path, or an IP address; the kernel chooses the port. */
  address?: string
  /** 0660, if absent. */
  mode?: string
  /** False: it is bound, and does not listen. */
  listens?: false
  /** Its file is gone. */
  removed?: true
}

/** What a daemon that gets its sockets so runs `under`. */
export const underHolder = ['python3', PROGRAM, 'exec', '{folder}/control']

export class SocketHolder implements AsyncDisposable {
  readonly ports: (number | null)[]
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, ports: (number | null)[]) {
    this.#process = process
    this.ports = ports
  }

  /** @param environment beside LISTEN_PID and LISTEN_FDS, or instead of them; null takes one away */
  static async start(
    daemon: TestDaemon,
    sockets: HeldSocket[],
    environment: Record<string, string | null> = {},
  ): Promise<SocketHolder> {
    const names = sockets.map(({ name }) => name).join(':')
    const wanted = { sockets, environment: { LISTEN_FDNAMES: names, ...environment } }
    const child = spawn(
      'python3',
      [PROGRAM, 'hold', join(daemon.folder, 'control'), JSON.stringify(wanted)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const [line] = await once(createInterface(child.stdout), 'line')
    return new SocketHolder(child, JSON.parse(line as string))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exit
  }
}
