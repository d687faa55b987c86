/** docs/protocol.md: the wire and every command, for whoever writes a client. */
import type { Command, Fields } from '../../daemon/dist/command.js'
import { specReference } from './spec_links.js'
import { sentence, table, typeOf } from './table.js'

export function protocolPage(intro: string): string {
  const index = table.map(([name, { doc }]) => `| [${name}](#${name}) | ${firstSentence(doc)} |`)
  return [
    intro.trim(),
    '## Commands',
    ['| command | what it does |', '|---|---|', ...index].join('\n'),
    ...table.map(([name, command]) => section(name, command)),
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

function fieldTable(title: string, fields: Fields): string {
  const rows = Object.entries(fields).map(([name, field]) => {
    const marks = [field.required ? '**required**' : '', field.secret ? 'secret' : '']
    const type = typeOf(field.schema).replaceAll(' | ', ' \\| ')
    return `| \`${name}\` | \`${type}\` | ${marks.filter(Boolean).join(', ')} | ${sentence(field)} |`
  })
  if (rows.length === 0) return `No ${title}.`
  return [`| ${title} | type | | |`, '|---|---|---|---|', ...rows].join('\n')
}

function firstSentence(doc: string): string {
  return doc.split(/(?<=\.|:) /, 1)[0]?.replace(/:$/, '.') ?? doc
}
