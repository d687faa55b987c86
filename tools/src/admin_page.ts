/** docs/admin-protocol.md: the commands of the admin socket. */
import type { AdminCommand } from '../../daemon/dist/admin/admin_command.js'
import { fieldTable, firstSentence } from './protocol_page.js'
import { adminTable } from './table.js'

const INTRO = `# The admin socket

Generated from \`daemon/src/admin/commands\`. The command \`relyd\` is how an operator uses these; this page is for programs
of the operator's own.

The socket is \`admin_socket\` of relyd.cfg, of mode 0600. It speaks the [protocol](protocol.md) of the websites' sockets, with
these commands instead of theirs. Who may open it may do everything, for every realm.

\`\`\`sh
echo '{"id":1,"command":"status"}' | nc -U -N /var/lib/relyd/admin.sock
\`\`\``

export function adminPage(): string {
  const index = adminTable.map(
    ([name, { doc }]) => `| [${name}](#${name}) | ${firstSentence(doc)} |`,
  )
  return [
    INTRO,
    '## Commands',
    ['| command | what it does |', '|---|---|', ...index].join('\n'),
    ...adminTable.map(([name, command]) => section(name, command)),
    '',
  ].join('\n\n')
}

function section(name: string, { doc, params, result, errors }: AdminCommand): string {
  const codes = errors.map((code) => `[${code}](errors.md#${code})`).join(', ')
  return [
    `### ${name}`,
    doc,
    fieldTable('params', params),
    fieldTable('result', result),
    ...(codes === '' ? [] : [`Errors: ${codes}.`]),
  ].join('\n\n')
}
