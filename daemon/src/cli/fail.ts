/** How the command `relyd` ends when something is wrong. */
import { describeFault } from '../faults.js'
import { StartError } from '../start_error.js'
import { codeOf, messageOf, StoreError } from '../store/errors.js'
import { CliError, exitCodes } from './exit_codes.js'
import { complain } from './output.js'

/**
 * Configuration and surroundings are told in one line; anything else is a fault with its stack.
 *
 * @param by whose command it was: what an operator may not do, sudo may
 */
export function fail(error: unknown, by: 'operator' | 'daemon' = 'daemon'): never {
  const cure = by === 'operator' && isDenied(error) ? '; run this with sudo' : ''
  if (error instanceof CliError) {
    complain(`relyd: ${error.message}`)
    process.exit(error.exit_code)
  }
  if (error instanceof StartError || error instanceof StoreError || cure !== '') {
    complain(`relyd: ${messageOf(error)}${cure}`)
  } else {
    const { stack, causes = [] } = describeFault(error)
    for (const text of [stack, ...causes]) {
      for (const line of text.split('\n')) complain(line)
    }
  }
  process.exit(exitCodes.failed)
}

/** Whether the system forbade it to a user who is not root. */
function isDenied(error: unknown): boolean {
  if (!(error instanceof Error) || process.geteuid?.() === 0) return false
  return /^(EACCES|EPERM)$/.test(String(codeOf(error))) || isDenied(error.cause)
}
