/** Refuses what somebody gives in a parameter. */
import { bounded, CommandError } from './errors.js'

/** @returns an error that names the field and the cure; `why` never quotes a secret */
export function refused(field: string, why: string, details: object = {}): CommandError {
  const named = bounded(field, 100)
  return new CommandError('invalid_request', `${named} ${why}`, {
    details: { field: named, ...details },
  })
}
