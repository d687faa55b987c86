/** A host that runs systemd, in namespaces of this machine: a real service manager for a real unit. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { Ended } from './cli.js'

const SCRIPT = fileURLToPath(new URL('booted_host.sh', import.meta.url))
const TREE = fileURLToPath(new URL('../..', import.meta.url))

export class BootedHost implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'relyd-host-'))
  readonly #process: ChildProcess
  #pid = 0

  private constructor() {
    this.#process = spawn(
      'unshare',
      ['--mount', 'bash', SCRIPT, this.#folder, TREE, process.execPath],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
  }

  /** Resolves when its systemd takes commands. */
  static async boot(): Promise<BootedHost> {
    const host = new BootedHost()
    try {
      const booted = async () => {
        host.#pid = firstChild(host.#process.pid as number) ?? 0
        if (host.#pid === 0 || commandOf(host.#pid) !== 'systemd') return 'no systemd yet'
        return (await host.run('systemctl', 'is-system-running', '--wait')).stdout.trim()
      }
      await expect.poll(booted, { timeout: 30_000, interval: 100 }).toMatch(/running|degraded/)
    } catch (error) {
      await host[Symbol.asyncDispose]()
      throw error
    }
    return host
  }

  /** A path of the host's, as this process sees it. */
  at(path: string): string {
    return `/proc/${this.#pid}/root${path}`
  }

  /** Runs a command as the host's root. */
  run(...command: string[]): Promise<Ended> {
    const enter = ['-t', String(this.#pid), '-m', '-p', '-u', '-i', '-C', '-r', '-w', ...command]
    return new Promise((resolve) => {
      execFile('nsenter', enter, { encoding: 'utf8' }, (error, stdout, stderr) => {
        const status = error ? (typeof error.code === 'number' ? error.code : null) : 0
        resolve({ status, stdout, stderr })
      })
    })
  }

  /** {@link run} for what must succeed. @returns what it printed */
  async ok(...command: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(...command)
    if (status === 0) return stdout
    const journal = await this.run('journalctl', '--no-pager', '-n', '30', '-o', 'cat')
    throw new Error(`${command.join(' ')}: ${status}\n${stdout}${stderr}\n${journal.stdout}`)
  }

  /** A property of a unit. */
  async show(unit: string, property: string): Promise<string> {
    return (await this.ok('systemctl', 'show', '--value', '-p', property, unit)).trim()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exit
    const folder = join(this.#folder, 'cgroup')
    // Empty once the last process is gone.
    const remove = `mount -t cgroup2 cgroup2 ${folder}; find ${folder}/${basename(this.#folder)} -depth -type d -exec rmdir {} +`
    await expect
      .poll(() => spawnSync('unshare', ['--mount', 'sh', '-c', remove]).status, { timeout: 10_000 })
      .toBe(0)
    rmSync(this.#folder, { recursive: true })
  }
}

/** The mounts that a boot needs, in a namespace that ends with it. */
const PROBE =
  'mount -t cgroup2 none /mnt && mount -t tmpfs none /mnt && cd /mnt && mkdir upper work root && mount -t overlay none -o lowerdir=/,upperdir=upper,workdir=work root'

/** @returns whether this user may boot a host; where not, also in CI, whose machine may forbid it, tests are skipped and say so */
export function canBoot(): boolean {
  const allowed =
    existsSync('/lib/systemd/systemd') &&
    process.getuid?.() === 0 &&
    spawnSync('unshare', ['--mount', '--pid', '--fork', '--cgroup', 'sh', '-c', PROBE]).status === 0
  if (allowed) return true
  console.warn('skipped: this user may not boot systemd in namespaces')
  return false
}

function firstChild(pid: number): number | undefined {
  const path = `/proc/${pid}/task/${pid}/children`
  const child = existsSync(path) ? readFileSync(path, 'utf8').split(' ')[0] : ''
  return child ? Number(child) : undefined
}

function commandOf(pid: number): string {
  const path = `/proc/${pid}/comm`
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
}
