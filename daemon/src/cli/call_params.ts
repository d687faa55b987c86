/** Reads the parameters of `relyd call` by the command's declaration, and keeps secrets out of the arguments. */
import { readFileSync } from 'node:fs'
import { nearestName } from '@relyd/sdk/ini_file'
import type { Field, Fields } from '../command.js'
import { wrongUsage } from './exit_codes.js'

export type Params = Record<string, unknown>

/** The part of JSON Schema that tells how a value is written on a command line. */
interface Schema {
  type?: string
}

/** Where a value may come from, beside the argument itself. */
const ELSEWHERE = 'key=@FILE, key=@- or --json -'

/**
 * @param words `key=value`, `key=@FILE`, `key=@-`; a list's key may come again
 * @param json a file with an object of further parameters, or `-`
 * @throws CliError, which repeats no value
 */
export function readParams(fields: Fields, words: readonly string[], json?: string): Params {
  const read = readerOfFiles()
  const params: Params = {}
  if (json !== undefined) Object.assign(params, objectOf(read(json), `--json ${json}`))
  for (const name of Object.keys(params)) fieldOf(fields, name)
  const given = new Set(Object.keys(params))
  for (const word of words) {
    const [, name = '', text = ''] = /^([^=]*)=(.*)$/s.exec(word) ?? []
    if (name === '') throw wrongUsage('parameters are written key=value, or given with --json')
    const { schema, secret } = fieldOf(fields, name)
    const source = /^@(?!@)(.*)$/s.exec(text)?.[1]
    // Every user of the host sees the arguments of its processes, and shells remember them.
    if (secret && source === undefined) {
      throw wrongUsage(
        `${name} may hold a secret, which has no place among arguments: write ${ELSEWHERE}`,
      )
    }
    const value = source === undefined ? text.replace(/^@@/, '@') : fileText(read(source))
    const { type } = schema as Schema
    if (type === 'array' && !value.trimStart().startsWith('[')) {
      if (given.has(name)) throw twice(name)
      params[name] = [...((params[name] as unknown[] | undefined) ?? []), value]
      continue
    }
    if (given.has(name) || name in params) throw twice(name)
    given.add(name)
    params[name] = typedValue(name, type, value)
  }
  return params
}

/** Standard input has one reader. */
function readerOfFiles(): (path: string) => string {
  let used = false
  return (path) => {
    if (path === '-') {
      if (used) throw wrongUsage('standard input can be read once: give the rest by files')
      used = true
    }
    try {
      return readFileSync(path === '-' ? 0 : path, 'utf8')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      throw wrongUsage(`cannot read ${path === '-' ? 'standard input' : path} (${code})`)
    }
  }
}

/** Editors and `echo` end a file's last line, which is not part of a value. */
function fileText(text: string): string {
  return text.replace(/\r?\n$/, '')
}

function fieldOf(fields: Fields, name: string): Field {
  if (Object.hasOwn(fields, name)) return fields[name] as Field
  const near = nearestName(name, Object.keys(fields))
  const known = Object.keys(fields).join(', ') || 'none'
  throw wrongUsage(
    near === undefined
      ? `${name} is not a parameter of this command; it has ${known}`
      : `${name} is not a parameter of this command; did you mean ${near}?`,
  )
}

function typedValue(name: string, type: string | undefined, text: string): unknown {
  switch (type) {
    case 'integer':
      if (!/^-?\d{1,16}$/.test(text)) throw wrongUsage(`${name} must be a whole number`)
      return Number(text)
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw wrongUsage(`${name} must be true or false`)
      return text === 'true'
    case 'array':
      return parsed(text, name)
    case 'object':
      return objectOf(text, name)
    default:
      return text
  }
}

function objectOf(text: string, where: string): Params {
  const value = parsed(text, where)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Params
  throw wrongUsage(`${where} must be a JSON object`)
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // V8's message quotes the text, which may be a secret.
    throw wrongUsage(`${where} is not JSON`)
  }
}

function twice(name: string): Error {
  return wrongUsage(`${name} is given twice`)
}
