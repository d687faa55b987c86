/** Refuses what an operator gives to authenticate a client with. */
import { CommandError } from '../errors.js'

/** @returns an error that names the field and the cure; `why` never quotes what was given */
export function refused(field: string, why: string): CommandError {
  return new CommandError('invalid_request', `${field} ${why}`, { details: { field } })
}
