/** `relyd restore`: puts a backup in the database's place, or says why it could not be. */
import { existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import type { Contents } from '../store/inspect.js'
import { withExamples } from './examples.js'
import { type KeyFileOption, placeOf, withKeyFile } from './key_place.js'
import { type ConfigOption, type JsonOption, withConfig, withJson } from './options.js'
import { say, sayJson } from './output.js'

interface RestoreFlags extends ConfigOption, KeyFileOption, JsonOption {
  check?: true
}

export function addRestore(program: Command): void {
  withExamples(
    withKeyFile(withJson(withConfig(program.command('restore'))))
      .description('put a backup in the place of the database; the daemon must be stopped')
      .argument('<file>', 'the backup')
      .option('--check', 'only see whether it could be restored here, with the keys that are here'),
    [
      'sudo relyd restore --check /var/backups/relyd/2026-11-23.db',
      'whether it could be restored here',
    ],
    [
      "sudo systemctl stop relyd.service relyd.socket 'relyd-*.socket' && sudo relyd restore /var/backups/relyd/2026-11-23.db && sudo systemctl start relyd.socket relyd.service",
      'the way back, from stop to start',
    ],
  ).action(restore)
}

async function restore(file: string, { check, json, ...options }: RestoreFlags): Promise<void> {
  const { database, key_file } = placeOf(options)
  // Only here, for it brings SQLite with it.
  const store = await import('../store/restore.js')
  if (check) {
    const contents = store.checkBackup({ file, key_file })
    if (json) sayJson({ file: resolve(file), ...contents, database, key_file })
    else say(`${resolve(file)} is whole, and opens with the keys here: ${await told(contents)}.`)
    return
  }
  const isNew = !existsSync(dirname(database))
  const restored = store.restore({ file, database, key_file, now: new Date() })
  if (json) {
    sayJson({ file: resolve(file), ...restored, kept: restored.kept ?? null, database, key_file })
    return
  }
  say(`Restored ${database} from ${resolve(file)}: ${await told(restored)}.`)
  if (restored.kept) say(`The database of before is kept as ${restored.kept}; remove it in time.`)
  if (isNew && statSync(database).uid === 0) say(`${dirname(database)} is new, ${OWNER}`)
  say()
  for (const line of MEANING) say(line)
}

const OWNER =
  "and root's: the unit gives it to its user when it starts (StateDirectory=); without systemd, chown -R USER it."

/** What an operator has to expect, in full in docs/operating.md. */
const MEANING = [
  'relyd knows what it knew when the backup was made. Since then:',
  '- who has logged in is logged out; who has logged out is logged in until the session expires',
  '- a refresh token that was renewed is the old one again, which the OP may refuse: that user logs in anew',
  '- a site that was registered is unknown (invalid_oxd_id); one that was removed is back',
  'Start the daemon: systemctl start relyd.socket relyd.service',
]

async function told({ schema, key_ids, rows }: Contents): Promise<string> {
  const { describeRows } = await import('../store/sealed_tables.js')
  return `schema version ${schema}, ${describeRows(rows) || 'no rows'}, keys ${key_ids.join(', ')}`
}
