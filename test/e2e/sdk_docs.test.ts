/** What docs/sdk.md and the SDK's readme show is the code of the examples, and the files work. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readConfig } from '../../daemon/src/config/load.js'
import { Client } from '../../sdk/src/index.js'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const pages = ['docs/sdk.md', 'sdk/README.md']

const folder = mkdtempSync(join(tmpdir(), 'relyd-docs-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** All blocks of a page in that language. */
function blocks(page: string, language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms')
  return [...read(page).matchAll(fence)].map(([, code]) => code as string)
}

/** Without the indentation, which a piece of a function need not have. */
function flush(code: string): string {
  return code.replaceAll(/^ +/gm, '')
}

const examples = readdirSync(new URL('sdk/examples', root))
  .filter((name) => name.endsWith('.ts'))
  .map((name) => flush(read(`sdk/examples/${name}`)))

test.each(pages)('every piece of code in %s stands so in an example', (page) => {
  const code = blocks(page, 'ts')
  expect(code.length).toBeGreaterThan(0)
  expect(code.filter((piece) => !examples.some((text) => text.includes(flush(piece))))).toEqual([])
})

test.each(pages)('every cfg in %s is read by whom it is for', (page) => {
  const files = blocks(page, 'ini')
  expect(files.length).toBeGreaterThan(0)
  for (const text of files) {
    if (text.startsWith('[daemon]')) {
      expect(readConfig(text, page, {}).listeners).toHaveLength(1)
    } else {
      writeFileSync(join(folder, 'site.cfg'), text)
      const { authorization_redirect_uri } = new Client(join(folder, 'site.cfg'))
      expect(authorization_redirect_uri).toBe('https://site.example/callback')
    }
  }
})

test('every code of a TransportError is explained', () => {
  const [, union = ''] =
    /type TransportErrorCode =([^\n]*(?:\n {2}\|.*)*)/.exec(read('sdk/src/errors.ts')) ?? []
  const codes = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => code as string)
  expect(codes.length).toBeGreaterThan(3)
  expect(codes.filter((code) => !read('docs/sdk.md').includes(`| \`${code}\``))).toEqual([])
})

test('every error code that is named is one of relyd’s', () => {
  const known = read('docs/errors.md')
  const [, table = ''] = /^\| `CommandError\.code`.*?\n(.*?)\n\n/ms.exec(read('docs/sdk.md')) ?? []
  const named = table
    .split('\n')
    .flatMap((row) => (row.split('|')[1] ?? '').match(/\w+_\w+/g) ?? [])
  expect(named.length).toBeGreaterThan(5)
  expect(named.filter((code) => !known.includes(`\n## ${code}\n`))).toEqual([])
})

test('every file that docs/sdk.md and docs/other-languages.md link to is there', () => {
  for (const page of ['docs/sdk.md', 'docs/other-languages.md']) {
    const links = [...read(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, path]) => path)
    expect(links.length).toBeGreaterThan(3)
    expect(
      links.filter((path) => !existsSync(new URL(path as string, new URL(page, root)))),
    ).toEqual([])
  }
})
