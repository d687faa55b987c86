/** What the checks of UMA commands' parameters share. */
import { CommandError, type ErrorCode } from '../errors.js'

/** @param what is wrong and the cure, in words that follow the field's name */
export function paramFault(code: ErrorCode, field: string, what: string): CommandError {
  return new CommandError(code, `${field} ${what}`, { details: { field } })
}

/** Whether it is a text that is not blank, and has no half of a character, which no request could carry to the AS. */
export function isText(given: unknown, longest: number): given is string {
  return (
    typeof given === 'string' &&
    given.trim() !== '' &&
    given.length <= longest &&
    given.isWellFormed()
  )
}
