/** What oxd's UMA commands share, as long as relyd serves no UMA. */
import { required, string, token } from '../command.js'
import type { ErrorCode } from '../errors.js'
import { paramFault } from '../uma/params.js'
import type { OxdContext } from './oxd_command.js'

/** A parameter of which oxd has a code of its own where it is not there: looked for once the site is known. */
export function needed<V>(value: V | undefined, field: string, code: ErrorCode): V {
  if (value === undefined) throw paramFault(code, field, 'is missing')
  return value
}

/** As oxd answered for an AS that has no UMA. */
export function notServed({ refuse }: OxdContext): never {
  return refuse('no_uma_discovery_response', 'relyd does not serve UMA yet')
}

/** Of oxD 2.4 and 3.0; later versions had no such commands either. */
export function uma1({ refuse }: OxdContext): never {
  return refuse('unsupported_operation', 'this is UMA 1, which relyd does not speak')
}

export const ticket = token({
  doc: 'The permission ticket; it must be there.',
  spec: 'UMA Grant 3.3.1',
})

export const same_oxd_id = required(string({ doc: 'The same as was given.' }))
