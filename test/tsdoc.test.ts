/** Whatever the SDK exports says what it is, where an editor shows it. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const sdk = new URL('../sdk/', import.meta.url)
const { exports } = JSON.parse(readFileSync(new URL('package.json', sdk), 'utf8')) as {
  exports: Record<string, { types: string }>
}

interface Declaration {
  name: string
  documented: boolean
  /** Its public members that have no documentation. */
  silent: string[]
}

/** What a file of types exports, by name; followed into the files that it exports from. */
function exportsOf(file: URL): Map<string, Declaration> {
  const text = readFileSync(file, 'utf8')
  const found = new Map<string, Declaration>()
  for (const declaration of declarations(text)) found.set(declaration.name, declaration)
  for (const [, names, path = ''] of text.matchAll(
    /^export (?:type )?(?:\*|\{([^}]*)\}) from '([^']+)'/gm,
  )) {
    const there = exportsOf(new URL(path.replace(/\.js$/, '.d.ts'), file))
    const wanted = names?.match(/\w+(?=\s*(?:,|$))/g) ?? [...there.keys()]
    for (const name of wanted) {
      found.set(name, there.get(name) ?? { name, documented: false, silent: [] })
    }
  }
  return found
}

/** As TypeScript writes them: a documentation stands right above what it is of. */
function declarations(text: string): Declaration[] {
  const keyword = '(?:abstract class|class|function|const|interface|type)'
  const opening = new RegExp(`^(.*)\n?^export (?:declare )?(${keyword}) (\\w+)(.*)$`, 'gm')
  return [...text.matchAll(opening)].map((match) => {
    const [all, before = '', kind = '', name = '', rest = ''] = match
    const has_members = /class|interface/.test(kind) && rest.endsWith('{')
    const body = has_members ? text.slice(match.index + all.length).split('\n}')[0] : ''
    return { name, documented: before.endsWith('*/'), silent: silentMembers(body ?? '') }
  })
}

function silentMembers(body: string): string[] {
  const lines = body.split('\n')
  return lines.flatMap((line, at) => {
    const [, name] =
      /^ {4}(?:readonly |abstract |get |static )*([\w[\].]+)\??[(:<]/.exec(line) ?? []
    // A constructor's class says what it makes.
    if (name === undefined || name === 'constructor') return []
    return lines[at - 1]?.endsWith('*/') ? [] : [name]
  })
}

/** For the daemon, and without a promise: what they export is documented, its members need not be. */
const internal = ['./framing', './ini_file', './loopback', './provision']

/** Shapes of the frameworks' own: their members are documented there. */
const frameworks = /^(?:Express|Fastify)(?:Request|Reply|Instance)$/

test.each(Object.entries(exports))('every export of %s is documented', (path, { types }) => {
  const found = [...exportsOf(new URL(types, sdk)).values()]
  expect(found.length).toBeGreaterThan(0)
  expect(found.flatMap(({ name, documented }) => (documented ? [] : [name]))).toEqual([])
  const silent = found
    .filter(({ name }) => !internal.includes(path) && !frameworks.test(name))
    .flatMap(({ name, silent }) => silent.map((member) => `${name}.${member}`))
  expect(silent).toEqual([])
})
