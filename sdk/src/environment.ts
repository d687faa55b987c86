/** Lets environment variables override a cfg: `RELYD_<KEY>`, the key in capitals. */
import type { Settings } from './cfg_section.js'
import { warnOnce } from './config_warning.js'
import { nearestName } from './nearest_name.js'
import { tlsKeys } from './tls_files.js'

/** Variables by name; `process.env` is one. */
export type Environment = Readonly<Record<string, string | undefined>>

const PREFIX = 'RELYD_'

/** Left to the website, for naming its cfg, and to relyd's own tests. */
const othersVariables = new Set(['RELYD_CFG', 'RELYD_RECORD'])

/**
 * What Kubernetes and Docker tell every container about a service called `relyd`:
 * `RELYD_PORT=tcp://10.0.0.1:8099`, `RELYD_SERVICE_HOST` and the like.
 */
const SERVICE = { name: /^RELYD_(?:\w+_)?(?:SERVICE|PORT)(?:_|$)/, value: /^(?:tcp|udp|sctp):\/\// }

/** What says the same in other words, or goes with it: the variable of the one replaces the others in the cfg. */
const rivals: Readonly<Record<string, readonly string[]>> = {
  socket: ['host', 'port', ...tlsKeys],
  host: ['socket'],
  port: ['socket'],
  id: ['idempotency_key', 'idempotency_key_file'],
  idempotency_key: ['id', 'idempotency_key_file'],
  idempotency_key_file: ['id', 'idempotency_key'],
  client_id: ['client_secret', 'client_secret_file'],
  client_secret: ['client_secret_file'],
  client_secret_file: ['client_secret'],
  initial_access_token: ['initial_access_token_file'],
  initial_access_token_file: ['initial_access_token'],
  registration_client_secret: ['registration_client_secret_file'],
  registration_client_secret_file: ['registration_client_secret'],
  post_logout_redirect_uri: ['logout_redirect_uri'],
  jwks_uri: ['client_jwks_uri'],
  request_uris: ['client_request_uris'],
  sector_identifier_uri: ['client_sector_identifier_uri'],
  token_endpoint_auth_method: ['client_token_endpoint_auth_method'],
}

/**
 * What the environment says of a section. Empty variables count as absent; values are taken as they
 * are, without their outer white space.
 *
 * @param keys the section's keys that have a variable
 */
export function readVariables(keys: Iterable<string>, env: Environment): Settings {
  const given: Settings = new Map()
  for (const key of keys) {
    const variable = variableOf(key)
    const value = env[variable]?.trim() ?? ''
    if (value === '' || (SERVICE.name.test(variable) && SERVICE.value.test(value))) continue
    given.set(key, { value, place: variable })
  }
  return given
}

/** The keys of a cfg that do not count beside what the environment says. */
export function replacedBy(given: Settings): Set<string> {
  return new Set([...given.keys()].flatMap((key) => [key, ...(rivals[key] ?? [])]))
}

/** Warns of variables that look like ours and are none, with what they may have been meant to be. */
export function warnOfUnknownVariables(keys: Iterable<string>, env: Environment): void {
  const known = new Set([...keys].map(variableOf))
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || !value || known.has(name)) continue
    if (othersVariables.has(name) || SERVICE.name.test(name)) continue
    const nearest = nearestName(name, known)
    const meant = nearest ? `; did you mean ${nearest}?` : ''
    warnOnce(`the environment variable ${name} is not used by relyd's SDK${meant}`)
  }
}

/** The variable that overrides a key. */
export function variableOf(key: string): string {
  return PREFIX + key.toUpperCase()
}
