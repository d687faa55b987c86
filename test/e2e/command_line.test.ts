/** The command line as a whole: help with examples that hold, exit codes, version, and completion in a real shell. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { adminCommands } from '../../daemon/src/admin/commands/index.js'
import { examplesOf } from '../../daemon/src/cli/examples.js'
import { exitCodeDocs, exitCodes } from '../../daemon/src/cli/exit_codes.js'
import { createProgram } from '../../daemon/src/cli/program.js'
import { optionsOf, walk } from '../../daemon/src/cli/walk.js'
import { SCHEMA_VERSION } from '../../daemon/src/store/migrations/migrate.js'
import { relyd } from '../support/cli.js'
import { hasZsh } from '../support/required.js'

const all = walk(createProgram())
const leaves = all.filter(({ command }) => command.commands.length === 0)

/** @returns the words of each `relyd …` in a line, as a shell splits them */
function callsIn(line: string): string[][] {
  // Redirections and other programs are not run: a function stands for each.
  const script = `PATH=
    relyd() { printf '%s\\0' relyd "$@"; printf '\\n'; } >&3
    sudo() { "$@"; }
    systemctl() { :; }
    command_not_found_handle() { :; }
    ${line.replace(/ [<>]+ *[^ |;&]+/g, '')}`
  const { stdout } = spawnSync(
    'bash',
    ['--norc', '-c', `{ ${script}\n} 3>&1 >/dev/null </dev/null`],
    {
      encoding: 'utf8',
    },
  )
  return stdout
    .split('\n')
    .filter((one) => one !== '')
    .map((one) => one.split('\0').slice(0, -1))
}

/** @returns whether commander takes the words, and runs the command at that place */
function runs(words: string[]): string | undefined {
  const program = createProgram()
  let ran: string | undefined
  for (const { path, command } of walk(program)) {
    quiet(command)
    if (command.commands.length > 0) continue
    command.action(() => {
      ran = path
    })
  }
  program.parse(words.slice(1), { from: 'user' })
  return ran
}

function quiet(command: Command): void {
  command.exitOverride().configureOutput({ writeErr() {}, writeOut() {} })
}

describe('the help', () => {
  test('of every command has a description, and of every option', () => {
    for (const { path, command } of all) {
      expect(command.description(), path).toMatch(/\w/)
      for (const option of optionsOf(command)) expect(option.description, path).toMatch(/\w/)
      for (const one of command.registeredArguments) expect(one.description, path).toMatch(/\w/)
    }
  })

  test.each(leaves.map(({ path, command }) => [path, command] as const))(
    'of %s has examples, which its own arguments take',
    (path, command) => {
      const examples = examplesOf(command)
      expect(examples.length).toBeGreaterThan(0)
      for (const { line, doc } of examples) {
        expect(doc).toMatch(/\w/)
        const calls = callsIn(line)
        expect(calls.length, line).toBeGreaterThan(0)
        expect(calls.map(runs), line).toContain(path)
      }
    },
  )

  test('shows examples and exit codes', async () => {
    const { stdout } = await relyd(['--help'])
    for (const [name, code] of Object.entries(exitCodes)) {
      expect(stdout).toContain(`  ${code}  ${exitCodeDocs[name as keyof typeof exitCodes]}`)
    }
    expect((await relyd(['key', 'add', '--help'])).stdout).toContain('# where the unit')
  })
})

describe('wrong usage', () => {
  test.each([
    [['server'], /unknown command 'server'/],
    [['status', '--jsno'], /unknown option '--jsno'\n\(Did you mean --json\?\)/],
    [['key', 'retire'], /missing required argument 'id'/],
    [['completion', 'fish'], /Allowed choices are bash, zsh/],
  ])('%j is told on standard error, with the exit code 2', async (args, why) => {
    const { status, stdout, stderr } = await relyd(args)
    expect(stderr).toMatch(why)
    expect(stdout).toBe('')
    expect(status).toBe(exitCodes.usage)
  })
})

