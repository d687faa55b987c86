/** The command line of `relyd`: every subcommand, and how it ends when one fails. */
import { Command } from 'commander'
import { version } from '../version.js'
import { addBackup } from './backup.js'
import { addCheckConfig } from './check_config.js'
import { exitCodes } from './exit_codes.js'
import { fail } from './fail.js'
import { addKey } from './key.js'
import { addRestore } from './restore.js'
import { addServe } from './serve.js'
import { addSessions } from './sessions.js'
import { addSites } from './sites.js'
import { addStatus } from './status.js'

/** Runs the command that the process was started with. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(argv)
  } catch (error) {
    fail(error)
  }
}

/** The whole tree of subcommands, as the completion walks it too. */
export function createProgram(): Command {
  const program = new Command('relyd')
    .description('RELYing-party Daemon: OpenID Connect for websites, over a local socket')
    .version(version)
    .showHelpAfterError('(relyd --help shows all commands)')
    // commander says what is wrong by itself; --help and --version end this way too.
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? exitCodes.done : exitCodes.usage))
  addServe(program)
  addCheckConfig(program)
  addStatus(program)
  addSites(program)
  addSessions(program)
  addKey(program)
  addBackup(program)
  addRestore(program)
  return program
}
