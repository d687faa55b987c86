/** docs/cli.md: the command relyd, from its tree of subcommands. */
import type { Argument, Option } from 'commander'
import { examplesOf } from '../../daemon/dist/cli/examples.js'
import { exitCodeDocs, exitCodes } from '../../daemon/dist/cli/exit_codes.js'
import { createProgram } from '../../daemon/dist/cli/program.js'
import { optionsOf, type Walked, walk } from '../../daemon/dist/cli/walk.js'

const INTRO = `# The command relyd

Generated from \`daemon/src/cli\`. The same is in \`relyd --help\` and \`relyd COMMAND --help\`. What is for programs is on standard output,
as JSON with \`--json\`; what went wrong is on standard error. No command takes a secret among its arguments, which every user
of the host can see.`

export function cliPage(): string {
  const commands = walk(createProgram()).slice(1)
  return [
    INTRO,
    exitCodeTable(),
    '## Commands',
    index(commands),
    ...commands.map(section),
    '',
  ].join('\n\n')
}

function exitCodeTable(): string {
  const rows = Object.entries(exitCodes).map(
    ([name, code]) => `| ${code} | ${exitCodeDocs[name as keyof typeof exitCodes]} |`,
  )
  return ['## Exit codes', '', '| code | meaning |', '|---|---|', ...rows].join('\n')
}

function index(commands: readonly Walked[]): string {
  const rows = commands
    .filter(isLeaf)
    .map(({ path, command }) => `| [${path}](#${anchor(path)}) | ${cell(command.description())} |`)
  return ['| command | what it does |', '|---|---|', ...rows].join('\n')
}

function section({ path, command }: Walked): string {
  const parts = [`### ${path}`, sentence(command.description())]
  if (!isLeaf({ path, command })) return parts.join('\n\n')
  const examples = examplesOf(command).map(({ line, doc }) => `# ${doc}\n${line}`)
  return [
    ...parts,
    `\`${path} ${command.usage()}\``,
    ...table('argument', command.registeredArguments.map(argumentRow)),
    ...table('option', optionsOf(command).filter(isNoHelp).map(optionRow)),
    `\`\`\`sh\n${examples.join('\n\n')}\n\`\`\``,
  ].join('\n\n')
}

function argumentRow(argument: Argument): [string, string] {
  const name = argument.required ? `<${argument.name()}>` : `[${argument.name()}]`
  const choices = argument.argChoices ? `: ${argument.argChoices.join(' or ')}` : ''
  return [argument.variadic ? `${name}...` : name, `${argument.description}${choices}`]
}

function optionRow({ flags, description, defaultValue }: Option): [string, string] {
  const preset = defaultValue === undefined ? '' : ` (default: \`${defaultValue}\`)`
  return [flags, `${description}${preset}`]
}

function table(what: string, rows: readonly [string, string][]): string[] {
  if (rows.length === 0) return []
  const lines = rows.map(([name, doc]) => `| \`${cell(name)}\` | ${cell(doc)} |`)
  return [[`| ${what} | |`, '|---|---|', ...lines].join('\n')]
}

function isLeaf({ command }: Walked): boolean {
  return command.commands.length === 0
}

function isNoHelp({ long }: Option): boolean {
  return long !== '--help'
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function anchor(path: string): string {
  return path.replaceAll(' ', '-')
}
