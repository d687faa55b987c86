/** Options that several subcommands have. */
import type { Command } from 'commander'

export const DEFAULT_CONFIG = '/etc/relyd/relyd.cfg'

/** What {@link withConfig} adds. */
export interface ConfigOption {
  /** Path of relyd.cfg. */
  config: string
}

/** What {@link withJson} adds. */
export interface JsonOption {
  json?: true
}

export function withConfig(command: Command): Command {
  return command.option('-c, --config <file>', "the daemon's configuration", DEFAULT_CONFIG)
}

export function withJson(command: Command): Command {
  return command.option('--json', 'for programs')
}
