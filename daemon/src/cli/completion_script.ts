/** Makes the completion scripts from the tree of subcommands, and from the declarations of commands for `relyd call`. */
import type { Command, Option } from 'commander'
import { adminCommands } from '../admin/commands/index.js'
import { commands } from '../commands/index.js'
import { optionsOf, type Walked, walk } from './walk.js'

/** How a shell fills in what was found. */
interface Shell {
  head: string
  /** Calls the words before the one that is typed `line`, the command's own name first. */
  begin: string
  files: string
  /** Offers the words in `list`. */
  words: string
  tail: string
}

const shells: Record<'bash' | 'zsh', Shell> = {
  bash: {
    head: '# Completion of relyd in bash, made by: relyd completion bash',
    begin: `local cur=\${COMP_WORDS[COMP_CWORD]}
  local -a line=("\${COMP_WORDS[@]:0:COMP_CWORD}")
  COMPREPLY=()`,
    files: 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur"))',
    words: `COMPREPLY=($(compgen -W "$list" -- "$cur"))
  # A parameter goes on behind its "=".
  [[ $COMPREPLY == *= ]] && compopt -o nospace`,
    tail: 'complete -o default -F _relyd relyd',
  },
  zsh: {
    head: '#compdef relyd\n# Completion of relyd in zsh, made by: relyd completion zsh',
    begin: `emulate -L zsh
  setopt local_options ksh_arrays
  local -a line=("\${words[@]:0:$((CURRENT - 1))}")`,
    files: '_files',
    words: `unsetopt ksh_arrays
  local -a all=(\${=list})
  # A parameter goes on behind its "=".
  compadd -S '' -- \${(M)all:#*=}
  compadd -- \${all:#*=}`,
    tail: `if [ "$funcstack[1]" = "_relyd" ]; then
  _relyd
else
  compdef _relyd relyd
fi`,
  },
}

export function completionScript(program: Command, name: 'bash' | 'zsh'): string {
  const shell = shells[name]
  const all = walk(program)
  const valued = all.flatMap(({ path, command }) =>
    optionsOf(command)
      .filter(({ required, optional }) => required || optional)
      .map((option) => ({ option, patterns: spellings(option).map((one) => `${path} ${one}`) })),
  )
  const of = (kind: (option: Option) => boolean) =>
    valued.filter(({ option }) => kind(option)).flatMap(({ patterns }) => patterns)
  const taking = valued.flatMap(({ patterns }) => patterns)
  return `${shell.head}
_relyd() {
  ${shell.begin}
  local at=relyd word='' called='' list='' i=1
  while ((i < \${#line[@]})); do
    word=\${line[i]}
    case "$at $word" in
      ${anyOf(taking)}) ((i += 1)) ;;
      ${anyOf(all.slice(1).map(({ path }) => path))}) at="$at $word" ;;
      *' -'*) ;;
      *) [[ -n $called ]] || called=$word ;;
    esac
    ((i += 1))
  done
  word=\${line[\${#line[@]}-1]}
  case "$at $word" in
    ${anyOf(of(isFile))}) ${shell.files}; return ;;
    ${anyOf(of((option) => !isFile(option)))}) return ;;
  esac
  case "$at" in
${all.map(wordsOf).join('\n')}
  esac
  case "$at $called" in
${parameterWords()}
  esac
  ${shell.words}
}
${shell.tail}`
}

function wordsOf({ path, command }: Walked): string {
  const values = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? [])
  const words = [
    ...command.commands.map((one) => one.name()),
    ...values,
    ...optionsOf(command).flatMap(spellings),
  ]
  return `    '${path}') list='${words.join(' ')}' ;;`
}

/** Of `relyd call`: the commands' names, and behind one of them its parameters. */
function parameterWords(): string {
  const tables = Object.entries({ ...adminCommands, ...commands })
  const rows = tables.map(([name, { params }]) => {
    const words = Object.keys(params).map((param) => `${param}=`)
    return `    'relyd call ${name}') list="$list ${words.join(' ')}" ;;`
  })
  const names = tables.map(([name]) => name).join(' ')
  return [...rows, `    'relyd call ') list="$list ${names}" ;;`].join('\n')
}

function spellings({ short, long }: Option): string[] {
  return [long, short].filter((one) => one !== undefined)
}

function isFile({ flags }: Option): boolean {
  return /<(file|path|dir)>/.test(flags)
}

function anyOf(patterns: readonly string[]): string {
  return patterns.map((one) => `'${one}'`).join(' | ')
}
