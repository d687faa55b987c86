/** Parameters made from a command's declaration: some that fit it, and every kind that does not. */
import type { Command } from '../../daemon/src/command.js'
import { commands } from '../../daemon/src/commands/index.js'

/** Every command with its name, as the table has it today. */
export const table: [name: string, command: Command][] = Object.entries(commands)

/** Those of a site. */
export const siteTable = table.filter(([, { params }]) => 'oxd_id' in params)

/** The part of JSON Schema that declarations use. */
interface Schema {
  type?: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object' | 'null'
  enum?: string[]
  anyOf?: Schema[]
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  items?: Schema
  maxItems?: number
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: Schema
  maxProperties?: number
}

export type Params = Record<string, unknown>

/** A value that stands in misfits, to be looked for where it must not appear. */
export const MARKER = 'hunter2'

/** @param given values that mean something where the type alone is not enough, by parameter */
export function exampleParams({ params }: Pick<Command, 'params'>, given: Params = {}): Params {
  return Object.fromEntries(
    Object.entries(params).map(([name, { schema }]) => [name, given[name] ?? exampleOf(schema)]),
  )
}

/** A value that fits. @throws Error for a kind of schema that this file does not know yet */
export function exampleOf(schema: object): unknown {
  const { type, enum: values, anyOf, minLength, minimum, items, ...rest } = schema as Schema
  const { properties, required = [], additionalProperties } = rest
  if (values) return values[0]
  if (anyOf?.[0]) return exampleOf(anyOf[0])
  switch (type) {
    case 'string':
      return 'x'.repeat(Math.max(1, minLength ?? 0))
    case 'integer':
      return minimum ?? 0
    case 'boolean':
      return true
    case 'array':
      return [exampleOf(items as Schema)]
    case 'object':
      if (properties && Object.keys(properties).length > 0) {
        const members = Object.entries(properties).filter(([name]) => required.includes(name))
        return Object.fromEntries(members.map(([name, one]) => [name, exampleOf(one)]))
      }
      return { member: isOpen(additionalProperties) ? 1 : exampleOf(additionalProperties) }
    default:
      throw unknownKind(schema)
  }
}

/** Values that do not fit, each with what is wrong with it. */
export function misfitsOf(schema: object): [what: string, value: unknown][] {
  const known = schema as Schema
  const { type, enum: values } = known
  const kind = values ? 'string' : type
  const wrong = Object.entries(oneOfEachType).filter(([one]) => one !== kind)
  switch (kind) {
    case 'string':
      if (values) return [...wrong, ['another word', MARKER]]
      return [...wrong, ...misfitTexts(known)]
    case 'integer':
      return [
        ...wrong,
        ['a fraction', 7654321.5],
        ['below the minimum', (known.minimum ?? 0) - 1],
        ['above the maximum', 2 ** 60],
      ]
    case 'boolean':
      return wrong
    case 'array': {
      const item = exampleOf(known.items as Schema)
      return [
        ...wrong,
        ['a list too long', Array((known.maxItems as number) + 1).fill(item)],
        ...misfitsOf(known.items as Schema).map(inside('a list', (value) => [item, value])),
      ]
    }
    case 'object': {
      const { additionalProperties, maxProperties } = known
      if (isOpen(additionalProperties)) return wrong
      const member = exampleOf(additionalProperties)
      const names = Array.from({ length: (maxProperties as number) + 1 }, (_, at) => `m${at}`)
      return [
        ...wrong,
        ['a map too large', Object.fromEntries(names.map((name) => [name, member]))],
        ...misfitsOf(additionalProperties).map(inside('a map', (value) => ({ 'a/b\n': value }))),
      ]
    }
    default:
      throw unknownKind(schema)
  }
}

/** The same parameters with half of a surrogate pair in the named one, where it can hold a text. */
export function withSurrogate(schema: object): unknown[] {
  const { type, enum: values } = schema as Schema
  if (values) return []
  switch (type) {
    case 'string':
      return ['\ud800', 'x\udc00']
    case 'array':
      return [['x', '\ud800']]
    case 'object':
      return [{ member: '\ud800' }, { '\udc00': 'x' }]
    default:
      return []
  }
}

const oneOfEachType = {
  string: MARKER,
  number: 7654321.5,
  integer: 7654321,
  boolean: true,
  array: [MARKER],
  object: { member: MARKER },
}

function misfitTexts({ minLength = 0, maxLength = 0 }: Schema): [string, unknown][] {
  const long = MARKER.repeat(Math.ceil((maxLength + 1) / MARKER.length)).slice(0, maxLength + 1)
  return minLength > 0
    ? [
        ['a text too long', long],
        ['an empty text', ''],
      ]
    : [['a text too long', long]]
}

function inside(where: string, put: (value: unknown) => unknown) {
  return ([what, value]: [string, unknown]): [string, unknown] => [
    `${what} in ${where}`,
    put(value),
  ]
}

/** A map of anything. */
function isOpen(schema: Schema | undefined): schema is undefined {
  return !schema || Object.keys(schema).length === 0
}

function unknownKind(schema: object): Error {
  return new Error(
    `no example for ${JSON.stringify(schema)}: teach test/support/declared.ts this kind of parameter`,
  )
}
