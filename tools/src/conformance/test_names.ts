/** The names of tests as they are written down: what `test`, `describe` and their tables say. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseAst } from 'vitest/node'

/** A name, or a row of a table that makes names. */
export interface TestName {
  /** From the repository's root. */
  file: string
  /** What a run makes of it is `…`. */
  text: string
}

interface Node {
  type: string
  [member: string]: unknown
}

const CALLERS = ['test', 'it', 'describe']

/** Where tests are. */
const FOLDERS = ['test', 'daemon/src', 'sdk/src', 'demosite/src', 'tools/src']

/** Every name in every test of the repository. */
export function testNames(root: string): TestName[] {
  return FOLDERS.flatMap((folder) => filesBelow(join(root, folder)))
    .filter((path) => path.endsWith('.test.ts'))
    .sort()
    .flatMap((path) =>
      namesIn(readFileSync(path, 'utf8')).map((text) => ({ file: relative(root, path), text })),
    )
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) =>
    join(folder, name),
  )
}

/** @param source of a test file */
export function namesIn(source: string): string[] {
  const program = parseAst(source, { lang: 'ts' }) as unknown as Node
  const tables = new Map<string, Node>()
  const calls: Node[] = []
  walk(program, (node) => {
    const { id, init } = node as { id?: Node | null; init?: Node | null }
    if (node.type === 'VariableDeclarator' && id?.type === 'Identifier' && init) {
      tables.set(String(id['name']), init)
    }
    if (node.type === 'CallExpression' && isCaller(node)) calls.push(node)
  })
  return [...new Set(calls.flatMap((call) => [...nameOf(call), ...tableOf(call, tables)]))]
}

/** Whether it is `test(…)`, `test.each(…)(…)`, `describe.skipIf(…)(…)` or the like. */
function isCaller(call: Node): boolean {
  const { callee } = call as { callee?: Node }
  switch (callee?.type) {
    case 'Identifier':
      return CALLERS.includes(String(callee['name']))
    case 'MemberExpression':
      return isCaller({ type: '', callee: callee['object'] })
    case 'CallExpression':
      return isCaller(callee)
    default:
      return false
  }
}

function nameOf(call: Node): string[] {
  const [first] = call['arguments'] as Node[]
  const text = first && textOf(first)
  return text === undefined ? [] : [text]
}

/** What is in the rows of `.each(…)`, also where they have a name of their own. */
function tableOf(call: Node, tables: Map<string, Node>): string[] {
  const { callee } = call as { callee?: Node }
  const { property } = (callee ?? {}) as { property?: Node }
  if (callee?.type !== 'MemberExpression' || property?.['name'] !== 'each') return []
  const texts: string[] = []
  const seen = new Set<Node>()
  const collect = (root: Node): void =>
    walk(root, (node) => {
      const text = textOf(node)
      if (text !== undefined) texts.push(text)
      const named = node.type === 'Identifier' ? tables.get(String(node['name'])) : undefined
      if (named === undefined || seen.has(named)) return
      seen.add(named)
      collect(named)
    })
  for (const argument of call['arguments'] as Node[]) collect(argument)
  return texts
}

function textOf(node: Node): string | undefined {
  if (node.type === 'Literal' && typeof node['value'] === 'string') return node['value']
  if (node.type !== 'TemplateLiteral') return undefined
  const quasis = node['quasis'] as { value: { cooked: string } }[]
  return quasis.map(({ value }) => value.cooked).join('…')
}

function walk(node: Node, visit: (node: Node) => void): void {
  visit(node)
  for (const member of Object.values(node)) {
    for (const child of Array.isArray(member) ? member : [member]) {
      if (isNode(child)) walk(child, visit)
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value
}
