/**
 * Compares relyd with openid-client in the website's own process, on the same work in the same run.
 *
 *     npm run bench [-- url|login|ping|isolation] [--json] [--cpu-prof FOLDER]
 *
 * `--cpu-prof` leaves a V8 profile of the daemon in the folder, for the developer tools of Chrome.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Isolation, measureIsolation } from './isolation.js'
import { heading, isolationReport, notes, tableRow } from './report.js'
import { measure, type Row } from './run.js'
import { lineNames } from './side.js'

/** Seconds after which a run is given up. */
const LONGEST = 120

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, 'cpu-prof': { type: 'string' } },
})
const known = [...lineNames, 'isolation']
const wanted = known.filter((name) => positionals.length === 0 || positionals.includes(name))
const lines = lineNames.filter((name) => wanted.includes(name))
const stray = positionals.find((name) => !known.includes(name))
if (stray !== undefined) {
  console.error(`there is no line ${stray}; there are ${known.join(', ')}`)
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'relyd-bench-'))
// Again where a process that was just killed is still writing to it.
process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
// Not once: a second signal would end the process before it has cleaned up.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
setTimeout(() => {
  console.error(`given up after ${LONGEST} s`)
  process.exit(1)
}, LONGEST * 1000).unref()

const profiles = values['cpu-prof']
const node_options =
  profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', resolve(profiles)]
const show = (text: string) => {
  if (!values.json) console.log(text)
}
const rows: Row[] = []
if (lines.length > 0) {
  show(heading())
  for await (const row of measure(lines, folder, node_options)) {
    rows.push(row)
    show(tableRow(row))
  }
  show(notes(folder))
}
let isolation: Isolation | undefined
if (wanted.includes('isolation')) {
  const apart = join(folder, 'isolation')
  mkdirSync(apart)
  isolation = await measureIsolation(apart, node_options)
  show(isolationReport(isolation))
}
if (values.json) console.log(JSON.stringify({ node: process.version, rows, isolation }, null, 2))
