/** The command line of `relyd`: every subcommand, and how it ends when one fails. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { version } from '../version.js'
import { addBackup } from './backup.js'
import { addCall } from './call.js'
import { addCheckConfig } from './check_config.js'
import { addCompletion } from './completion.js'
import { addDoctor } from './doctor.js'
import { exitCodeDocs, exitCodes } from './exit_codes.js'
import { fail } from './fail.js'
import { addKey } from './key.js'
import { addRestore } from './restore.js'
import { addServe } from './serve.js'
import { addService } from './service.js'
import { addSessions } from './sessions.js'
import { addSites } from './sites.js'
import { addStatus } from './status.js'
import { addVersion } from './version.js'

/** Runs the command that the process was started with. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(argv)
  } catch (error) {
    fail(error, argv[2] === 'serve' ? 'daemon' : 'operator')
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
    .addHelpText('after', () => `\nExit codes:\n${codesHelp()}\n\nDocumentation: ${docsFolder()}`)
  for (const add of [
    addServe,
    addCheckConfig,
    addStatus,
    addDoctor,
    addCall,
    addSites,
    addSessions,
    addKey,
    addBackup,
    addRestore,
    addService,
    addVersion,
    addCompletion,
  ]) {
    add(program)
  }
  return program
}

/** In the package, or at the top of the repository. */
function docsFolder(): string {
  const [packed = '', written = ''] = ['../../docs', '../../../docs'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  )
  return existsSync(packed) ? packed : written
}

function codesHelp(): string {
  return Object.entries(exitCodes)
    .map(([name, code]) => `  ${code}  ${exitCodeDocs[name as keyof typeof exitCodes]}`)
    .join('\n')
}
