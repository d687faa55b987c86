/** The built daemon as a process of its own, with everything it keeps in a folder that is removed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, inject } from 'vitest'
import { Wire } from './wire.js'

const COLLECT_GARBAGE = new URL('collect_garbage.mjs', import.meta.url).href
const PROGRAM = fileURLToPath(new URL('../../daemon/dist/main.js', import.meta.url))

export interface LogLine {
  level: number
  msg: string
  [member: string]: unknown
}

export interface DaemonOptions {
  /** Lines for the section [daemon]. */
  daemon?: Record<string, string | number>
  /** Further sections, as text; `{folder}` is its folder. */
  sections?: string
  /** A command and its arguments that the daemon runs under, such as strace; `{folder}` is its folder. */
  under?: string[]
  /** The daemon's main.js, instead of the one that is built in this tree. */
  program?: string
  /** Its environment beyond the test's own; `{folder}` is its folder. */
  env?: Record<string, string>
  /** True to have `keptMib`. */
  memory?: boolean
  /** False for loads so great that holding each reply against its declaration takes too long. */
  record?: boolean
}

/** What a daemon has in its store. */
export interface Stock {
  sites: number
  sessions: number
}

/**
 * A daemon under test: start it, stop or kill it, start it again on the same folder. It listens on
 * `socket` and on a TCP port that the kernel chooses; hosts at 127.0.0.1 may be called without TLS.
 */
export class TestDaemon implements AsyncDisposable {
  static readonly #by_folder = new Map<string, TestDaemon>()
  readonly folder = mkdtempSync(join(tmpdir(), 'relyd-test-'))
  readonly socket = join(this.folder, 'relyd.sock')
  readonly admin_socket = join(this.folder, 'admin.sock')
  readonly config = join(this.folder, 'relyd.cfg')
  readonly #memory = join(this.folder, 'memory')
  readonly #options: DaemonOptions
  #process: ChildProcess | undefined
  #addresses: string[] = []
  #metrics_address: string | undefined
  #stderr = ''
  readonly #lines: string[] = []

  constructor(options: DaemonOptions = {}) {
    this.#options = options
    TestDaemon.#by_folder.set(this.folder, this)
    const lines = Object.entries({
      state_directory: join(this.folder, 'state'),
      // Not in the state, which several daemons of a test may share.
      admin_socket: this.admin_socket,
      insecure_op_hosts: '127.0.0.1',
      ...options.daemon,
    }).map(([name, value]) => `${name} = ${value}`)
    const sections = this.#inFolder(options.sections ?? '')
    // A test registers more sites in a minute than a host does.
    const realm = sections.includes('[realm default]')
      ? ''
      : '[realm default]\nregistrations_per_minute = 100000\nsites = 1000000\n'
    writeFileSync(
      this.config,
      `[daemon]\n${lines.join('\n')}\n[listener site]\naddress = unix:${this.socket}\n[listener tcp]\naddress = tcp:127.0.0.1:0\n${realm}${sections}\n`,
    )
  }

  static async start(options: DaemonOptions = {}): Promise<TestDaemon> {
    const daemon = new TestDaemon(options)
    try {
      await daemon.start()
    } catch (error) {
      await daemon[Symbol.asyncDispose]()
      throw error
    }
    return daemon
  }

  /** The one that a connection to a Unix socket in its folder leads to. */
  static behind({ path = '' }: Wire): TestDaemon {
    const daemon = TestDaemon.#by_folder.get(dirname(path))
    if (!daemon) throw new Error(`no daemon of this test listens at ${path}`)
    return daemon
  }

  /** How many sites and sessions it has, of all realms. */
  async stored(): Promise<Stock> {
    using admin = await Wire.connect(this.admin_socket)
    const { realms }: { realms: Stock[] } = await admin.ok('status')
    const sum = (of: keyof Stock) => realms.reduce((all, realm) => all + realm[of], 0)
    return { sites: sum('sites'), sessions: sum('sessions') }
  }

  /** How many sessions a site has, whatever happens to others meanwhile. */
  async sessionsOf(oxd_id: string): Promise<number> {
    using admin = await Wire.connect(this.admin_socket)
    return (await admin.ok('show_site', { site: oxd_id })).sessions
  }

