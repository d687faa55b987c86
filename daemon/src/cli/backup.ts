/** `relyd backup`: a copy of the database, checked, while the daemon runs or not. */
import type { Command } from 'commander'
import { loadConfig } from '../config/load.js'
import { withExamples } from './examples.js'
import { type ConfigOption, type JsonOption, withConfig, withJson } from './options.js'
import { say, sayJson } from './output.js'

export function addBackup(program: Command): void {
  withExamples(
    withJson(withConfig(program.command('backup')))
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
  { config, force, json }: ConfigOption & JsonOption & { force?: true },
): Promise<void> {
  const { database, key_file } = loadConfig(config).daemon
  // Only here, for it brings SQLite with it.
  const [{ makeBackup }, { describeRows }, { megabytes }] = await Promise.all([
    import('../store/backup.js'),
    import('../store/sealed_tables.js'),
    import('../store/copy.js'),
  ])
  const made = makeBackup({ database, key_file, file, force: force === true })
  if (json) {
    sayJson({ ...made, database, key_file })
    return
  }
  const { schema, key_ids, rows, bytes } = made
  say(`Backed up ${database} to ${made.file}: ${megabytes(bytes)}, schema version ${schema}, with`)
  say(`${describeRows(rows) || 'no rows'}. The copy was checked, and is whole.`)
  say()
  say(`Its secrets open with the key ${key_ids.join(', ')} of ${key_file},`)
  say('which is not in it. Back that file up too, in another place: without it the backup is lost.')
}
