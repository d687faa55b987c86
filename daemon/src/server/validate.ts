/** Checks parameters against a command's declaration, and says what is wrong in words. */
import { nearestName } from '@relyd/sdk/ini_file'
import { Compile, type Validator } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { type Fields, LIST_LENGTH, schemaOf } from '../command.js'
import { bounded, CommandError } from '../errors.js'

export type Validate = (params: Record<string, unknown>) => void

/**
 * Compiles the check once; it runs for every request.
 *
 * @returns a function that throws CommandError `invalid_request`, naming the field and the cure
 */
export function compileParams(fields: Fields): Validate {
  const validator = Compile(schemaOf(fields))
  return (params) => {
    if (!validator.Check(params)) throw describe(validator, fields, params)
    for (const name of Object.keys(params)) {
      const fault = unportable(params[name])
      if (fault !== undefined) throw invalid(name, fault)
    }
  }
}

/**
 * What is legal in a frame and could not be passed on: JSON's escapes can write half of a surrogate
 * pair, which no UTF-8 and no URL can carry, and 1e400 or msgpack's NaN would become null.
 */
function unportable(value: unknown): string | undefined {
  if (typeof value === 'string') {
    return value.isWellFormed() ? undefined : 'holds half a character (a lone surrogate)'
  }
  if (typeof value === 'number') {
    return Number.isFinite(value) ? undefined : 'holds a number that is too large'
  }
  if (typeof value !== 'object' || value === null) return undefined
  for (const [name, one] of Object.entries(value)) {
    const fault = unportable(name) ?? unportable(one)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** Drops members that are null: many languages send an absent parameter so. */
export function withoutNulls(params: Record<string, unknown>): Record<string, unknown> {
  for (const value of Object.values(params)) {
    if (value === null) {
      return Object.fromEntries(Object.entries(params).filter(([, one]) => one !== null))
    }
  }
  return params
}

function describe(
  validator: Validator,
  fields: Fields,
  params: Record<string, unknown>,
): CommandError {
  const stray = Object.keys(params).find((name) => !Object.hasOwn(fields, name))
  if (stray !== undefined) {
    const near = nearestName(stray, Object.keys(fields))
    return invalid(
      bounded(stray, 64),
      near ? `is not a parameter; did you mean ${near}?` : 'is not a parameter of this command',
    )
  }
  const missing = Object.keys(fields).find((name) => fields[name]?.required && !(name in params))
  if (missing !== undefined) return invalid(missing, 'is missing')
  const [error] = validator.Errors(shortened(params))
  const [, name = '', ...inner] = error?.instancePath.split('/') ?? []
  const value = inner.reduce(insideList, params[name])
  return invalid(
    bounded([name, ...inner].join('.'), 64),
    wanted(fields[name]?.schema, value, error),
  )
}

/** Enough of each list and map to find its fault: a frame has room for a million members. */
function shortened(params: Record<string, unknown>): Record<string, unknown> {
  const beginnings = Object.entries(params).map(([name, value]) => {
    if (Array.isArray(value)) return [name, value.slice(0, LIST_LENGTH + 1)]
    if (typeof value !== 'object' || value === null) return [name, value]
    return [name, Object.fromEntries(Object.entries(value).slice(0, LIST_LENGTH + 1))]
  })
  return Object.fromEntries(beginnings)
}

function insideList(value: unknown, index: string): unknown {
  return Array.isArray(value) ? value[Number(index)] : undefined
}

/** Most words that a sentence lists. */
const LISTED = 12

function wanted(
  schema: object | undefined,
  value: unknown,
  error: TLocalizedValidationError | undefined,
): string {
  const words = wordsOf(schema)
  // Of a list, a member that is none of its words; not a fault of the list itself.
  if (words && error?.keyword === 'enum') {
    if (words.length <= LISTED) return `must be one of ${words.join(', ')}`
    const near = typeof value === 'string' ? nearestName(value, words.map(String)) : undefined
    const shown = near ? `did you mean ${near}?` : `as ${words.slice(0, 3).join(', ')}`
    return `is none of the ${words.length} names that it may be; ${shown}`
  }
  if (value === '' && error?.keyword === 'minLength') return 'is empty'
  return error?.message ?? 'is not valid'
}

/** The words that a value, or a member of a list, may be. */
function wordsOf(schema: object = {}): unknown[] | undefined {
  if ('enum' in schema && Array.isArray(schema.enum)) return schema.enum
  return 'items' in schema ? wordsOf(schema.items as object) : undefined
}

/** Longest name of a field that an error repeats. */
const NAME_LENGTH = 64

function invalid(name: string, what: string): CommandError {
  const field = bounded(name, NAME_LENGTH)
  return new CommandError('invalid_request', `${field} ${what}`, { details: { field } })
}
