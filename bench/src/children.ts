/** The processes that a run starts; each ends with the run, however the run ends. */
import { type ChildProcess, fork, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a Node program. */
export function startProgram(args: string[], options: SpawnOptions): ChildProcess {
  return watched(spawn(process.execPath, args, options))
}

/** Starts a module of this folder, with a channel to it. */
export function startModule(name: string, args: string[] = []): ChildProcess {
  return watched(fork(fileURLToPath(new URL(name, import.meta.url)), args))
}

/**
 * Waits for what the child says next.
 *
 * @throws Error if it ends instead
 */
export async function nextMessage<T>(child: ChildProcess): Promise<T> {
  const given_up = new AbortController()
  const { signal } = given_up
  try {
    const ended = once(child, 'exit', { signal }).then(([code]) => {
      throw new Error(`${child.spawnargs.slice(1, 3).join(' ')} ended with ${code}`)
    })
    const [message] = await Promise.race([once(child, 'message', { signal }), ended])
    return message
  } finally {
    given_up.abort()
  }
}

/** Asks it to end, and waits until it has. */
export async function stop(child: ChildProcess): Promise<void> {
  if (!running.has(child)) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

function watched(child: ChildProcess): ChildProcess {
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}
