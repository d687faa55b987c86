/** docs/oxd-commands.md: the commands of oxD as relyd answers them. */
import type { OxdCommand } from '../../daemon/dist/oxd/oxd_command.js'
import { fieldTable, firstSentence } from './protocol_page.js'
import { oxdTable } from './table.js'

const INTRO = `# The commands of oxD

Generated from \`daemon/src/oxd/commands\`. What clients of oxD are answered in a realm with \`oxd_clients\`
([configuration.md](configuration.md#oxd_clients)). [migrating-from-oxd.md](migrating-from-oxd.md) points a site at relyd,
[oxd-compatibility.md](oxd-compatibility.md) says what is otherwise than in oxD. What is new is better written for
[relyd's own commands](protocol.md).

A frame is four digits and that many characters of JSON; replies come in the order of the requests:

\`\`\`
→ 0066{"command":"get_authorization_url","params":{"oxd_id":"6f8f2c10"}}
← 0083{"status":"ok","data":{"authorization_url":"https://op.example/auth?scope=openid"}}
→ 0055{"command":"remove_site","params":{"oxd_id":"another"}}
← 0087{"status":"error","data":{"error":"invalid_oxd_id","error_description":"no such site"}}
\`\`\`

- Names of commands may be in upper case. Parameters that a command does not know are ignored; null and blank texts count as
  absent; a text stands for a list of one, a number for its digits, \`"true"\` for true.
- A parameter that is **required** and missing is answered \`bad_request\` for \`oxd_id\`, \`code\` and \`state\`, otherwise
  \`invalid_request\`; one of another type \`invalid_request\`. The description names it. Where oxD had a code for a parameter
  (\`invalid_http_method\`), it is that one; \`params\` that are no object are an \`internal_error\`.
- Result members that are **required** are always there, and may be null where the type says so. A result without members is
  \`"data":null\`.
- \`since\` is the version of oxD that brought the command. It is answered to clients of any version.
- Every command takes a \`protection_access_token\`. It is looked at where the realm has \`protect_commands_with_access_token = yes\`; then
  it is required, but where a command says otherwise.
- Errors have the codes of [errors.md](errors.md), or those by which oxD said the same.`

export function oxdPage(): string {
  const index = oxdTable.map(([name, { doc, since, names = [] }]) => {
    const others = names.map((one) => `\`${one}\``).join(', ')
    return `| [${name}](#${name}) | ${others} | ${since} | ${firstSentence(doc)} |`
  })
  return [
    INTRO,
    '## Commands',
    ['| command | also | since | what it does |', '|---|---|---|---|', ...index].join('\n'),
    ...oxdTable.map(([name, command]) => section(name, command)),
    '',
  ].join('\n\n')
}

function section(name: string, command: OxdCommand): string {
  const { doc, since, names = [], unprotected, params, result } = command
  const others =
    names.length > 0 ? ` Also called ${names.map((one) => `\`${one}\``).join(', ')}.` : ''
  const access = unprotected ? ' Needs no `protection_access_token`, in any realm.' : ''
  return [
    `### ${name}`,
    doc,
    `Since oxD ${since}.${others}${access}`,
    fieldTable('params', params),
    fieldTable('result', result),
  ].join('\n\n')
}
