/** How the command `relyd` ends, for scripts. */

/** Every exit code with its meaning; what is not listed is a signal's. */
export const exitCodes = {
  done: 0,
  /** It was refused, or did not succeed; the reason is on standard error. */
  failed: 1,
  /** The arguments were wrong; nothing was done. */
  usage: 2,
  /** The daemon cannot be reached. */
  unreachable: 3,
  /** `relyd doctor` found something that must be mended. */
  unhealthy: 4,
} as const

/** Ends the program with words for the operator. */
export class CliError extends Error {
  readonly exit_code: number

  constructor(exit_code: number, message: string) {
    super(message)
    this.exit_code = exit_code
  }
}
