/** Reads parameters as oxd's clients send them: in other spellings, as null, as a text where a list is due, or the other way round. */
import type { Fields } from '../command.js'

type Params = Record<string, unknown>

/**
 * What a command knows of its parameters, each in the type that it is declared with as far as that is
 * plain. Others are dropped: clients send their whole configuration along.
 */
export function readLeniently(
  { params: fields, aliases = {} }: { params: Fields; aliases?: Readonly<Record<string, string>> },
  given: Params,
): Params {
  const read: Params = {}
  for (const [spelt, value] of Object.entries(given)) {
    const name = Object.hasOwn(fields, spelt) ? spelt : aliases[spelt]
    if (name === undefined || !Object.hasOwn(fields, name)) continue
    // Of two spellings the proper one counts.
    if (name !== spelt && Object.hasOwn(read, name)) continue
    // Quotas, turns and log go by a text, as it was sent.
    const isOdd = name === 'oxd_id' && Array.isArray(value)
    const one = isOdd ? value : asDeclared(fields[name]?.schema as Declared, value)
    if (one !== undefined) read[name] = one
  }
  return read
}

interface Declared {
  type?: string
  items?: Declared
}

function asDeclared({ type, items }: Declared, value: unknown): unknown {
  if (isBlank(value)) return undefined
  switch (type) {
    case 'array': {
      // A list of objects may come as its JSON text, from those who keep it as one.
      const given = items?.type === 'object' && typeof value === 'string' ? fromJson(value) : value
      const list = [given]
        .flat()
        .filter((one) => !isBlank(one))
        // oxd-python splits at commas, and leaves the blanks.
        .map((one) => (typeof one === 'string' ? one.trim() : one))
      return list.length > 0 ? list : undefined
    }
    case 'string': {
      const one = Array.isArray(value) && value.length === 1 ? value[0] : value
      if (isBlank(one)) return undefined
      return typeof one === 'number' || typeof one === 'boolean' ? String(one) : one
    }
    case 'object':
      // PHP's empty array, which its JSON cannot tell from an empty list.
      return Array.isArray(value) && value.length === 0 ? undefined : value
    default:
      return value
  }
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function isBlank(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'string' && value.trim() === '')
}
