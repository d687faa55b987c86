/** A website in Python 2.7 with a client library of oxd's and its cfg, driven call by call. */
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Python, python27 } from '../python27.js'

const DRIVER = fileURLToPath(new URL('../../peers/oxd_python_driver.py', import.meta.url))
const OXDPYTHON = 'oxdpython==3.1.3.1'
const SHA256 = '09f74260064572d93963ea385454c2742dde9307ef26f2d0eafb32126c208f50'

/** Where the library is: a module on Python's path, and a class in it. */
export interface PythonLibrary {
  module: string
  class: string
  /** A folder for Python's path, beside the driver's. */
  path?: string
}

/** What a cfg says, by section. */
export type Cfg = Record<'oxd' | 'client', Record<string, string | number>>

export class PythonClient implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'relyd-oxd-'))
  readonly #cfg = join(this.#folder, 'site.cfg')
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  #stderr = ''

  constructor(library: PythonLibrary, { oxd, client }: Cfg) {
    writeFileSync(this.#cfg, `[oxd]\n${linesOf(oxd)}\n[client]\n${linesOf(client)}`)
    const { command, env } = python27() as Python
    this.#child = spawn(command, [DRIVER, library.module, library.class, this.#cfg], {
      env: { ...env, PYTHONPATH: library.path ?? '', PYTHONDONTWRITEBYTECODE: '1' },
    })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    // Once it has ended, the next answer tells why.
    this.#child.stdin.on('error', () => {})
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]()
  }

  /** What the cfg says now. */
  get cfg(): string {
    return readFileSync(this.#cfg, 'utf8')
  }

  /** Calls a method, or reads an attribute. @throws for the library's exception */
  // biome-ignore lint/suspicious/noExplicitAny: what libraries return has every shape
  async call(name: string, args: unknown[] = [], kwargs: object = {}): Promise<any> {
    this.#child.stdin.write(`${JSON.stringify({ call: name, args, kwargs })}\n`)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`Python ended: ${this.#stderr}`)
    const { result, error } = JSON.parse(value)
    if (error) throw new Error(`${error.type}: ${error.message}`)
    return result
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#child
    if (exitCode === null && signalCode === null) {
      const exit = once(this.#child, 'exit')
      // It may be waiting for a reply.
      this.#child.kill('SIGKILL')
      await exit
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** oxdpython as it is on PyPI, in a folder of its own. */
export async function installOxdpython(folder: string): Promise<PythonLibrary> {
  const requirements = join(folder, 'requirements.txt')
  const path = join(folder, 'packages')
  writeFileSync(requirements, `${OXDPYTHON} --hash=sha256:${SHA256}\n`)
  const { command, env } = python27() as Python
  const pip = ['-m', 'pip', 'install', '--quiet', '--require-hashes', '--no-deps']
  await promisify(execFile)(command, [...pip, '--target', path, '--requirement', requirements], {
    env,
  })
  return { module: 'oxdpython', class: 'Client', path }
}

function linesOf(section: Record<string, string | number>): string {
  return Object.entries(section)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('')
}
