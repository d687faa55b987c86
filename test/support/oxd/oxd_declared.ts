/** Parameters that no lenient reading makes fit, from the declarations of oxd's commands. */

import { oxdCommands } from '../../../daemon/src/oxd/commands/index.js'
import type { OxdCommand } from '../../../daemon/src/oxd/oxd_command.js'
import { MARKER } from '../declared.js'

/** Every command with its name, as the table has it today. */
export const oxdTable: [name: string, command: OxdCommand][] = Object.entries(oxdCommands)

/** The part of JSON Schema that declarations use. */
interface Schema {
  type?: string
  enum?: string[]
  anyOf?: Schema[]
  items?: Schema
  maxItems?: number
  maxLength?: number
  additionalProperties?: Schema | false
}

type Misfit = [what: string, value: unknown]

const NUMBER = 7654321.5
const object: Misfit = ['an object', { [MARKER]: { [MARKER]: MARKER } }]
const number: Misfit = ['a number', NUMBER]
const word: Misfit = ['a word', MARKER]
const two: Misfit = ['a list of two', [MARKER, MARKER]]

/**
 * What is no such value in any spelling: a number may stand for its digits, a text for a list of one,
 * JSON for what it holds, and of a union whatever fits one of its kinds.
 */
export function oxdMisfits(schema: object): Misfit[] {
  const { type, enum: values, anyOf, items = {}, ...rest } = schema as Schema
  if (values) return [object, two, ['another word', MARKER]]
  if (anyOf) return anyOf.some(({ type }) => type === 'object') ? [] : [object]
  switch (type) {
    case 'string':
      return [object, two, ...tooLong(rest.maxLength)]
    case 'integer':
    case 'number':
      return [object, two, word]
    case 'boolean':
      return [object, two, ['another word', MARKER]]
    case 'array': {
      // One alone may be in a list by itself.
      const inner = oxdMisfits(items).map(
        ([what, value]): Misfit => [`${what} in a list`, [value, value]],
      )
      return items.type === 'object' ? [number, word, ...inner] : [object, ...inner]
    }
    case 'object':
      return [number, word, two]
    default:
      return []
  }
}

/** As far as a frame of oxd has room for it. */
function tooLong(maxLength = Number.POSITIVE_INFINITY): Misfit[] {
  return maxLength < 9000 ? [['a text too long', MARKER.padEnd(maxLength + 1, 'x')]] : []
}
