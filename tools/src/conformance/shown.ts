/** Which tests show which row, and what is wrong with that. */
import { sections } from './index.js'
import type { Row } from './row.js'
import type { TestName } from './test_names.js'

export const rows: Row[] = sections.flatMap(({ rows }) => rows)

/** The names that a row stands in. */
export function namesOf(row: Row, names: TestName[]): TestName[] {
  return names.filter(({ text }) => stands(row.id, text))
}

/** Whether it is there as a word, and not as the beginning of another. */
export function stands(id: string, text: string): boolean {
  return new RegExp(`(?<![\\w%+-])${quoted(id)}(?![\\w+-])`).test(text)
}

/** What is wrong with the rows, in words. */
export function faultsOf(names: TestName[]): string[] {
  const ids = new Set<string>()
  return rows.flatMap((row) => {
    const tests = namesOf(row, names)
    const [first] = tests
    const twice = ids.has(row.id) ? [`${row.id} is there twice`] : []
    ids.add(row.id)
    if (row.later !== undefined && first) {
      return [...twice, `${row.id} is marked “later”, and ${first.file} shows it: “${first.text}”`]
    }
    if (row.not_ours !== undefined && first) {
      return [...twice, `${row.id} is “not ours”, and ${first.file} shows it: “${first.text}”`]
    }
    if (row.later === undefined && row.not_ours === undefined && !first) {
      return [...twice, `no test's name has ${row.id} (${row.title})`]
    }
    return twice
  })
}

/** Whether a test that ran is one that such a name is written for: `%s`, `$name` and `…` stand for anything. */
export function isMeant(text: string, full_name: string): boolean {
  const parts = text.split(/%[a-z]|\$[\w.]+|…/).map(quoted)
  return new RegExp(parts.join('[^]*')).test(full_name)
}

function quoted(text: string): string {
  return text.replaceAll('%%', '%').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
