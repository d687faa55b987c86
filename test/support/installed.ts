/** Both packages as npm packs and installs them, in an empty folder outside of the repository. */
import { execFile } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
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
    const sources = installed.path('sources')
    copySources(sources)
    installed.sdk = await installed.#pack(join(sources, 'sdk'))
    installed.daemon = await installed.#pack(join(sources, 'daemon'))
    rmSync(sources, { recursive: true })
    installed.write('package.json', JSON.stringify({ private: true, overrides: lockedVersions() }))
    const { tarball } = installed.sdk
    const install = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
    await run('npm', [...install, tarball, installed.daemon.tarball], { cwd: installed.folder })
    cpSync(join(root, COMPILED), installed.path(COMPILED))
    return installed
  }

  /** As for a release: its script `prepack` builds it anew. */
  async #pack(cwd: string): Promise<Packed> {
    const pack = ['pack', '--json', '--silent', '--pack-destination', this.folder]
    const { stdout } = await run('npm', pack, { cwd })
    const [packed] = JSON.parse(stdout) as [
      { name: string; filename: string; files: { path: string }[] },
    ]
    return {
      name: packed.name,
      tarball: this.path(packed.filename),
      files: packed.files.map(({ path }) => path),
      path: this.path(`node_modules/${packed.name}`),
    }
  }

  /** `npm install --global --prefix`, of both. @returns the command relyd */
  async installGlobally(prefix: string): Promise<string> {
    const install = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
    const where = ['--global', '--prefix', prefix]
    await run('npm', [...install, ...where, this.sdk.tarball, this.daemon.tarball])
    // Below relyd, whose dependency it is.
    const relyd = join(prefix, 'lib/node_modules/relyd')
    const version = (folder: string) =>
      JSON.parse(readFileSync(join(folder, dirname(COMPILED), '../../package.json'), 'utf8'))
        .version
    // Nothing locks a global installation: a release that is newer than ours is compiled.
    if (version(relyd) === version(root)) cpSync(join(root, COMPILED), join(relyd, COMPILED))
    else await run('npm', ['rebuild', ...where, 'better-sqlite3'])
    return join(prefix, 'bin/relyd')
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

/** What the packages are built from, without what was built before: parallel tests use that. */
function copySources(to: string): void {
  const made = /\/(?:dist|node_modules|[^/]+\.tsbuildinfo)$/
  for (const name of ['tsconfig.json', 'docs', 'sdk', 'daemon']) {
    const filter = (path: string) => !made.test(path)
    cpSync(join(root, name), join(to, name), { recursive: true, filter })
  }
  const modules = join(root, 'node_modules')
  mkdirSync(join(to, 'node_modules/@relyd'), { recursive: true })
  for (const name of readdirSync(modules)) {
    if (name !== '@relyd') symlinkSync(join(modules, name), join(to, 'node_modules', name))
  }
  symlinkSync('../../sdk', join(to, 'node_modules/@relyd/sdk'))
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
