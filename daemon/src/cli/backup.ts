/** `relyd backup`: a copy of the database, checked, while the daemon runs or not. */
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { withExamples } from './examples.js'
import { type KeyFileOption, placeOf, withKeyFile } from './key_place.js'
import { type ConfigOption, type JsonOption, withConfig, withJson } from './options.js'
import { say, sayJson } from './output.js'

export function addBackup(program: Command): void {
  withExamples(
    withKeyFile(withJson(withConfig(program.command('backup'))))
      .description('copy the database into a file, checked, while the daemon runs or not')
      .argument('<file>', 'where the backup shall be; nobody but root and relyd may read it')
      .option('--force', 'replace a backup of this name')
      .addHelpText('after', `\n${REMARK}`),
    ['sudo relyd backup /var/backups/relyd/$(date +%F).db', 'each night, from a timer or cron'],
  ).action(backup)
}

const REMARK =
  'The keys are not in it: back up the key file apart, once and after each `relyd key add`.'

async function backup(
  file: string,
  { force, json, ...options }: ConfigOption & KeyFileOption & JsonOption & { force?: true },
): Promise<void> {
  const { database, key_file } = placeOf(options)
  // Only here, for it brings SQLite with it.
  const [{ makeBackup }, { describeRows }, { megabytes }] = await Promise.all([
    import('../store/backup.js'),
    import('../store/sealed_tables.js'),
    import('../store/copy.js'),
  ])
  const made = makeBackup({ database, key_file, file, force: force === true })
  // What is not there, or what this user may not see, is not named as if it were.
  const found = existsSync(key_file)
  if (json) {
    sayJson({ ...made, database, key_file: found ? key_file : null })
    return
  }
  const { schema, key_ids, rows, bytes } = made
  say(`Backed up ${database} to ${made.file}: ${megabytes(bytes)}, schema version ${schema}, with`)
  say(`${describeRows(rows) || 'no rows'}. The copy was checked, and is whole.`)
  say()
  const whose = found ? ` of ${key_file}` : ', whose file this user sees nowhere (--key-file)'
  say(`Its secrets open with the key ${key_ids.join(', ')}${whose},`)
  say('which is not in it. Back that file up too, in another place: without it the backup is lost.')
}
