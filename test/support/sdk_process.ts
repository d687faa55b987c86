/** A website's process on the built SDK, which ends by itself or is killed after the test. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'

/** Runs a script with a `connection` to `path`. @returns what it printed, once it has ended */
export function runOnSdk(script: string, path: string): { output: Promise<string> } {
  const module = JSON.stringify(new URL('../../sdk/dist/connection.js', import.meta.url))
  return runModule(`import { Connection } from ${module}
    const connection = new Connection({ path: ${JSON.stringify(path)} }, 20_000)
    ${script}`)
}

/** Runs a script with a `client` of the site's cfg. @returns what it printed, once it has ended */
export function runOnClient(script: string, cfg: string): { output: Promise<string> } {
  const module = JSON.stringify(new URL('../../sdk/dist/index.js', import.meta.url))
  return runModule(`import { Client } from ${module}
    const client = new Client(${JSON.stringify(cfg)})
    ${script}`)
}

function runModule(text: string): { output: Promise<string> } {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', text], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let written = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      written += chunk
    })
  }
  return { output: once(child, 'close').then(() => written) }
}
