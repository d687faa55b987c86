/** How the command `relyd` ends when something is wrong. */
import { describeFault } from '../faults.js'
import { StartError } from '../start_error.js'
import { StoreError } from '../store/errors.js'
import { CliError, exitCodes } from './exit_codes.js'
import { complain } from './output.js'

/** Configuration and surroundings are told in one line; anything else is a fault with its stack. */
export function fail(error: unknown): never {
  if (error instanceof CliError) {
    complain(`relyd: ${error.message}`)
    process.exit(error.exit_code)
  }
  if (error instanceof StartError || error instanceof StoreError) {
    complain(`relyd: ${error.message}`)
  } else {
    const { stack, causes = [] } = describeFault(error)
    for (const text of [stack, ...causes]) {
      for (const line of text.split('\n')) complain(line)
    }
  }
  process.exit(exitCodes.failed)
}
