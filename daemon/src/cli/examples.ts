/** Examples in the help of a subcommand, and in docs/cli.md. */
import type { Command } from 'commander'

export interface Example {
  /** As it is typed into a shell. */
  line: string
  doc: string
}

const given = new WeakMap<Command, readonly Example[]>()

/** Shows the examples under the command's help. */
export function withExamples(
  command: Command,
  ...examples: readonly [line: string, doc: string][]
): Command {
  const all = examples.map(([line, doc]) => ({ line, doc }))
  given.set(command, all)
  const lines = all.map(({ line, doc }) => `  # ${doc}\n  ${line}`)
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
}

/** @returns none where nobody gave some */
export function examplesOf(command: Command): readonly Example[] {
  return given.get(command) ?? []
}
