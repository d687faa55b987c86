/** docs/conformance.md: what relyd is held to, row by row, with the tests that show it. */
import { sections } from './conformance/index.js'
import type { Row } from './conformance/row.js'
import { namesOf, rows } from './conformance/shown.js'
import type { TestName } from './conformance/test_names.js'

/** Of one file, before the rest are counted. */
const MOST_NAMES = 3

/** @param names of all tests */
export function conformancePage(names: TestName[]): string {
  const shown = rows.filter((row) => namesOf(row, names).length > 0).length
  const later = rows.filter((row) => row.later !== undefined).length
  const missing = rows.filter((row) => isMissing(row, names)).length
  return `# Conformance

Generated from the names of the tests and \`tools/src/conformance\`.

relyd is certified for nothing: it was not run against the OpenID Foundation's conformance suite, nor by the Foundation. This page says
what relyd's own tests hold it to: the cases of that suite by the names of its modules, bent one at a time by an OP of our own
(\`test/support/bent_op\`); cases that the suite lacks; faults that were published of others; and what two other relying parties
can do. Nearly all of these tests talk to the built daemon over its socket; those with real OPs (\`oidc-provider\`, Keycloak) among them.

Each row has the file and the name of the tests that show it; \`…\` in a name is filled in by the run. A test names the rows that it shows, so that
this page is derived from the names; CI fails if a row has neither a test nor a reason, and if a test that is named here did not
run and pass. **later** names what a row waits for; **not ours** says why there will be no test. Of ${rows.length} rows, ${shown} are
shown, ${later} come later, ${rows.length - shown - later - missing} are not ours${missing > 0 ? `, ${missing} are missing` : ''}.

${sections.map(({ title, about, rows }) => section(title, about, rows, names)).join('\n\n')}
`
}

function section(title: string, about: string, rows: Row[], names: TestName[]): string {
  return [
    `## ${title}`,
    about,
    [
      '| row | what | shown by |',
      '| --- | --- | --- |',
      ...rows.map((row) => `| \`${row.id}\` | ${whatOf(row)} | ${shownBy(row, names)} |`),
    ].join('\n'),
  ].join('\n\n')
}

function whatOf({ title, note }: Row): string {
  return cell(note === undefined ? title : `${title} (${note})`)
}

function isMissing(row: Row, names: TestName[]): boolean {
  const has_reason = row.later !== undefined || row.not_ours !== undefined
  return !has_reason && namesOf(row, names).length === 0
}

function shownBy(row: Row, names: TestName[]): string {
  if (row.not_ours !== undefined) return `**not ours**: ${cell(row.not_ours)}`
  if (row.later !== undefined) return `**later**: ${row.later}`
  const by_file = new Map<string, string[]>()
  for (const { file, text } of namesOf(row, names)) {
    by_file.set(file, [...(by_file.get(file) ?? []), text])
  }
  if (by_file.size === 0) return '**missing**'
  return [...by_file].map(([file, texts]) => `\`${file}\`: ${listOf(texts)}`).join('<br>')
}

function listOf(texts: string[]): string {
  const named = texts.slice(0, MOST_NAMES).map((text) => `“${cell(text)}”`)
  const rest = texts.length - named.length
  return [...named, ...(rest > 0 ? [`and ${rest} more`] : [])].join(', ')
}

/** As it stands in a table: no bar ends the cell, no star or bracket means anything. */
function cell(text: string): string {
  return text.replace(/[|<>_*[\]\\]/g, (letter) => `\\${letter}`).replace(/\s+/g, ' ')
}
