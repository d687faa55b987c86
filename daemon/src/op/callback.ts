/** Reads what the browser brought back from the OP, in whichever form the site passes it on. */
import { CommandError } from '../errors.js'

/** Parameters that decide something: twice is an attack or a fault (RFC 6749 3.1). */
const ONCE = [
  'state',
  'code',
  'id_token',
  'access_token',
  'token_type',
  'expires_in',
  'scope',
  'iss',
  'error',
  'error_description',
  'error_uri',
  'response',
]

/** How it came: in an address, which tells, or as a form or the text of a fragment, which look alike. */
export type Came = 'query' | 'fragment' | 'text'

export interface Callback {
  response: URLSearchParams
  came: Came
}

/**
 * @param callback the callback's URL, whole or from its path on, or its query, fragment or form body alone
 * @throws CommandError `invalid_request`
 */
export function readCallback(callback: string): Callback {
  const read = parse(callback)
  for (const name of ONCE) {
    if (read.response.getAll(name).length > 1) {
      throw unread(`callback carries ${name} more than once`)
    }
  }
  if (!read.response.get('state')) {
    throw unread(
      'callback carries no state; pass the whole URL that the browser requested, with its fragment if there is one, or the form body that it posted',
    )
  }
  return read
}

function parse(callback: string): Callback {
  const isUrl = /^(https?:\/\/|[/?#])/i.test(callback)
  const hash = callback.indexOf('#')
  const address = hash === -1 ? callback : callback.slice(0, hash)
  const fragment = new URLSearchParams(hash === -1 ? '' : callback.slice(hash + 1))
  // In a query or form body alone, a `?` belongs to a value.
  if (!isUrl) return { response: new URLSearchParams(address), came: 'text' }
  const start = address.indexOf('?')
  const query = new URLSearchParams(start === -1 ? '' : address.slice(start + 1))
  // A redirect URI may have a query of its own; and some OPs put a fragment behind a query (`#_=_`).
  if (!fragment.has('state')) return { response: query, came: 'query' }
  if (query.has('state')) throw unread('callback carries state in its query and in its fragment')
  return { response: fragment, came: 'fragment' }
}

function unread(description: string): CommandError {
  return new CommandError('invalid_request', description, { details: { field: 'callback' } })
}
