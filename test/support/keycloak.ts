/** A real Keycloak as its makers publish it: fetched by Maven, checked, built once, and run on loopback. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { expect, vi } from 'vitest'
import { freePort } from './free_port.js'
import { required } from './required.js'

const VERSION = '26.4.5'
const SHA256 = '72f73642a2c36de797d51b4b2b342d4a49f6e5832af10aa470cd123627bd80b3'
/** Maven keeps what it fetched in its own repository, and is told there or in its settings where from. */
const MAVEN_COPY = 'org.apache.maven.plugins:maven-dependency-plugin:2.8:copy'

const ADMIN = 'operator'
const PASSWORD = 'of the tests'
const SECONDS = 1000

const run = promisify(execFile)

/** Java 17 or 21, and Maven. */
export function hasKeycloak(): boolean {
  return required(
    'java and mvn (on Debian: apt-get install openjdk-17-jre-headless maven)',
    () =>
      spawnSync('java', ['-version']).status === 0 && spawnSync('mvn', ['--version']).status === 0,
  )
}

/** One server: start it, stop it, start it again on the same port with all that it knew. */
export class Keycloak implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'relyd-keycloak-'))
  readonly #home = join(this.folder, `keycloak-${VERSION}`)
  #port = 0
  #process: ChildProcess | undefined
  #output = ''
  #token: { text: string; until: number } | undefined

  /** Fetches and builds it. It does not run yet. */
  static async create(): Promise<Keycloak> {
    const keycloak = new Keycloak()
    try {
      await keycloak.#install()
      return keycloak
    } catch (error) {
      await keycloak[Symbol.asyncDispose]()
      throw error
    }
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** What it logged. */
  get output(): string {
    return this.#output
  }

  /** The processes that it is made of: a shell and, below it, Java. */
  get pids(): number[] {
    const { pid } = this.#process ?? {}
    return pid === undefined ? [] : processesOf(pid)
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    if (this.#port === 0) this.#port = await freePort()
    const child = this.#spawn([
      // Not the one that listens for other members of a cluster, on every address.
      ...['start', '--optimized', '--cache=local'],
      ...['--http-enabled=true', '--hostname-strict=false'],
      ...['--http-host=127.0.0.1', `--http-port=${this.#port}`],
    ])
    this.#process = child
    await vi.waitFor(
      async () => {
        const { ok } = await fetch(`${this.origin}/realms/master`).catch(() => ({ ok: false }))
        // Nothing is waited for that will not come.
        if (!ok && child.exitCode === null) throw new Error('Keycloak does not answer')
      },
      { timeout: 120 * SECONDS, interval: 100 },
    )
    if (child.exitCode !== null) throw new Error(`Keycloak ended: ${this.#output}`)
  }

  /** As its operator would: Java writes down what it has to, and ends. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  /**
   * A request to its administration.
   *
   * @param path below `/admin/realms`
   */
  async admin<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.origin}/admin/realms${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await this.#adminToken()}`,
        'content-type': 'application/json',
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #install(): Promise<void> {
    const artifact = `-Dartifact=org.keycloak:keycloak-quarkus-dist:${VERSION}:zip`
    await run('mvn', ['-B', '-q', MAVEN_COPY, artifact, `-DoutputDirectory=${this.folder}`], {
      cwd: this.folder,
    })
    const zip = join(this.folder, `keycloak-quarkus-dist-${VERSION}.zip`)
    const hash = createHash('sha256')
    await pipeline(createReadStream(zip), hash)
    expect(hash.digest('hex'), 'SHA-256 of Keycloak').toBe(SHA256)
    // Python is there, whatever else unpacks is not.
    await run('python3', ['-m', 'zipfile', '--extract', zip, this.folder])
    rmSync(zip)
    const build = this.#spawn(['build', '--db=dev-file'])
    const [code] = (await once(build, 'close')) as [number | null]
    if (code !== 0) throw new Error(`Keycloak was not built: ${this.#output}`)
  }

  #spawn(args: string[]): ChildProcess {
    const child = spawn('bash', [join(this.#home, 'bin/kc.sh'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, with which Java ends as well.
      detached: true,
      env: {
        ...process.env,
        JAVA_OPTS_KC_HEAP: '-Xms256m -Xmx768m',
        // It lives for a minute: to be compiled well takes longer than it saves.
        JAVA_OPTS_APPEND: '-XX:TieredStopAtLevel=1',
        KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN,
        KC_BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
      },
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
      })
    }
    return child
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
    // Its output closes with the last process that writes to it.
    const close = once(child, 'close')
    // The shell waits for Java, and ends when it has seen it end: nothing else would.
    const [java = child.pid] = processesOf(child.pid).filter((pid) => pid !== child.pid)
    process.kill(java, signal)
    await close
  }

  async #adminToken(): Promise<string> {
    if (this.#token && this.#token.until > Date.now()) return this.#token.text
    const response = await fetch(`${this.origin}/realms/master/protocol/openid-connect/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'password',
        client_id: 'admin-cli',
        username: ADMIN,
        password: PASSWORD,
      }),
    })
    const { access_token } = (await response.json()) as { access_token: string }
    // It is good for a minute.
    this.#token = { text: access_token, until: Date.now() + 30 * SECONDS }
    return access_token
  }
}

function processesOf(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && groupOf(name) === group)
    .map(Number)
}

/** The process group of a process, 0 when it has ended. */
function groupOf(pid: string): number {
  try {
    // After the name, which may have spaces: state, parent, group.
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()?.split(' ')[2])
  } catch {
    return 0
  }
}
