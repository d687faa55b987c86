/** docs/errors.md: every error code, what to do about it and which commands answer it. */
import { type ErrorSpec, errors } from '../../daemon/dist/errors.js'
import { specReference } from './spec_links.js'
import { adminTable, table } from './table.js'

export function errorsPage(): string {
  return `# Error codes

Generated from \`daemon/src/errors.ts\`. A reply with \`status: "error"\` carries \`error\` (the code), an
\`error_description\` for people, the \`request_id\` that finds the request in the daemon's log, \`retryable\`, and where there are
any the section of the specification (\`spec\`) and the evidence (\`details\`, never a secret). Branch on the code only.

${Object.entries(errors as Record<string, ErrorSpec>)
  .map(([code, spec]) => section(code, spec))
  .join('\n\n')}
`
}

function section(code: string, { doc, spec, retryable, common }: ErrorSpec): string {
  const users = [
    ...usersOf(code, table, 'protocol.md'),
    ...usersOf(code, adminTable, 'admin-protocol.md'),
  ]
  return [
    `## ${code}`,
    spec ? `${doc} ${specReference(spec)}` : doc,
    [
      `Retryable: ${retryable ? 'yes' : 'no'}.`,
      common ? 'Any command.' : `Commands: ${users.join(', ') || 'those of oxd clients'}.`,
    ].join(' '),
  ].join('\n\n')
}

function usersOf(
  code: string,
  commands: [name: string, command: { errors: readonly string[] }][],
  page: string,
): string[] {
  return commands.flatMap(([name, { errors: codes }]) =>
    codes.includes(code) ? [`[${name}](${page}#${name})`] : [],
  )
}
