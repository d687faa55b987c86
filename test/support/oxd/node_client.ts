/** A website with oxd-node as it is on npm, in a process of its own, driven call by call. */
import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { OxdReply } from './oxd_wire.js'

const DRIVER = fileURLToPath(new URL('../../peers/oxd_node_driver.js', import.meta.url))
const INTEGRITY =
  'sha512-teuqw8IzOlDHhdfdHUywXrSmnNzu9g+FUgot8cm0OUzX4kPwYdyqUQVtlSLJmqxa1S0SM8qxYY+t6v0efRKyZg=='

interface Answer {
  id: number
  error?: string
  response: OxdReply
}

export class NodeClient implements AsyncDisposable {
  readonly #config: object
  readonly #child: ChildProcess
  #calls = 0
  #stderr = ''

  /** @param folder where {@link installOxdNode} put it */
  constructor(folder: string, config: { host: string; port: number; https_extension?: boolean }) {
    this.#config = { https_extension: false, ...config }
    // What it tells on standard output has secrets and tokens.
    this.#child = fork(DRIVER, [folder], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
  }

  /** What the callback gets as its response. @throws for its error */
  call(method: string, params: object = {}): Promise<OxdReply> {
    this.#calls += 1
    const id = this.#calls
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error(`oxd-node ended: ${this.#stderr}`))
      const answered = (answer: Answer) => {
        if (answer.id !== id) return
        this.#child.off('message', answered).off('exit', ended)
        if (answer.error) reject(new Error(answer.error))
        else resolve(answer.response)
      }
      this.#child.on('message', answered).once('exit', ended)
      this.#child.send({ id, config: this.#config, method, params }, (error) => {
        if (error) ended()
      })
    })
  }

  async ok(method: string, params: object = {}): Promise<OxdReply['data']> {
    const { status, data } = await this.call(method, params)
    if (status === 'ok') return data
    throw new Error(`${method}: ${data.error}: ${data.error_description}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null || signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }
}

/** Its dependencies are old: none of their scripts is run. */
export async function installOxdNode(folder: string): Promise<void> {
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  const install = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
  await promisify(execFile)('npm', [...install, 'oxd-node@3.1.4'], { cwd: folder })
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'))
  const { integrity } = lock.packages['node_modules/oxd-node']
  if (integrity !== INTEGRITY) throw new Error(`this is not oxd-node as we know it: ${integrity}`)
}
