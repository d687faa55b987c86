/** The packages as others get them: packed by npm, and installed where nothing of ours lies around. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
// Vitest brings it; what it does here it does for the websites of others.
import { build, type InlineConfig } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestDaemon } from '../support/daemon.js'
import type { Examined } from '../support/doctor.js'
import { Image } from '../support/image.js'
import { Installed, type Packed } from '../support/installed.js'
import { canMount } from '../support/required.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const bin = (name: string) => join(root, 'node_modules/.bin', name)

const manifest = (name: string) =>
  JSON.parse(readFileSync(join(root, name, 'package.json'), 'utf8')) as {
    version: string
    exports: Record<string, unknown>
    dependencies: Record<string, string>
  }

/** What can be imported of the SDK, such as `@relyd/sdk/framing`. */
const subpaths = Object.keys(manifest('sdk').exports).map((path) => join('@relyd/sdk', path))

const redirect = 'authorization_redirect_uri = https://site.example/callback\n'

let installed: Installed
let daemon: TestDaemon

beforeAll(async () => {
  installed = await Installed.create()
  // As every website in TypeScript has them.
  symlinkSync(join(root, 'node_modules/@types'), installed.path('node_modules/@types'))
  daemon = await TestDaemon.start({ program: join(installed.daemon.path, 'dist/main.js') })
  installed.write('site.cfg', `[oxd]\nsocket = ${daemon.socket}\n[client]\n${redirect}`)
}, 60_000)

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await installed?.[Symbol.asyncDispose]()
})

