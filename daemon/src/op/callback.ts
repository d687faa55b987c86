/** Reads what the browser brought back from the OP, in whichever form the site passes it on. */
import { CommandError } from '../errors.js'

/** Parameters that decide something: twice is an attack or a fault (RFC 6749 3.1). */
const ONCE = ['state', 'code', 'iss', 'error', 'error_description', 'error_uri', 'response']

/**
 * @param callback the callback's URL, whole or from its path on, or its query or form body alone
 * @throws CommandError `invalid_request`
 */
export function readCallback(callback: string): URLSearchParams {
  // A fragment is no part of the response; it may hold a `?` of its own.
  const [address = ''] = callback.split('#', 1)
  const start = address.indexOf('?')
  const isUrl = /^(https?:\/\/|[/?])/i.test(address)
  // In a query or form body alone, a `?` belongs to a value.
  const query = !isUrl ? address : start === -1 ? '' : address.slice(start + 1)
  const parameters = new URLSearchParams(query)
  for (const name of ONCE) {
    if (parameters.getAll(name).length > 1) {
      throw new CommandError('invalid_request', `callback carries ${name} more than once`, {
        details: { field: 'callback' },
      })
    }
  }
  if (!parameters.get('state')) {
    throw new CommandError(
      'invalid_request',
      'callback carries no state; pass the whole URL that the browser requested, or the form body that it posted',
      { details: { field: 'callback' } },
    )
  }
  return parameters
}
