/** A website that is built, as a process of its own in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { cookiesOf } from './cookies.js'
import { EndUser } from './end_user.js'
import { freePort } from './free_port.js'
import { navigate } from './navigate.js'

const EXAMPLES = fileURLToPath(new URL('../../sdk/examples/dist/', import.meta.url))

export class ExampleWebsite implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'relyd-website-'))
  readonly origin: string
  readonly #port: number
  #process: ChildProcess | undefined
  #output = ''

  private constructor(port: number) {
    this.#port = port
    this.origin = `http://localhost:${port}`
  }

  /**
   * Starts an example of the SDK, and waits until it answers.
   *
   * @param cfgs its site.cfg, which says that it listens on port 3000; or several files by their names
   */
  static async start(name: string, cfgs: string | Record<string, string>): Promise<ExampleWebsite> {
    const website = new ExampleWebsite(await freePort())
    for (const [file, cfg] of Object.entries(typeof cfgs === 'string' ? { site: cfgs } : cfgs)) {
      const text = cfg.replaceAll(':3000', `:${website.#port}`)
      writeFileSync(join(website.folder, `${file}.cfg`), text)
    }
    await website.#run(name)
    return website
  }

  /** A page as a browser asks for it, or a form that is posted with `method`. */
  get(path: string, cookie = '', method = 'GET'): Promise<Response> {
    const headers = { cookie, ...(method === 'POST' && { origin: this.origin }) }
    return navigate(new URL(path, this.origin), { method, headers })
  }

  /** Logs Alice in. @returns the callback's request and answer, and the cookies that she has then */
  async logIn(path = '/login', user = new EndUser()) {
    const login = await this.get(path)
    const callback = await user.logIn(login.headers.get('location') as string)
    const back = await this.get(callback, cookiesOf(login))
    return { callback, login_cookie: cookiesOf(login), back, cookie: cookiesOf(back) }
  }

  /** What it wrote to its output. */
  get output(): string {
    return this.#output
  }

  async #run(name: string): Promise<void> {
    const child = spawn(process.execPath, [join(EXAMPLES, `${name}.js`)], {
      cwd: this.folder,
      env: { ...process.env, PORT: String(this.#port) },
    })
    this.#process = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
      })
    }
    const status = () =>
      child.exitCode === null
        ? this.get('/').then(
            ({ status }) => status,
            () => 'not yet',
          )
        : this.#output
    await expect.poll(status, { timeout: 10_000 }).toBe(200)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#process
    if (child && child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit')
      child.kill()
      await exit
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}
