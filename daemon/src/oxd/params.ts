/** Reads parameters as oxd's clients send them: in other spellings, as null, as a text where a list is due. */
import type { Fields } from '../command.js'
import { CommandError } from '../errors.js'

type Params = Record<string, unknown>

/** What a request has that brought no object as its params. */
export const NOT_GIVEN: Params = Object.freeze({})

/**
 * What a command knows of its parameters, each in the type that it is declared with as far as that is
 * plain. Others are dropped: clients send their whole configuration along.
 */
export function readLeniently(
  { params: fields, aliases = {} }: { params: Fields; aliases?: Readonly<Record<string, string>> },
  given: Params,
): Params {
  if (given === NOT_GIVEN && Object.keys(fields).length > 0) {
    throw new CommandError(
      'internal_error',
      'params are missing; they are an object: {"params":{}}',
    )
  }
  const read: Params = {}
  for (const [spelt, value] of Object.entries(given)) {
    const name = Object.hasOwn(fields, spelt) ? spelt : aliases[spelt]
    if (name === undefined || !Object.hasOwn(fields, name)) continue
    // Of two spellings the proper one counts.
    if (name !== spelt && Object.hasOwn(read, name)) continue
    const one = asDeclared(fields[name]?.schema as { type?: string }, value)
    if (one !== undefined) read[name] = one
  }
  return read
}

function asDeclared({ type }: { type?: string }, value: unknown): unknown {
  if (isBlank(value)) return undefined
  switch (type) {
    case 'array': {
      const list = (Array.isArray(value) ? value : [value]).filter((one) => !isBlank(one))
      return list.length > 0 ? list : undefined
    }
    case 'string': {
      const one = Array.isArray(value) && value.length === 1 ? value[0] : value
      if (isBlank(one)) return undefined
      return typeof one === 'number' || typeof one === 'boolean' ? String(one) : one
    }
    default:
      return value
  }
}

function isBlank(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'string' && value.trim() === '')
}
