/** Fetches an OP's metadata and keys, and checks that they can be used. */
import type { JSONWebKeySet } from 'jose'
import * as client from 'openid-client'
import { bounded, CommandError } from '../errors.js'
import type { OpHttp } from './http.js'
import { asCommandError } from './op_errors.js'

/** Metadata that the code flow needs (OIDC Discovery 3). */
const REQUIRED = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const

/** Metadata that, where present, the daemon or the browser calls. */
const ENDPOINTS = [
  ...REQUIRED,
  'userinfo_endpoint',
  'registration_endpoint',
  'end_session_endpoint',
] as const

/**
 * OIDC Discovery 4: fetches the metadata of an issuer.
 *
 * @throws CommandError `no_connect_discovery_response`, `invalid_op_metadata`
 */
export async function fetchMetadata(http: OpHttp, op_host: string): Promise<client.ServerMetadata> {
  let metadata: client.ServerMetadata
  try {
    const discovered = await client.discovery(new URL(op_host), 'relyd', undefined, client.None(), {
      [client.customFetch]: http.fetch,
      timeout: http.timeout,
      execute: insecureIfAllowed(op_host),
    })
    metadata = { ...discovered.serverMetadata() }
  } catch (error) {
    throw await notDiscovered(op_host, error)
  }
  for (const name of REQUIRED) {
    if (metadata[name] === undefined) throw unusable(op_host, `has no ${name}`)
  }
  for (const name of ENDPOINTS) {
    const address = metadata[name]
    if (address !== undefined && !isUsable(http, address)) {
      throw unusable(op_host, `names an unusable ${name}`)
    }
  }
  return metadata
}

/**
 * Fetches an OP's JSON Web Key Set (RFC 7517 5).
 *
 * @throws CommandError `op_unreachable`, `invalid_op_response`
 */
export async function fetchKeys(
  http: OpHttp,
  metadata: client.ServerMetadata,
): Promise<JSONWebKeySet> {
  const address = metadata.jwks_uri as string
  const response = await http.fetch(address, {
    method: 'GET',
    headers: { accept: 'application/json, application/jwk-set+json' },
    body: undefined,
    redirect: 'manual',
  })
  const set: unknown = response.status === 200 ? await response.json().catch(() => null) : null
  if (!isKeySet(set)) {
    throw new CommandError('invalid_op_response', "the OP's jwks_uri does not answer a key set", {
      details: { host: new URL(address).host, http_status: response.status },
    })
  }
  return set
}

/** openid-client refuses plain http of its own; whether a host may be called that way was decided already. */
export function insecureIfAllowed(op_host: string): ((config: client.Configuration) => void)[] {
  return op_host.startsWith('http:') ? [client.allowInsecureRequests] : []
}

function isUsable(http: OpHttp, address: unknown): boolean {
  // RFC 6749 3.1: no endpoint has a fragment.
  return (
    typeof address === 'string' &&
    URL.canParse(address) &&
    !address.includes('#') &&
    http.isAllowed(new URL(address))
  )
}

function isKeySet(set: unknown): set is JSONWebKeySet {
  return (
    typeof set === 'object' &&
    set !== null &&
    'keys' in set &&
    Array.isArray(set.keys) &&
    // A set without a key verifies nothing, and must not replace one that does.
    set.keys.length > 0 &&
    set.keys.every((key) => typeof key === 'object' && key !== null && !Array.isArray(key))
  )
}

async function notDiscovered(op_host: string, error: unknown): Promise<CommandError> {
  const cause = await asCommandError(error)
  const metadata_url = `${op_host.replace(/\/$/, '')}/.well-known/openid-configuration`
  if (cause.code === 'quota_exceeded') return cause
  if (cause.code === 'op_unreachable') {
    return new CommandError(
      'no_connect_discovery_response',
      `the OP's metadata at ${metadata_url} could not be fetched: ${cause.message}`,
      { details: cause.details, cause: error },
    )
  }
  // OIDC Discovery 4.3: the issuer must be the one that was asked for, to the letter.
  const issuer = issuerOfMismatch(error)
  if (issuer !== undefined) {
    return unusable(op_host, `says that its issuer is ${bounded(issuer)}; use that as op_host`)
  }
  return new CommandError(
    'no_connect_discovery_response',
    `${metadata_url} does not answer OpenID Connect metadata; check op_host`,
    { cause: error, retryable: false },
  )
}

function issuerOfMismatch(error: unknown): unknown {
  if (!(error instanceof client.ClientError)) return undefined
  const { cause } = error
  if (typeof cause !== 'object' || cause === null || !('attribute' in cause)) return undefined
  const { attribute, body } = cause as { attribute?: unknown; body?: { issuer?: unknown } }
  return attribute === 'issuer' ? body?.issuer : undefined
}

function unusable(op_host: string, what: string): CommandError {
  return new CommandError('invalid_op_metadata', `the metadata of ${op_host} ${what}`)
}
