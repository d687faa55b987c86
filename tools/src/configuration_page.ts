/** docs/configuration.md: every option of relyd.cfg, from the table that the loader reads it by. */
import type { Option, Options } from '../../daemon/dist/config/option.js'
import { sections } from '../../daemon/dist/config/options.js'

const INTRO = `# relyd.cfg

Generated from \`daemon/src/config/options.ts\`. \`/etc/relyd/relyd.cfg\` is the daemon's configuration, unless \`--config\` names
another. The package ships it with every option as a comment; it works as it is. \`relyd check-config\` reads a changed
file as the daemon does, and says what it comes to.

## How it is written

\`\`\`ini
# A comment is a line of its own, behind # or ;
[daemon]
op_timeout = 5
[listener shop]
address = unix:/run/relyd/shop.sock
realm = shop
[realm shop]
tokens = daemon
\`\`\`

- A section is \`[daemon]\`, or \`[listener NAME]\` and the like with a name of lower-case letters, digits, \`-\` and \`_\`.
- A value is the rest of its line, without quotes; \`#\` and \`;\` within it are part of it. A line that begins with white space goes on
  with the value of the line before. An option without a value has its default.
- What is unknown, is written twice or has a wrong value keeps the daemon from starting. The message names the line and, for a
  mistyped name, the nearest one.
- No secret belongs into this file: keys, and secrets of clients, have files of their own.
- _Reload_: a running daemon takes a change over when it is told to (\`systemctl reload relyd\`, or SIGHUP). Other changes take a
  restart, and the reload says so.`

export function configurationPage(): string {
  const parts = Object.entries(sections).map(([kind, { named, doc, options }]) => [
    `## ${named ? `[${kind} NAME]` : `[${kind}]`}`,
    doc,
    ...Object.entries(options as Options).map(([name, option]) => section(name, option)),
  ])
  return [INTRO, ...parts.flat(), ''].join('\n\n')
}

function section(name: string, option: Option): string {
  const { doc, default: preset, example, required, unsafe, reload } = option
  const facts = [
    `Value: ${valueInWords(option)}.`,
    ...(preset === undefined ? [] : [`Default: \`${preset}\`.`]),
    ...(required ? ['Required.'] : []),
    ...(example === undefined ? [] : [`Example: \`${example}\`.`]),
    `Reload: ${reload ? 'yes' : 'no, restart'}.`,
  ]
  return [
    `### ${name}`,
    doc,
    ...(unsafe === undefined ? [] : [`**Unsafe.** ${unsafe}`]),
    facts.join(' '),
  ].join('\n\n')
}

/** No value of any option but a plain text's. */
const IMPOSSIBLE = '@@'

/** What a value looks like, in the very words in which the loader refuses another. */
function valueInWords({ read }: Option): string {
  try {
    read(IMPOSSIBLE)
    return 'text'
  } catch (error) {
    const { message } = error as Error
    return message
      .replace(/, not .*$/s, '')
      .replace(/^must (be|list|have) /, '')
      .replace(/^may have /, '')
  }
}
