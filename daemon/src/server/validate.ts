/** Checks parameters against a command's declaration, and says what is wrong in words. */
import { nearestName } from '@relyd/sdk/ini_file'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { type Fields, schemaOf } from '../command.js'
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
    if (validator.Check(params)) {
      const broken = Object.keys(params).find((name) => !isWellFormed(params[name]))
      if (broken === undefined) return
      throw invalid(broken, 'holds half a character (a lone surrogate)')
    }
    const [error] = validator.Errors(params)
    throw describe(error, fields, params)
  }
}

/** JSON's escapes can write half of a surrogate pair, which no UTF-8 and no URL can carry. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([name, one]) => name.isWellFormed() && isWellFormed(one))
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
  error: TLocalizedValidationError | undefined,
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
  const [, name = '', ...inner] = error?.instancePath.split('/') ?? []
  const field = bounded([name, ...inner].join('.'), 64)
  return invalid(field, wanted(fields[name]?.schema, error))
}

function wanted(schema: object | undefined, error: TLocalizedValidationError | undefined): string {
  if (schema && 'enum' in schema && Array.isArray(schema.enum)) {
    return `must be one of ${schema.enum.join(', ')}`
  }
  return error?.message ?? 'is not valid'
}

function invalid(field: string, what: string): CommandError {
  return new CommandError('invalid_request', `${field} ${what}`, { details: { field } })
}
