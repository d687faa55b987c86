/** Both packages as npm packs and installs them, in an empty folder outside of the repository. */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

/** What is compiled at its installation, which takes a minute: copied from the workspace instead. */
const COMPILED = 'node_modules/better-sqlite3/build/Release/better_sqlite3.node'

export interface Packed {
  /** Such as `@relyd/sdk`. */
  name: string
  tarball: string
  /** Paths in the tarball. */
  files: string[]
  /** Where it is installed. */
  path: string
}

export class Installed implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'relyd-installed-'))
  sdk!: Packed
  daemon!: Packed

  static async create(): Promise<Installed> {
    const installed = new Installed()
    const tarballs = installed.path('tarballs')
    mkdirSync(tarballs)
    // What a release would build is built already, by whoever runs the tests.
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', tarballs]
    const { stdout } = await run('npm', [...pack, '-w', 'sdk', '-w', 'daemon'], { cwd: root })
    const [sdk, daemon] = (
      JSON.parse(stdout) as { name: string; filename: string; files: { path: string }[] }[]
    ).map(({ name, filename, files }) => ({
      name,
      tarball: join(tarballs, filename),
      files: files.map(({ path }) => path),
      path: installed.path(`node_modules/${name}`),
    })) as [Packed, Packed]
    Object.assign(installed, { sdk, daemon })
    installed.write('package.json', JSON.stringify({ private: true, overrides: lockedVersions() }))
    const install = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
    await run('npm', [...install, sdk.tarball, daemon.tarball], { cwd: installed.folder })
    cpSync(join(root, COMPILED), installed.path(COMPILED))
    return installed
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /** @param name may have folders in it, which are made */
  write(name: string, text: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true })
    writeFileSync(this.path(name), text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The versions that the rest of the suite runs with: a dependency's release changes no test. */
function lockedVersions(): Record<string, string> {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string; link?: boolean }>
  }
  return Object.fromEntries(
    Object.entries(packages).flatMap(([path, { version }]) => {
      const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path) ?? []
      return name !== undefined && version !== undefined ? [[name, version]] : []
    }),
  )
}
