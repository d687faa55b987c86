/** relyd as it runs in production: built, in its own process, with one line a command in its log. */
import type { ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startProgram } from './children.js'

const PROGRAM = fileURLToPath(new URL('../../daemon/dist/main.js', import.meta.url))
const START_MS = 10_000

/**
 * Starts it on a folder; its log goes to /dev/null.
 *
 * @param node_options of its Node, such as a profiler's
 * @param realm lines for its realm's section
 */
export async function startDaemon(
  folder: string,
  node_options: string[],
  realm = '',
): Promise<{ daemon: ChildProcess; socket: string }> {
  const socket = join(folder, 'relyd.sock')
  const config = join(folder, 'relyd.cfg')
  writeFileSync(
    config,
    `[daemon]
state_directory = ${join(folder, 'state')}
log_level = info
insecure_op_hosts = 127.0.0.1
[listener site]
address = unix:${socket}
[realm default]
${realm}
`,
  )
  const daemon = startProgram([...node_options, PROGRAM, 'serve', '--config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const end = performance.now() + START_MS
  while (!(await listens(socket))) {
    if (daemon.exitCode !== null) throw new Error(`relyd ended with ${daemon.exitCode}`)
    if (performance.now() > end) throw new Error(`relyd does not listen after ${START_MS} ms`)
    await sleep(20)
  }
  return { daemon, socket }
}

function listens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
