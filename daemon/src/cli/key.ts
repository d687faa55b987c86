/** `relyd key`: shows, adds and retires encryption keys, and says what comes next. */
import { statSync } from 'node:fs'
import type { Command } from 'commander'
import { systemClock } from '../clock.js'
import * as admin from '../store/key_admin.js'
import { tableNames } from '../store/sealed_tables.js'
import { withExamples } from './examples.js'
import { isBroughtByUnit, type KeyFileOption, placeOf, withKeyFile } from './key_place.js'
import { type ConfigOption, type JsonOption, withConfig, withJson } from './options.js'
import { dateOf, sayJson, sayTable } from './output.js'

/** What all of its commands take. */
type KeyOptions = ConfigOption & KeyFileOption

export function addKey(program: Command): void {
  const key = program
    .command('key')
    .description('the keys that encrypt secrets in the database: show, add, retire')
  const subcommand = (name: string, description: string) =>
    withKeyFile(withConfig(key.command(name)).description(description))
  withExamples(
    withJson(subcommand('list', 'show the keys, and how many rows are encrypted with each')),
    ['relyd key list', 'which key encrypts, and which rows still wait for it'],
  ).action(listKeys)
  withExamples(
    subcommand(
      'add',
      'add a new key, which encrypts from then on; makes the file if there is none',
    ),
    [
      'sudo relyd key add && sudo systemctl restart relyd',
      'where the unit brings the keys; without that, no restart is needed',
    ],
  ).action(makeKey)
  withExamples(
    subcommand('retire', 'remove a key with which nothing is encrypted any more').argument(
      '<id>',
      'the key, as `relyd key list` shows it',
    ),
    ['relyd key retire 1f0c9a3b', 'once `relyd key list` shows no rows for it'],
  ).action(retireKey)
}

/** Prints every key, never what it is made of. */
function listKeys(options: KeyOptions & JsonOption): void {
  const place = placeOf(options)
  const keys = admin.listKeys(place)
  if (options.json) {
    sayJson({ ...place, keys })
    return
  }
  console.log(`key file ${place.key_file}`)
  console.log(`database ${place.database}\n`)
  if (keys.length === 0) {
    console.log(
      'There is no key yet; the first start of the daemon makes one, as `relyd key add` does.',
    )
    return
  }
  const heading = ['KEY', 'STATE', 'SINCE', ...tableNames.map((table) => table.toUpperCase())]
  const rows = keys.map(({ key_id, state, since, rows }) => [
    key_id,
    state,
    since === null ? '-' : dateOf(since),
    ...tableNames.map((table) => String(rows[table])),
  ])
  sayTable([heading, ...rows], tableNames.length)
  for (const note of notesOn(keys)) console.log(`\n${note}`)
}

/** Adds a key. */
function makeKey(options: KeyOptions): void {
  const { key_file, database } = placeOf(options)
  const { key_id, made } = admin.addKey({ key_file, database })
  const by_unit = isBroughtByUnit(key_file)
  const owner = made && !by_unit && statSync(key_file).uid === 0 ? `\n${OWNER}` : ''
  console.log(
    made ? `Made ${key_file} with the key ${key_id}.${owner}` : added(key_id, key_file, by_unit),
  )
  console.log('Back the file up now, apart from the database: what a lost key encrypted is lost.')
}

/** Removes a key. */
function retireKey(key_id: string, options: KeyOptions): void {
  const { key_file, database } = placeOf(options)
  admin.retireKey({ key_file, database }, key_id, systemClock())
  console.log(`Retired the key ${key_id}: it is gone from the database and from ${key_file}.`)
  console.log('Older backups of the database still need it: keep it in a backup as long as those.')
}

function added(key_id: string, key_file: string, by_unit: boolean): string {
  const begin = by_unit
    ? 'The daemon has its keys from when it was started: systemctl restart relyd. From then on it encrypts'
    : 'A running daemon encrypts'
  const within = by_unit ? '' : ' within seconds'
  return `Added the key ${key_id} to ${key_file}.

${begin} with it${within}, and re-encrypts what is there in the background.
When \`relyd key list\` shows no rows for an old key, remove it: relyd key retire ID
`
}

const OWNER =
  'It belongs to root, as LoadCredential= wants it; if the daemon reads it itself, give it to its user.'

function notesOn(keys: admin.ListedKey[]): string[] {
  const notes: string[] = []
  if (keys.some(({ state }) => state === 'new')) {
    notes.push(
      'new: no daemon encrypts with it yet. Start the daemon; if it runs, its log tells why.',
    )
  }
  if (keys.some(({ state }) => state === 'missing')) {
    notes.push(
      'missing: the database was encrypted with it, and the file does not hold it. Restore the file\n' +
        'from its backup, or name the right one with --key-file.',
    )
  }
  return notes
}
