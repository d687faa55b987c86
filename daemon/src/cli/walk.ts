/** Walks the tree of subcommands, for the completion, docs/cli.md and the tests. */
import type { Command, Option } from 'commander'

/** A command with its place in the tree. */
export interface Walked {
  /** Such as `relyd key list`. */
  path: string
  command: Command
}

/** @returns the command itself, then all below it, in the order of the help */
export function walk(command: Command, path = command.name()): Walked[] {
  return [
    { path, command },
    ...command.commands.flatMap((one) => walk(one, `${path} ${one.name()}`)),
  ]
}

/** Its options as the help shows them, `--help` included. */
export function optionsOf(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command)
}
