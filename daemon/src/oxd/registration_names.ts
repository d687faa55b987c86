/** Refusals of a registration, told in the words that the oxd client used. */
import { CommandError } from '../errors.js'
import { registrationRows } from './registration_params.js'

/**
 * Runs what may refuse a parameter by relyd's name for it.
 *
 * @param given the parameters as the client wrote them
 */
export async function inNamesOf<T>(given: object, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw error instanceof CommandError ? renamed(error, namesOf(given)) : error
  }
}

/** oxd's name of each of relyd's parameters: of two spellings the one that was given. */
function namesOf(given: object): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const [name, { to }] of registrationRows) {
    if (to === undefined || (names.has(to) && !isGivenInstead(given, name, names.get(to)))) continue
    names.set(to, name)
  }
  return names
}

function isGivenInstead(given: object, name: string, known = ''): boolean {
  return Object.hasOwn(given, name) && !Object.hasOwn(given, known)
}

function renamed(error: CommandError, names: ReadonlyMap<string, string>): CommandError {
  const { code, message, details, retryable, spec, cause } = error
  const field = names.get(String(details?.['field']))
  // What an OP says of its own members stays as the OP said it.
  if (field === undefined) return error
  const words = message.replace(/\b[a-z]\w*(?:\.\w+)*/gi, (word) => names.get(word) ?? word)
  return new CommandError(code, words, { details: { ...details, field }, retryable, spec, cause })
}
