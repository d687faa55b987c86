/** `relyd status`: what the running daemon says of itself. */
import type { Command } from 'commander'
import type { status } from '../admin/commands/status.js'
import type { Values } from '../command.js'
import { askDaemon } from './admin_client.js'
import { withExamples } from './examples.js'
import { type ConfigOption, type JsonOption, withConfig, withJson } from './options.js'
import { dateOf, say, sayJson, sayTable } from './output.js'

type Status = Values<(typeof status)['result']>

export function addStatus(program: Command): void {
  withExamples(
    withJson(withConfig(program.command('status'))).description(
      'show what the running daemon listens on and holds',
    ),
    ['relyd status', 'version, listeners, and what each realm has stored'],
    ['relyd status --json', 'the same for a program'],
  ).action(async ({ config, json }: ConfigOption & JsonOption) => {
    const status = await askDaemon(config, 'status')
    if (json) sayJson(status)
    else show(status)
  })
}

function show(status: Status): void {
  const { version, node, pid, started_at, config, database, schema, key_id } = status
  say(`relyd ${version} (Node ${node.slice(1)}, pid ${pid}) runs since ${dateOf(started_at)}`)
  say(`configuration ${config}`)
  say(`database ${database}, schema ${schema}, encrypts with the key ${key_id}`)
  say()
  sayTable(
    [
      ['LISTENER', 'ADDRESS', 'REALMS', 'CONNECTIONS'],
      ...status.listeners.map(({ name, address, realms, connections }) => [
        name,
        address,
        realms.join(', '),
        String(connections),
      ]),
    ],
    1,
  )
  say()
  sayTable(
    [
      ['REALM', 'SITES', 'PENDING LOGINS', 'SESSIONS', 'MEGABYTES'],
      ...status.realms.map(({ name, sites, pending_logins, sessions, bytes }) => [
        name,
        ...[sites, pending_logins, sessions, Math.ceil(bytes / 1024 ** 2)].map(String),
      ]),
    ],
    4,
  )
}
