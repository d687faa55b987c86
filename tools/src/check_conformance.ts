/** Holds docs/conformance.md against what ran: `node tools/dist/check_conformance.js RESULTS.json…`, as vitest reports them. */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMeant, namesOf, rows, stands } from './conformance/shown.js'
import { type TestName, testNames } from './conformance/test_names.js'

const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '')

interface Results {
  testResults: { name: string; assertionResults: { fullName: string; status: string }[] }[]
}

/** The full names of what passed, by file. */
const passed = new Map<string, string[]>()
for (const path of process.argv.slice(2)) {
  const { testResults } = JSON.parse(readFileSync(path, 'utf8')) as Results
  for (const { name, assertionResults } of testResults) {
    const names = assertionResults
      .filter(({ status }) => status === 'passed')
      .map(({ fullName }) => fullName)
    passed.set(relative(root, name), names)
  }
}

const names = testNames(root)
const missing = rows.flatMap((row) =>
  namesOf(row, names)
    .filter((name) => !hasPassed(row.id, name))
    .map(({ file, text }) => `${row.id}: ${file} “${text}”`),
)
if (missing.length > 0) {
  console.error(
    `docs/conformance.md names tests of which none ran and passed:\n  ${missing.join('\n  ')}`,
  )
  process.exit(1)
}
console.log('docs/conformance.md: each test that it names ran and passed')

/** Whether a test of that name passed, one that has the row. */
function hasPassed(id: string, { file, text }: TestName): boolean {
  return (passed.get(file) ?? []).some(
    (full_name) => isMeant(text, full_name) && stands(id, full_name),
  )
}
