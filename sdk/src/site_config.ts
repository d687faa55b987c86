/** Reads a site's cfg: where the daemon is, and what to register the site with. */
import { readText } from './cfg_file.js'
import { ConfigError } from './errors.js'
import { type IniEntry, nearestName, parseIniFile } from './ini_file.js'
import type { RegisterSiteParams } from './methods.js'
import { type Address, readAddress, readTimeout } from './site_address.js'
import {
  fixedKeys,
  laterKeys,
  olderNames,
  oxdKeys,
  registrationKeys,
  type ValueForm,
} from './site_keys.js'

/** A site's cfg, checked. */
export interface SiteConfig {
  path: string
  /** Where the daemon listens. */
  address: Address
  /** The site's identifier, once it is registered. */
  id: string | undefined
  /** How long a call may take unless it says otherwise, in milliseconds. */
  timeout_ms: number | undefined
  /** What `register_site` is called with, its idempotency key apart. */
  registration: RegisterSiteParams
}

/** Keys with a value, by name. */
type Section = Map<string, IniEntry>

/**
 * Reads and checks a site's cfg. Keys that it does not know are warned about and otherwise ignored,
 * so that an oxd-python file loads as it is.
 *
 * @throws {ConfigError} if the file cannot be read or a value is wrong, naming line and cure
 */
export function readSiteConfig(path: string): SiteConfig {
  const file = parseIniFile(read(path), path)
  for (const [name, line] of file.section_lines) {
    if (name === 'oxd' || name === 'client') continue
    warn(path, line, `section [${name}] is not used${didYouMean(name, ['oxd', 'client'])}`)
  }
  const oxd = filled(file.sections.get('oxd'))
  for (const [key, entry] of oxd) {
    if (oxdKeys.has(key)) oneLine(key, entry, path)
    else warn(path, entry.line, `"${key}" in [oxd] is not used${didYouMean(key, oxdKeys)}`)
  }
  return {
    path,
    address: readAddress(oxd, path),
    id: oxd.get('id')?.value,
    timeout_ms: readTimeout(oxd, path),
    registration: readRegistration(
      filled(file.sections.get('client')),
      path,
      file.section_lines.get('client'),
    ),
  }
}

function readRegistration(
  client: Section,
  path: string,
  headerLine: number | undefined,
): RegisterSiteParams {
  const forms: Map<string, ValueForm> = new Map(Object.entries(registrationKeys))
  const params = new Map<string, string | string[]>()
  for (const [key, entry] of client) {
    const name = olderNames.get(key) ?? key
    const form = forms.get(name)
    if (!form) {
      warnOfUnused(key, entry, path)
    } else if (name === key || !client.has(name)) {
      const value = readValue(key, entry, form, path)
      if (value.length > 0) params.set(name, value)
    }
  }
  if (!params.has('authorization_redirect_uri')) {
    throw new ConfigError(
      path,
      headerLine,
      '[client] needs a line "authorization_redirect_uri = https://site.example/callback": ' +
        "the site's address that completes a login",
    )
  }
  // The table of forms is checked against the parameters' types where it stands.
  return Object.fromEntries(params) as unknown as RegisterSiteParams
}

function readValue(key: string, entry: IniEntry, form: ValueForm, path: string): string | string[] {
  switch (form) {
    case 'texts':
      return list(entry.value, /[,\n]/)
    case 'scopes':
      return list(entry.value, /[,\s]/)
    case 'uris':
      return list(entry.value, /[,\n]/).map((uri) => checkUri(key, uri, entry, path))
    case 'uri':
      return checkUri(key, oneLine(key, entry, path), entry, path)
    case 'text':
      return oneLine(key, entry, path)
    default:
      if (form.includes(entry.value)) return entry.value
      throw new ConfigError(path, entry.line, `"${key}" must be ${form.join(' or ')}`)
  }
}

function oneLine(key: string, { value, line }: IniEntry, path: string): string {
  if (!value.includes('\n')) return value
  throw new ConfigError(
    path,
    line,
    `"${key}" takes one line, but line ${line + 1} is indented deeper and continues it; ` +
      'indent all keys alike',
  )
}

function checkUri(key: string, uri: string, { line }: IniEntry, path: string): string {
  if (URL.canParse(uri)) return uri
  throw new ConfigError(
    path,
    line,
    `"${key}" must be an absolute URI such as https://site.example/callback, not "${uri}"`,
  )
}

function list(value: string, separator: RegExp): string[] {
  return value
    .split(separator)
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function warnOfUnused(key: string, { value, line }: IniEntry, path: string): void {
  const only = fixedKeys.get(key)
  if (only === value) return
  if (only) {
    warn(path, line, `"${key}" is not used: relyd works as if it were ${only}`)
  } else if (laterKeys.has(key)) {
    warn(path, line, `"${key}" is not used by this version of relyd`)
  } else {
    const known = [...Object.keys(registrationKeys), ...fixedKeys.keys(), ...laterKeys]
    warn(path, line, `"${key}" in [client] is not used${didYouMean(key, known)}`)
  }
}

function didYouMean(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known)
  return nearest ? `; did you mean "${nearest}"?` : ''
}

function warn(path: string, line: number, message: string): void {
  process.emitWarning(`${path}:${line}: ${message}`, { type: 'RelydConfigWarning' })
}

/** A key without a value counts as absent. */
function filled(section: Section = new Map()): Section {
  return new Map([...section].filter(([, { value }]) => value !== ''))
}

function read(path: string): string {
  try {
    return readText(path)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const why = (error as Error).message
    throw new ConfigError(
      path,
      undefined,
      `cannot read the site's cfg (${why}); start from relyd's sample.cfg, readable by this user`,
      error,
    )
  }
}
