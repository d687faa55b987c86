/** Fetches an OP's metadata and keys, and checks that they can be used. */
import type { JSONWebKeySet, JWK } from 'jose'
import * as client from 'openid-client'
import { bounded, CommandError } from '../errors.js'
import { isObject } from '../is_object.js'
import type { OpHttp } from './http.js'
import { CALLED, checkMetadata, plainMetadata } from './metadata.js'
import { asCommandError } from './op_errors.js'
import { type OpOptions, type OpOptionsByHost, optionsOf } from './op_options.js'
import { plainMembers } from './plain_members.js'

/** Most keys of a set: a login without a `kid` may try them all. */
export const MAX_KEYS = 100

/** What a key set has to be. */
const KEYS_SPEC = 'RFC 7517 5'

/** Longest modulus and exponent of an RSA key, in base64url characters: 8192 and 64 bits. */
const MAX_MODULUS_LENGTH = 1366
const MAX_EXPONENT_LENGTH = 11

/**
 * Applies the address policy to the OP that a site names, whatever copy of its documents is known:
 * another realm may be allowed to call it. Where relyd.cfg has its metadata, nobody calls it.
 *
 * @throws CommandError `op_host_not_allowed`, `no_connect_discovery_response` when its name does not resolve
 */
export async function admitOp(
  { http, options }: { http: OpHttp; options: OpOptionsByHost },
  op_host: string,
): Promise<void> {
  if (optionsOf(options, op_host)?.static) return
  try {
    await http.admit(new URL(op_host))
  } catch (error) {
    throw await notDiscovered(op_host, error)
  }
}

/**
 * Applies the address policy to an address that an OP names and that is called later.
 *
 * @throws CommandError `op_host_not_allowed`
 */
export async function admitNamed(http: OpHttp, address: string): Promise<void> {
  await http.admit(new URL(address)).catch((error: unknown) => {
    // A name that does not resolve today is judged when it is called.
    if (isRefusal(error)) throw error
  })
}

/** Whether the address policy refused a host: no other copy or later try makes that good. */
export function isRefusal(error: unknown): boolean {
  return error instanceof CommandError && error.code === 'op_host_not_allowed'
}

/**
 * OIDC Discovery 4: fetches the metadata of an issuer, unless relyd.cfg names a file that has it.
 *
 * @throws CommandError `no_connect_discovery_response`, `invalid_op_metadata`, `op_host_not_allowed`
 */
export async function fetchMetadata(
  http: OpHttp,
  op_host: string,
  options?: OpOptions,
): Promise<client.ServerMetadata> {
  const fetched = options?.static?.metadata ?? (await discover(http, op_host))
  checkMetadata(http.policy, op_host, fetched, options)
  const metadata = plainMetadata(fetched)
  const called = CALLED.flatMap((name) => metadata[name] ?? [])
  await Promise.all(called.map((address) => admitNamed(http, address)))
  return metadata
}

async function discover(http: OpHttp, op_host: string): Promise<client.ServerMetadata> {
  try {
    // By the whole address: of an issuer, openid-client takes any metadata that a host at
    // login.microsoftonline.com or b2clogin.com answers. Who the issuer may be is checked here.
    const url = new URL(metadataAddress(op_host))
    const discovered = await client.discovery(url, 'relyd', undefined, client.None(), {
      [client.customFetch]: http.fetch,
      timeout: http.timeout,
      execute: insecureIfAllowed(op_host),
    })
    return discovered.serverMetadata()
  } catch (error) {
    throw await notDiscovered(op_host, error)
  }
}

/** OIDC Discovery 4. */
export function metadataAddress(op_host: string): string {
  return `${op_host.replace(/\/$/, '')}/.well-known/openid-configuration`
}

/**
 * Fetches an OP's JSON Web Key Set (RFC 7517 5), unless relyd.cfg names a file that has it.
 *
 * @throws CommandError `op_unreachable`, `invalid_op_response`, `op_host_not_allowed`
 */
export async function fetchKeys(
  http: OpHttp,
  metadata: client.ServerMetadata,
  options?: OpOptions,
): Promise<JSONWebKeySet> {
  if (options?.static?.jwks) return options.static.jwks
  const address = metadata.jwks_uri as string
  const request = http.fetch(address, {
    method: 'GET',
    headers: { accept: 'application/json, application/jwk-set+json' },
    body: undefined,
    redirect: 'manual',
  })
  const response = await request.catch(async (error: unknown) => {
    throw await asCommandError(error, KEYS_SPEC)
  })
  const set: unknown = response.status === 200 ? await response.json().catch(() => null) : null
  const keys = keysOf(set)
  if (!isUsable(keys)) {
    throw new CommandError(
      'invalid_op_response',
      `the OP's jwks_uri does not answer a key set of 1 to ${MAX_KEYS} keys`,
      {
        details: { host: new URL(address).host, http_status: response.status },
        spec: KEYS_SPEC,
      },
    )
  }
  return { keys }
}

/** openid-client refuses plain http of its own; whether a host may be called that way was decided already. */
export function insecureIfAllowed(op_host: string): ((config: client.Configuration) => void)[] {
  return op_host.startsWith('http:') ? [client.allowInsecureRequests] : []
}

/** A set without a key verifies nothing, and must not replace one that does. */
export function isUsable(keys: JWK[]): boolean {
  return keys.length > 0 && keys.length <= MAX_KEYS
}

/** The keys of a set that are not too costly to verify with; none, if it is no key set. */
export function keysOf(set: unknown): JWK[] {
  const keys: unknown = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : []
  if (!Array.isArray(keys) || !keys.every(isObject)) return []
  return (keys as JWK[])
    .filter((key) => !PRIVATE_MEMBERS.some((name) => name in key))
    .filter(({ n, e }) => !isLonger(n, MAX_MODULUS_LENGTH) && !isLonger(e, MAX_EXPONENT_LENGTH))
    .map(usedMembers)
}

/** RFC 7518 6.2.2, 6.3.2, 6.4: what of a key must be nobody else's. Who has read it may be the signer. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** RFC 7517 4, RFC 7518 6: what a signature is verified with. */
const KEY_MEMBERS = [
  'kty',
  'kid',
  'use',
  'key_ops',
  'alg',
  'n',
  'e',
  'crv',
  'x',
  'y',
  // Entra ID's own: whose ID Tokens a key signs, of the tenants that share the set.
  'issuer',
] as const

function usedMembers(key: JWK): JWK {
  return plainMembers(
    Object.fromEntries(
      KEY_MEMBERS.flatMap((name) =>
        name in key ? [[name, (key as Record<string, unknown>)[name]]] : [],
      ),
    ),
  ) as JWK
}

function isLonger(text: unknown, length: number): boolean {
  return typeof text === 'string' && text.length > length
}

async function notDiscovered(op_host: string, error: unknown): Promise<CommandError> {
  const cause = await asCommandError(error, 'OIDC Discovery 4.2')
  const metadata_url = metadataAddress(op_host)
  if (isRefusal(cause) || cause.code === 'quota_exceeded') return cause
  const details = { ...cause.details, url: bounded(metadata_url) }
  if (cause.code === 'op_unreachable') {
    return new CommandError(
      'no_connect_discovery_response',
      `the OP's metadata at ${metadata_url} could not be fetched: ${cause.message}`,
      { details, cause: error },
    )
  }
  return new CommandError(
    'no_connect_discovery_response',
    `${metadata_url} does not answer OpenID Connect metadata (${cause.message}); check op_host`,
    { details, cause: error, retryable: false },
  )
}