describe.each(['sdk', 'daemon'] as const)('the tarball of %s', (name) => {
  const packed = (): Packed => installed[name]
  const read = (file: string) => readFileSync(join(packed().path, file), 'utf8')

  test('holds its manifest, a readme, the license and what is built from its sources', () => {
    const beside = packed().files.filter((file) => !/^(dist|docs)\//.test(file))
    const sample = name === 'daemon' ? ['relyd.cfg'] : []
    expect(beside.sort()).toEqual(['LICENSE', 'README.md', 'package.json', ...sample])
    expect(read('LICENSE')).toBe(readFileSync(join(root, 'LICENSE'), 'utf8'))
    const built = packed().files.filter((file) => file.startsWith('dist/'))
    expect(built.filter((file) => file.includes('.test.'))).toEqual([])
    const sourceOf = (file: string) =>
      file.replace(/^dist/, `${name}/src`).replace(/(\.d\.ts|\.js|\.js\.map)$/, '.ts')
    expect(built.filter((file) => !existsSync(join(root, sourceOf(file))))).toEqual([])
  })

  test('has source maps that hold their sources', () => {
    const maps = packed().files.filter((file) => file.endsWith('.map'))
    expect(maps.length).toBeGreaterThan(10)
    const empty = maps.filter((map) => {
      const { sourcesContent = [] } = JSON.parse(read(map)) as { sourcesContent?: string[] }
      return !sourcesContent[0]
    })
    expect(empty).toEqual([])
  })

  test('names no path of the machine that packed it', () => {
    expect(packed().files.filter((file) => read(file).includes(root))).toEqual([])
  })

  test('imports all that its manifest declares, and nothing else', () => {
    const code = packed()
      .files.filter((file) => /\.(js|d\.ts)$/.test(file))
      .map((file) => read(file).replaceAll(/\/\*.*?\*\//gs, ''))
    const imported = code.flatMap((text) => [
      ...text.matchAll(/\b(?:from|import|require|resolve)[ (]+['"]([^'"\n]+)['"]/g),
    ])
    const packages = imported
      .map(([, specifier]) => specifier as string)
      .filter((specifier) => !specifier.startsWith('.') && !isBuiltin(specifier))
      .map((specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0])
    expect([...new Set(packages)].sort()).toEqual(Object.keys(manifest(name).dependencies).sort())
  })

  test('pleases publint', async () => {
    const { stdout } = await run(bin('publint'), ['--strict', packed().tarball])
    expect(stdout).toContain('All good!')
  })

  // Two things are left out: the resolution of before `exports`, which is older than every Node that
  // we run on, and that require() of ESM is an error, which it is not on those (ADR 13).
  test('pleases attw', async () => {
    const options = ['--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm']
    const offline = ['--no-definitely-typed', '--format', 'json']
    const { stdout } = await run(bin('attw'), [packed().tarball, ...options, ...offline], {
      maxBuffer: 2 ** 26,
    })
    const { analysis } = JSON.parse(stdout) as { analysis: { types: unknown } }
    // Nothing can be imported of the daemon: it brings no types.
    expect(analysis.types).toEqual(name === 'sdk' ? { kind: 'included' } : false)
  })
})

describe('the installed SDK', () => {
  const whole = subpaths.map((path, index) => `import * as s${index} from '${path}'`)
  const site = `
    import { Client, CommandError, type GetUserInfoResult } from '@relyd/sdk'
    ${whole.join('\n')}
    export const client = new Client('site.cfg')
    export async function name(session_id: string): Promise<unknown> {
      try {
        const { claims }: GetUserInfoResult = await client.getUserInfo({ session_id })
        return claims['name']
      } catch (error) {
        if (error instanceof CommandError) return error.code satisfies string
        throw error
      }
    }
    // @ts-expect-error it has types: they are not any
    void client.getUserInfo({ session: 1 })
    export const all = [${subpaths.map((_, index) => `s${index}`)}]`

  // Without skipLibCheck: what its types refer to must be there, which is Node's types and no more.
  test.each([
    ['NodeNext', 'module', { module: 'nodenext' }],
    ['NodeNext, in CommonJS', 'commonjs', { module: 'nodenext' }],
    ['bundler', 'module', { module: 'esnext', moduleResolution: 'bundler' }],
  ])('has types for TypeScript under %s', async (name, type, module) => {
    const folder = name.replaceAll(/\W+/g, '_')
    installed.write(`${folder}/package.json`, JSON.stringify({ type }))
    installed.write(`${folder}/site.ts`, site)
    const target = { target: 'es2022', lib: ['es2022'], types: ['node'] }
    const compilerOptions = { ...module, ...target, strict: true, noEmit: true }
    installed.write(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions }))
    const { stdout } = await run(bin('tsc'), ['-p', installed.path(folder)]).catch((error) => error)
    expect(stdout).toBe('')
  })

  const ping = `
    const client = new Client('site.cfg')
    client.ping().then(console.log).finally(() => client.close())`

  test.each([
    ['import', 'site.mjs', "import { Client } from '@relyd/sdk'"],
    ['require', 'site.cjs', "const { Client } = require('@relyd/sdk')"],
  ])('is loaded by %s, and talks to the daemon', async (_, file, line) => {
    const others = subpaths.map((path) =>
      line.replace('{ Client }', '{}').replace('@relyd/sdk', path),
    )
    installed.write(file, [line, ...others, ping].join('\n').replaceAll('const {} =', ''))
    const { stdout } = await run(process.execPath, [file], { cwd: installed.folder })
    expect(stdout).toContain(`version: '${manifest('daemon').version}'`)
  })

  /** Bundles a module as a website's build does. @returns the code */
  async function bundle(code: string, options: InlineConfig = {}): Promise<string> {
    installed.write('entry.js', code)
    const output = await build({
      root: installed.folder,
      configFile: false,
      logLevel: 'silent',
      ...options,
      build: { write: false, lib: { entry: 'entry.js', formats: ['es'] }, ...options.build },
    })
    const [{ output: chunks } = { output: [] }] = [output].flat() as {
      output: { code: string }[]
    }[]
    return chunks.map(({ code }) => code).join('\n')
  }

  test.each(subpaths)('stops the bundler of a page that imports from %s', async (path) => {
    const page = `import { Client } from '${path}'\nnew Client('site.cfg')`
    await expect(bundle(page)).rejects.toThrow(/"Client" is not exported by .*not_for_browsers/)
  })

  test('says in a browser where it belongs, when a bundler could not', async () => {
    const code = await bundle("export default import('@relyd/sdk')")
    installed.write('page.mjs', code)
    const failed = run(process.execPath, ['page.mjs'], { cwd: installed.folder })
    await expect(failed).rejects.toThrow('@relyd/sdk belongs on the web server')
  })

  test('is bundled for a server', async () => {
    const code = await bundle(`import { Client } from '@relyd/sdk'\n${ping}`, {
      ssr: { noExternal: ['@relyd/sdk', 'ini'] },
      build: { ssr: 'entry.js' },
    })
    installed.write('server.mjs', code)
    const { stdout } = await run(process.execPath, ['server.mjs'], { cwd: installed.folder })
    expect(stdout).toContain('version')
  })
})

describe('the command, installed for all of a host', () => {
  let image: Image
  let relyd: string

  beforeAll(async () => {
    image = new Image()
    relyd = await installed.installGlobally(image.at('/usr/local'))
  }, 120_000)
  afterAll(() => image?.[Symbol.dispose]())

  test('brings the documentation, and says where it is', async () => {
    const docs = installed.daemon.files.filter((file) => file.startsWith('docs/'))
    const written = readdirSync(join(root, 'docs'), { recursive: true, withFileTypes: true })
    expect(docs.sort()).toEqual(
      written
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => relative(root, join(parentPath, name)))
        .sort(),
    )
    const { stdout } = await run(relyd, ['--help'])
    const [, folder = ''] = /^Documentation: (.+)$/m.exec(stdout) ?? []
    expect(readFileSync(join(folder, 'operating.md'), 'utf8')).toBe(
      readFileSync(join(root, 'docs/operating.md'), 'utf8'),
    )
  })

  test('tells its version', async () => {
    const { stdout } = await run(relyd, ['version', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ relyd: manifest('daemon').version })
  })

  test('lays itself down as a service, in which the doctor finds no fault but that it does not run', async () => {
    await run(relyd, ['service', 'install', '--root', image.root])
    expect(image.text('/etc/systemd/system/relyd.service')).toContain(
      'ExecStart=/usr/bin/node /usr/local/bin/relyd serve --config /etc/relyd/relyd.cfg',
    )
    const doctor = [
      'doctor',
      '--json',
      '--root',
      image.root,
      '-c',
      image.at('/etc/relyd/relyd.cfg'),
    ]
    const { stdout } = await run(relyd, doctor).catch((error: { stdout: string }) => error)
    const { checks, findings } = JSON.parse(stdout) as Pick<Examined, 'checks' | 'findings'>
    expect(checks).toContainEqual({ name: 'unit', result: 'ok' })
    const faults = findings.filter(({ severity }) => severity === 'fault')
    expect(faults).toEqual([expect.objectContaining({ check: 'daemon' })])
  })

  test.skipIf(!canMount())('serves with the sample and its paths, and answers', async () => {
    // In a mount namespace of its own, where /run and /var/lib are empty as on a new host.
    const script = `set -e
      mount -t tmpfs none /run; mount -t tmpfs none /var/lib; mkfifo /run/log
      "$0" serve --config "$1" > /run/log & daemon=$!
      exec 3< /run/log
      while read -r line <&3; do case "$line" in *'"msg":"ready"'*) break ;; esac; done
      "$0" call ping --compact -c "$1"
      "$0" status --json -c "$1" | grep -c relyd.sock
      "$0" doctor -c "$1" > /dev/null
      kill "$daemon"; wait "$daemon"; echo stopped`
    const sample = image.at('/usr/local/lib/node_modules/relyd/relyd.cfg')
    const { stdout } = await run('unshare', ['-rm', 'sh', '-c', script, relyd, sample])
    const [pong = '', sockets, end] = stdout.trim().split('\n')
    expect(JSON.parse(pong)).toMatchObject({ version: manifest('daemon').version })
    expect([sockets, end]).toEqual(['1', 'stopped'])
  })
})
