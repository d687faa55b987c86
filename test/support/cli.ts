/** The built command relyd, run to its end beside what the test does. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../daemon/dist/main.js', import.meta.url))

export interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

/**
 * @param env beyond the test's own
 * @param under a command and its arguments that it runs under, such as strace
 */
export function relyd(
  args: string[],
  env: Record<string, string> = {},
  under: string[] = [],
): Promise<Ended> {
  const [program, ...rest] = [...under, process.execPath, PROGRAM, ...args]
  return new Promise((resolve, reject) => {
    const child = spawn(program as string, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    const ended: Ended = { status: null, stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      ended.stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      ended.stderr += text
    })
    child.once('error', reject)
    child.once('close', (status) => resolve({ ...ended, status }))
  })
}
