/** Pages of docs/ hold what there is, and nothing that there is not. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { exitCodes } from '../daemon/src/cli/exit_codes.js'
import { createProgram } from '../daemon/src/cli/program.js'
import { optionsOf, walk } from '../daemon/src/cli/walk.js'
import type { Options } from '../daemon/src/config/option.js'
import { sections } from '../daemon/src/config/options.js'
import { testNames } from '../tools/src/conformance/test_names.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const docs = join(root, 'docs')

const read = (name: string) => readFileSync(join(docs, name), 'utf8')

/** @returns the text under each heading of a level, by heading */
function chapters(text: string, level: string): Map<string, string> {
  const parts = text.split(new RegExp(`^${level} `, 'm')).slice(1)
  return new Map(
    parts.map((part) => {
      const [heading = '', ...rest] = part.split('\n')
      const end = rest.findIndex((line) => /^#{2,3} /.test(line) && !line.startsWith(`${level}#`))
      return [heading, rest.slice(0, end < 0 ? undefined : end).join('\n')]
    }),
  )
}

const configuration = chapters(read('configuration.md'), '##')

test.each(Object.entries(sections))(
  'every option of [%s], and no other',
  (kind, { named, options }) => {
    const text = configuration.get(named ? `[${kind} NAME]` : `[${kind}]`) ?? ''
    const shown = chapters(text, '###')
    expect([...shown.keys()]).toEqual(Object.keys(options))
    for (const [name, option] of Object.entries(options as Options)) {
      const body = shown.get(name) ?? ''
      expect(body).toContain(option.doc)
      expect(body).toContain(option.default === undefined ? '' : `Default: \`${option.default}\`.`)
      expect(body.includes('Unsafe')).toBe(option.unsafe !== undefined)
      expect(body).toContain(option.reload ? 'Reload: yes.' : 'Reload: no, restart.')
      expect(body).toMatch(/^Value: (?!text\.)\S.*\.|^Value: text\./m)
    }
  },
)

test('every section has a chapter, and no chapter is of another', () => {
  const named = Object.entries(sections).map(([kind, one]) =>
    one.named ? `[${kind} NAME]` : `[${kind}]`,
  )
  expect([...configuration.keys()].filter((heading) => heading.startsWith('['))).toEqual(named)
})

test('ranges and words are those of the loader', () => {
  const text = read('configuration.md')
  expect(text).toContain('Value: a whole number from 1 to 60. Default: `10`.')
  expect(text).toContain('Value: one of fatal, error, warn, info, debug, trace, silent.')
  expect(text).toContain('Value: hosts such as op.example.com, op.example.com:8443 or [fd00::1].')
  expect(text).toContain('Value: an octal mode, such as 0660.')
})

test('every command with every option of its own, and no other', () => {
  const commands = walk(createProgram()).slice(1)
  const shown = chapters(read('cli.md'), '###')
  expect([...shown.keys()]).toEqual(commands.map(({ path }) => path))
  for (const { path, command } of commands) {
    if (command.commands.length > 0) continue
    const listed = [...(shown.get(path) ?? '').matchAll(/^\| `([^`]*--[^`]*)` \|/gm)]
    const options = optionsOf(command).filter(({ long }) => long !== '--help')
    expect(listed.map(([, flags]) => flags)).toEqual(options.map(({ flags }) => flags))
    expect(shown.get(path)).toContain('```sh\n# ')
  }
})

test('every exit code, and no other', () => {
  const listed = [...read('cli.md').matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code))
  expect(listed).toEqual(Object.values(exitCodes))
})

describe('oxd-compatibility.md', () => {
  const TRAP = /(?:^|\W)trap (\d+):/g
  /** The files of each trap's tests. */
  const shown = new Map<string, Set<string>>()
  for (const { file, text } of testNames(root)) {
    for (const [, number = ''] of text.matchAll(TRAP)) {
      shown.set(number, (shown.get(number) ?? new Set()).add(file.replace(/^test\//, '')))
    }
  }
  const rows = [...read('oxd-compatibility.md').matchAll(/^\| (\d+) \| .* \| (.*) \|$/gm)]

  test('has each of the twenty traps', () => {
    expect(rows.map(([, number]) => number)).toEqual(
      Array.from({ length: 20 }, (_, at) => `${at + 1}`),
    )
  })

  test.each(rows.map(([, number = '', files = '']) => [number, files]))(
    'says of trap %s where it is shown, and each of these files does',
    (number, files) => {
      expect([...(shown.get(number) ?? [])]).toEqual(expect.arrayContaining(files.split(', ')))
    },
  )
})

test('frames of oxd-commands.md have the length that they say', () => {
  const frames = [...read('oxd-commands.md').matchAll(/^[→←] (\d{4})(\{.*\})$/gm)]
  expect(frames.length).toBeGreaterThan(2)
  for (const [, length, body = ''] of frames) {
    expect(Number(length)).toBe(body.length)
    JSON.parse(body)
  }
})

test.each(readdirSync(docs).filter((name) => name.endsWith('.md')))(
  'every file that %s links to is there',
  (name) => {
    const links = [...read(name).matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)]
    const gone = links.map(([, path = '']) => path).filter((path) => !existsSync(join(docs, path)))
    expect(gone).toEqual([])
  },
)