test('version tells what relyd is made of', async () => {
  const { stdout } = await relyd(['version', '--json'])
  const manifest = fileURLToPath(new URL('../../daemon/package.json', import.meta.url))
  expect(JSON.parse(stdout)).toEqual({
    relyd: JSON.parse(readFileSync(manifest, 'utf8')).version,
    node: process.versions.node,
    sqlite: expect.stringMatching(/^3\.\d+\.\d+$/),
    openssl: process.versions.openssl,
    schema: SCHEMA_VERSION,
  })
  const told = await relyd(['version'])
  expect(told.stdout).toContain(`Node ${process.versions.node}`)
})

describe('completion in bash', () => {
  const script = execFileSync(
    process.execPath,
    [fileURLToPath(new URL('../../daemon/dist/main.js', import.meta.url)), 'completion', 'bash'],
    { encoding: 'utf8' },
  )

  /** @returns what is offered for the last of these words */
  function offered(...words: string[]): string[] {
    const lines = words.map((word) => `'${word}'`).join(' ')
    const run = `compopt() { :; }
      COMP_WORDS=(${lines}); COMP_CWORD=${words.length - 1}
      _relyd; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', `${script}\n${run}`], {
      encoding: 'utf8',
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    })
    expect(stderr).toBe('')
    return stdout.split('\n').filter((one) => one !== '')
  }

  test('offers each subcommand, and each option of it', () => {
    for (const { path, command } of all) {
      const words = path.split(' ')
      const names = command.commands.map((one) => one.name())
      expect(offered(...words, '')).toEqual(expect.arrayContaining(names))
      const options = optionsOf(command).flatMap(({ long }) => long ?? [])
      expect(offered(...words, '--').sort()).toEqual([...options].sort())
    }
  })

  test('goes on from what was begun, and past values of options', () => {
    expect(offered('relyd', 'che')).toEqual(['check-config'])
    expect(offered('relyd', 'key', 're')).toEqual(['retire'])
    expect(offered('relyd', 'key', 'list', '-c', 'x.cfg', '--j')).toEqual(['--json'])
    expect(offered('relyd', 'completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh']))
  })

  test('knows files, and what `call` takes', () => {
    expect(offered('relyd', 'serve', '--config', 'daemon/rel')).toEqual(['daemon/relyd.cfg'])
    expect(offered('relyd', 'call', 'get_us')).toEqual(['get_user_info'])
    expect(offered('relyd', 'call', '')).toEqual(expect.arrayContaining(Object.keys(adminCommands)))
    const params = offered('relyd', 'call', '--socket', '/run/s', 'get_user_info', 's')
    expect(params).toEqual(['session_id='])
    expect(offered('relyd', 'call', 'get_user_info', '--listener', '')).toEqual([])
  })
})

describe.skipIf(!hasZsh())('completion in zsh', () => {
  test('is loaded, and offers what bash does', async () => {
    const { stdout: script } = await relyd(['completion', 'zsh'])
    // Outside of the line editor compadd cannot work: one that tells what it was given.
    const offered = (...words: string[]) => {
      const run = `autoload -U compinit && compinit -D -u
        eval "$script"
        compadd() { shift; [[ $1 == '' ]] && shift; [[ $1 == -- ]] && shift; print -l -- "$@"; }
        words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=$#words; _relyd`
      const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', run], {
        encoding: 'utf8',
        env: { ...process.env, script },
      })
      expect(stderr).toBe('')
      return stdout.split('\n')
    }
    expect(offered('relyd', '')).toEqual(expect.arrayContaining(['serve', 'call', 'key']))
    expect(offered('relyd', 'key', '')).toEqual(expect.arrayContaining(['list', 'add', 'retire']))
    expect(offered('relyd', 'call', 'get_user_info', '')).toContain('session_id=')
  })
})
