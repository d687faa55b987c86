/** Reads parameters as oxd's clients send them: as null, as a text where a list is due, or the other way round. */
import { isDeeperThan, MAX_DEPTH } from '@relyd/sdk/framing'
import type { Fields } from '../command.js'

type Params = Record<string, unknown>

/**
 * What a command knows of its parameters, each in the type that it is declared with as far as that is
 * plain. Others are dropped: clients send their whole configuration along.
 */
export function readLeniently({ params: fields }: { params: Fields }, given: Params): Params {
  const read: Params = {}
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(fields, name)) continue
    const one = asDeclared(name, fields[name]?.schema as Declared, value)
    if (one !== undefined) read[name] = one
  }
  return read
}

interface Declared {
  type?: string
  minLength?: number
  items?: Declared
}

function asDeclared(name: string, { type, items, minLength }: Declared, value: unknown): unknown {
  // A text that may be empty tells who sent one from who sent none.
  if (isBlank(value)) return minLength === 0 ? '' : undefined
  switch (type) {
    case 'array': {
      // A list of objects may come as its JSON text, from those who keep it as one.
      const given = items?.type === 'object' && typeof value === 'string' ? fromJson(value) : value
      const list = [given]
        .flat()
        // RFC 6749 3.3: no scope has a blank in it, so that a text of several is a list of them.
        .flatMap((one) => (name === 'scope' && typeof one === 'string' ? one.split(/\s+/) : [one]))
        .filter((one) => !isBlank(one))
        // oxd-python splits at commas, and leaves the blanks.
        .map((one) => (typeof one === 'string' ? one.trim() : one))
      return list.length > 0 ? list : undefined
    }
    case 'string': {
      // By an oxd_id as it was sent go quotas, turns and log.
      const isWrapped = Array.isArray(value) && value.length === 1 && name !== 'oxd_id'
      const one = isWrapped ? value[0] : value
      if (isBlank(one)) return undefined
      return typeof one === 'number' || typeof one === 'boolean' ? String(one) : one
    }
    case 'boolean':
      return typeof value === 'string' && /^\s*(true|false)\s*$/i.test(value)
        ? value.trim().toLowerCase() === 'true'
        : value
    case 'object':
      // PHP's empty array, which its JSON cannot tell from an empty list.
      return Array.isArray(value) && value.length === 0 ? undefined : value
    default:
      return value
  }
}

/** What is nested deeper than a frame may be stays a text, which fits no list. */
function fromJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return isDeeperThan(value, MAX_DEPTH) ? text : value
  } catch {
    return text
  }
}

function isBlank(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'string' && value.trim() === '')
}
