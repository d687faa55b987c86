/** Reads a site's configuration, from its cfg and the environment: where the daemon is, and what to register the site with. */
import { readText } from './cfg_file.js'
import { CfgSection, type Setting, type Settings } from './cfg_section.js'
import { warnOnce } from './config_warning.js'
import {
  type Environment,
  readVariables,
  replacedBy,
  warnOfUnknownVariables,
} from './environment.js'
import { atPlace, ConfigError } from './errors.js'
import { checkGivenClient } from './given_client.js'
import { type IniFile, parseIniFile } from './ini_file.js'
import type { RegisterSiteParams } from './methods.js'
import { leaveOutOxdValues } from './oxd_values.js'
import { mayOthersRead, readSecret } from './secret_file.js'
import { type Address, readAddress, readTimeout } from './site_address.js'
import { clientKeys, clientSecrets, olderNames, oxdKeys, registrationKeys } from './site_keys.js'
import { readLine, readValue } from './site_values.js'
import { warnOfUnused } from './unused_keys.js'

/** A site's configuration, checked. */
export interface SiteConfig {
  /** The cfg. */
  path: string
  /** Where the daemon listens. */
  address: Address
  /** The site's identifier, once it is registered. */
  id: string | undefined
  /** What the environment says in the place of the cfg's id and key; then the cfg keeps its own. */
  given: GivenRegistration | undefined
  /** How long a call may take unless it says otherwise, in milliseconds. */
  timeout_ms: number | undefined
  /** What `register_site` is called with, its idempotency key apart. */
  registration: RegisterSiteParams
}

/** A site's id or key, from an environment variable. */
export interface GivenRegistration {
  variable: string
  id?: string
  idempotency_key?: string
}

/**
 * Reads and checks a site's cfg and the variables that override it. Keys that it does not know are
 * warned about and otherwise ignored, so that an oxd-python file loads as it is.
 *
 * @throws {ConfigError} if the file cannot be read or a value is wrong, naming line or variable, and
 *   cure
 */
export function readSiteConfig(path: string, env: Environment = process.env): SiteConfig {
  const file = parseIniFile(read(path), path, (line, fault, reading) => {
    warnOnce(`${atPlace(path, line)} ${fault}; until then ${reading}`)
  })
  const { oxd, client } = readSections(file, env)
  warnOfUnknownVariables([...oxdKeys, ...clientKeys], env)

  for (const [key, setting] of oxd) {
    oxd.set(key, { ...setting, value: readLine(key, setting, path) })
  }
  const key = readSecret(oxd, 'idempotency_key', path)
  return {
    path,
    address: readAddress(oxd, path),
    id: oxd.get('id')?.value,
    given: givenRegistration(oxd.get('id'), key),
    timeout_ms: readTimeout(oxd, path),
    registration: readRegistration(client, path, file.section_lines.get('client')),
  }
}

/**
 * The two sections, as oxd-python would have them, with what the environment says in their place;
 * tells what in the file is not used.
 */
function readSections(file: IniFile, env: Environment): { oxd: Settings; client: Settings } {
  const sections = { oxd: new CfgSection(file, 'oxd'), client: new CfgSection(file, 'client') }
  const given = { oxd: readVariables(oxdKeys, env), client: readVariables(clientKeys, env) }
  checkGivenClient(sections.client, given.client, file.path)
  const namesOfClient = [...clientKeys, ...olderNames.keys()]
  const oxd = sections.oxd.settings(oxdKeys, replacedBy(given.oxd))
  const client = sections.client.settings(namesOfClient, replacedBy(given.client))
  warnOfUnused(file, sections)
  return {
    oxd: new Map([...oxd, ...given.oxd]),
    client: new Map([...client, ...given.client]),
  }
}

function givenRegistration(
  id: Setting | undefined,
  key: Setting | undefined,
): GivenRegistration | undefined {
  const given: GivenRegistration = { variable: '' }
  if (typeof id?.place === 'string') Object.assign(given, { id: id.value, variable: id.place })
  if (typeof key?.place === 'string') {
    given.idempotency_key = key.value
    given.variable ||= key.place
  }
  return given.variable === '' ? undefined : given
}

function readRegistration(
  client: Settings,
  path: string,
  headerLine: number | undefined,
): RegisterSiteParams {
  const params = new Map<string, ReturnType<typeof readValue>>()
  const secret = client.get('client_secret')
  for (const [name, form] of Object.entries(registrationKeys)) {
    const older = [...olderNames].find(([, newer]) => newer === name)?.[0]
    const key = older !== undefined && !client.has(name) ? older : name
    const secret = clientSecrets.find((one) => one === name)
    const setting = secret ? readSecret(client, secret, path) : client.get(key)
    if (!setting) continue
    const value = readValue(key, setting, form, path)
    if (!Array.isArray(value) || value.length > 0) params.set(name, value)
  }
  if (!params.has('authorization_redirect_uri')) {
    throw new ConfigError(
      path,
      headerLine,
      '[client] needs a line "authorization_redirect_uri = https://site.example/callback": ' +
        "the site's address that completes a login",
    )
  }
  if (params.has('client_secret') && !params.has('client_id')) {
    const place = (secret ?? client.get('client_secret_file'))?.place
    throw new ConfigError(path, place, '"client_secret" belongs to a "client_id": give that too')
  }
  for (const name of clientSecrets) {
    const place = client.get(name)?.place
    if (typeof place !== 'number' || !mayOthersRead(path)) continue
    warnOnce(
      `${atPlace(path, place)} every user of this host may read the ${name}; ` +
        `"chmod o= ${path}", or keep it in a file of its own, with ${name}_file`,
    )
  }
  // The table of forms is checked against the parameters' types where it stands.
  const registration = Object.fromEntries(params) as unknown as RegisterSiteParams
  return leaveOutOxdValues(registration, client, path)
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
