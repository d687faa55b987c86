/** docs/protocol.md: the wire and every command, for whoever writes a client. */
import type { Command, Fields } from '../../daemon/dist/command.js'
import type { EventSpec } from '../../daemon/dist/events.js'
import { specReference } from './spec_links.js'
import { eventTable, sentence, table, typeOf } from './table.js'

const EVENTS = `## Events

What a connection gets once it asked for it with [subscribe](#subscribe), among its replies and without an \`id\`:

\`\`\`
→ {"id":1,"command":"subscribe","params":{"oxd_id":"6f8f…"}}
← {"id":1,"status":"ok","data":{"events":["logout"]}}
← {"event":"logout","data":{"oxd_id":"6f8f…","session_ref":"e9e72c6f…","issuer":"https://op.example","sub":"alice","sid":"n2Kd…"}}
\`\`\`

Events are told, not kept: who connects later, or connects again, does not get what was told meanwhile. A session that
expires, or goes with its site, is not told of. A daemon tells what its own commands did; of several daemons on one store each tells its own connections. A connection may get the events of 100
sites. It is not idle (\`idle_timeout\`) while it waits for some. Who does not read them loses the connection, as with replies,
never a single event. A client ignores events that it does not know. One event may come more than once.`

export function protocolPage(intro: string): string {
  const index = table.map(([name, { doc }]) => `| [${name}](#${name}) | ${firstSentence(doc)} |`)
  return [
    intro.trim(),
    '## Commands',
    ['| command | what it does |', '|---|---|', ...index].join('\n'),
    ...table.map(([name, command]) => section(name, command)),
    EVENTS,
    ...eventTable.map(([name, event]) => eventSection(name, event)),
    '',
  ].join('\n\n')
}

function section(name: string, command: Command): string {
  const { doc, spec, params, result, errors, retry } = command
  return [
    `### ${name}`,
    doc,
    spec.length > 0 ? `Specifications: ${spec.map(specReference).join(', ')}.` : '',
    retry === 'safe'
      ? 'Retry: safe. It may be sent again when no reply came.'
      : 'Retry: never. When no reply came, it may have been executed.',
    fieldTable('params', params),
    fieldTable('result', result),
    errors.length > 0
      ? `Errors: ${errors.map((code) => `[${code}](errors.md#${code})`).join(', ')}.`
      : '',
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function eventSection(name: string, { doc, spec, data }: EventSpec): string {
  return [
    `### Event: ${name}`,
    doc,
    `Specifications: ${spec.map(specReference).join(', ')}.`,
    fieldTable('data', data),
  ].join('\n\n')
}

export function fieldTable(title: string, fields: Fields): string {
  const rows = Object.entries(fields).map(([name, field]) => {
    const marks = [field.required ? '**required**' : '', field.secret ? 'secret' : '']
    const type = typeOf(field.schema).replaceAll(' | ', ' \\| ')
    return `| \`${name}\` | \`${type}\` | ${marks.filter(Boolean).join(', ')} | ${sentence(field)} |`
  })
  if (rows.length === 0) return `No ${title}.`
  return [`| ${title} | type | | |`, '|---|---|---|---|', ...rows].join('\n')
}

export function firstSentence(doc: string): string {
  return doc.split(/(?<=\.|:) /, 1)[0]?.replace(/:$/, '.') ?? doc
}
