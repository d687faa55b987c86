/** `relyd version`: what it is made of, for a report of a fault. */
import type { Command } from 'commander'
import { version } from '../version.js'
import { withExamples } from './examples.js'
import { type JsonOption, withJson } from './options.js'
import { say, sayJson } from './output.js'

export function addVersion(program: Command): void {
  withExamples(
    withJson(program.command('version')).description(
      'show the versions of relyd and of what it runs on',
    ),
    ['relyd version', 'what to send along with a question'],
  ).action(showVersion)
}

async function showVersion({ json }: JsonOption): Promise<void> {
  const { openKept } = await import('../store/kept_database.js')
  const { SCHEMA_VERSION } = await import('../store/migrations/migrate.js')
  const db = openKept(':memory:')
  const sqlite = String(db.prepare('SELECT sqlite_version()').pluck().get())
  db.close()
  const { openssl } = process.versions
  const all = {
    relyd: version,
    node: process.versions.node,
    sqlite,
    openssl,
    schema: SCHEMA_VERSION,
  }
  if (json) return sayJson(all)
  say(`relyd ${version}`)
  say(`Node ${all.node}, OpenSSL ${openssl}, SQLite ${sqlite}`)
  say(`schema of the database: version ${SCHEMA_VERSION}`)
}
