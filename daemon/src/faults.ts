/** Tells the log of a failure that nobody foresaw, without what the error may carry along. */
import { live } from './live_secrets.js'

/** A failure as a line of the log shows it. */
export interface Fault {
  stack: string
  /** The errors behind it, from the outside in. */
  causes?: string[]
}

const LONGEST = 8192
const CAUSES = 8

/**
 * Name, message and stack of an error and of its causes. Its other properties stay out: they hold
 * requests, responses and whatever else was at hand when it was made.
 */
export function describeFault(error: unknown): Fault {
  const causes: string[] = []
  for (let one = causeOf(error); one !== undefined && causes.length < CAUSES; one = causeOf(one)) {
    causes.push(stackOf(one))
  }
  return { stack: stackOf(error), ...(causes.length > 0 && { causes }) }
}

/** An AggregateError's first error stands for all: they are tries of one thing. */
function causeOf(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors[0]
  return error instanceof Error ? error.cause : undefined
}

function stackOf(error: unknown): string {
  // Twice as much is searched as is shown: an error's text may be as long as an enemy likes.
  const text = live.hide(textOf(error).slice(0, 2 * LONGEST))
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}

function textOf(error: unknown): string {
  if (typeof error === 'string') return error
  // Whoever threw it may have meant any of its members to be read, or none.
  if (!(error instanceof Error)) return `${typeof error} thrown, not an Error`
  const text = typeof error.stack === 'string' ? error.stack : `${error.name}: ${error.message}`
  // V8 quotes a piece of what it could not read, which may be a piece of a secret.
  return error instanceof SyntaxError ? text.replace(/, .*? is not valid JSON/s, ' in JSON') : text
}