  /** Everything it wrote since its latest start, as it wrote it; the log over all starts. */
  get output(): string {
    return `${this.#lines.join('\n')}\n${this.#stderr}`
  }

  /** Everything it logged, over all starts. */
  get log(): LogLine[] {
    return this.#lines.map((line): LogLine => JSON.parse(line))
  }

  /** Its main.js. */
  get program(): string {
    return this.#options.program ?? PROGRAM
  }

  get port(): number {
    return this.portOf(1)
  }

  /** The port of a TCP listener, by its place in the configuration; those of `sections` begin at 2. */
  portOf(listener: number): number {
    const address = this.#addresses[listener]
    if (address === undefined) throw new Error('the daemon has not started')
    return Number(address.split(':').pop())
  }

  /** The port of `metrics_address`. */
  get metrics_port(): number {
    if (this.#metrics_address === undefined) throw new Error('there is no metrics_address')
    return Number(this.#metrics_address.split(':').pop())
  }

  get pid(): number {
    const pid = this.#process?.pid
    if (pid === undefined) throw new Error('the daemon has not started')
    return pid
  }

  /** Memory that is still in use when all garbage is collected, in MiB; for a daemon with `memory`. */
  async keptMib(): Promise<number> {
    rmSync(this.#memory, { force: true })
    process.kill(this.pid, 'SIGUSR2')
    await expect.poll(() => existsSync(this.#memory), { timeout: 10_000, interval: 5 }).toBe(true)
    return Number(readFileSync(this.#memory, 'utf8')) / 1024 ** 2
  }

  /** Sees that it keeps no more than so many MiB beyond what it kept, once all under way has ended. */
  async expectKept(before: number, most: number): Promise<void> {
    const grown = async () => (await this.keptMib()) - before
    await expect.poll(grown, { timeout: 10_000, interval: 100 }).toBeLessThan(most)
  }

  /** Resolves when it listens; rejects with what it wrote to stderr when it ends before. */
  async start(): Promise<void> {
    const [program, ...args] = [
      ...(this.#options.under ?? []).map((word) => this.#inFolder(word)),
      process.execPath,
      this.program,
      'serve',
      '--config',
      this.config,
    ]
    const child = spawn(program as string, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...(this.#options.memory && {
          NODE_OPTIONS: `--import=${COLLECT_GARBAGE}`,
          RELYD_TEST_MEMORY: this.#memory,
        }),
        RELYD_RECORD: this.#options.record === false ? '' : inject('record'),
        ...Object.fromEntries(
          Object.entries(this.#options.env ?? {}).map(([name, value]) => [
            name,
            this.#inFolder(value),
          ]),
        ),
      },
    })
    this.#process = child
    this.#stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    await new Promise<void>((resolve, reject) => {
      createInterface(child.stdout).on('line', (text) => {
        this.#lines.push(text)
        // With log_format = pretty its members come last.
        const [members] = /^\{.*"msg":"ready".*\}$|(?<= ready )\{.*\}$/.exec(text) ?? []
        if (members === undefined) return
        const line = JSON.parse(members) as LogLine
        this.#addresses = line['addresses'] as string[]
        this.#metrics_address = line['metrics'] as string | undefined
        resolve()
      })
      child.once('error', reject)
      child.once('exit', (code) =>
        reject(new Error(`the daemon ended with ${code}: ${this.#stderr}`)),
      )
    })
  }

  /** Ends the pipe that its log goes to, as when the reader of a pipe dies. */
  closeLog(): void {
    this.#process?.stdout?.destroy()
  }

  /** Sends SIGTERM. @returns its exit code */
  async stop(): Promise<number | null> {
    return this.signal('SIGTERM')
  }

  /** Sends the signal and waits for the end. @returns its exit code, null when it was killed */
  async signal(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#process
    if (!child || child.exitCode !== null || child.signalCode !== null) return null
    // Not its exit: by then, what it wrote last may not have been read.
    const close = once(child, 'close')
    child.kill(signal)
    const [code] = (await close) as [number | null]
    return code
  }

  #inFolder(text: string): string {
    return text.replaceAll('{folder}', this.folder)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.signal('SIGKILL')
    TestDaemon.#by_folder.delete(this.folder)
    rmSync(this.folder, { recursive: true, force: true })
  }
}
