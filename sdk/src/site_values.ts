/** Reads the values of a site's cfg in the forms that their keys have. */
import type { Setting } from './cfg_section.js'
import { ConfigError } from './errors.js'
import { strip } from './python_space.js'
import type { ValueForm } from './site_keys.js'

/**
 * @param path the cfg, for errors
 * @throws {ConfigError} if the value is not of its key's form
 */
export function readValue(
  key: string,
  setting: Setting,
  form: ValueForm,
  path: string,
): string | string[] | number | boolean | object {
  const fail = failAt(key, setting, path)
  switch (form) {
    case 'number': {
      const value = oneLine(setting, fail)
      if (/^\d{1,15}$/.test(value)) return Number(value)
      throw fail('must be a whole number')
    }
    case 'flag': {
      const value = oneLine(setting, fail).toLowerCase()
      if (value === 'true' || value === 'false') return value === 'true'
      throw fail('must be true or false')
    }
    case 'json':
      return object(setting.value, fail)
    case 'texts':
      return list(setting.value, /[,\n]/)
    case 'scopes':
      return list(setting.value, /[,\s]/)
    case 'uris':
      return list(setting.value, /[,\n]/).map((uri) => checkUri(uri, fail))
    case 'uri':
      return checkUri(oneLine(setting, fail), fail)
    case 'op':
      return checkOp(oneLine(setting, fail), fail)
    case 'text':
      return oneLine(setting, fail)
    default: {
      const value = oneLine(setting, fail)
      if (form.includes(value)) return value
      throw fail(`must be ${form.join(' or ')}`)
    }
  }
}

/** A value of one line; it may begin below its key. */
export function readLine(key: string, setting: Setting, path: string): string {
  return oneLine(setting, failAt(key, setting, path))
}

type Fail = (message: string) => ConfigError

function failAt(key: string, { place }: Setting, path: string): Fail {
  return (message) => new ConfigError(path, place, `"${key}" ${message}`)
}

function oneLine({ value, place }: Setting, fail: Fail): string {
  const line = strip(value)
  if (!line.includes('\n')) return line
  throw fail(
    typeof place === 'number'
      ? 'takes one line, but lines below it are indented deeper and continue it; indent all keys alike'
      : 'takes one line',
  )
}

function object(text: string, fail: Fail): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {}
  throw fail('must be a JSON object such as {"client_name#de": "Laden"}')
}

/** RFC 6749 3.1.2: absolute, without fragment. */
function checkUri(uri: string, fail: Fail): string {
  const { protocol, hash } = parse(uri) ?? { protocol: '', hash: '' }
  if (/^https?:$/.test(protocol) && hash === '' && !uri.includes('#')) return uri
  throw fail(
    `must be an absolute URI such as https://site.example/callback, without #, not "${uri}"`,
  )
}

/** OIDC Discovery 3: an issuer has no query and no fragment. Without a scheme it is https. */
function checkOp(op: string, fail: Fail): string {
  const url = parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(op) ? op : `https://${op}`)
  const bare = url && !url.username && !url.password && !url.search && !url.hash
  if (bare && /^https?:$/.test(url.protocol)) return op
  throw fail("must be an OP's address such as https://op.example, without user, query and fragment")
}

function parse(uri: string): URL | undefined {
  return URL.canParse(uri) ? new URL(uri) : undefined
}

function list(value: string, separator: RegExp): string[] {
  return value
    .split(separator)
    .map(strip)
    .filter((item) => item !== '')
}
