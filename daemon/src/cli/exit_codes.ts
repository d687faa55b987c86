/** How the command `relyd` ends, for scripts. */

/** Every exit code; what is not listed is a signal's. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  unhealthy: 4,
} as const

/** What each of them means, for `relyd --help` and docs/cli.md. */
export const exitCodeDocs: Record<keyof typeof exitCodes, string> = {
  done: 'It was done.',
  failed: 'It was refused, or did not succeed; the reason is on standard error.',
  usage: 'The arguments were wrong; nothing was done.',
  unreachable: 'The daemon cannot be reached.',
  unhealthy: '`relyd doctor` found a fault, which must be mended.',
}

/** Ends the program with words for the operator. */
export class CliError extends Error {
  readonly exit_code: number

  constructor(exit_code: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exit_code = exit_code
  }
}

/** The arguments are wrong, in a way that only their reading shows. */
export function wrongUsage(message: string): CliError {
  return new CliError(exitCodes.usage, message)
}
