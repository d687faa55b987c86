/** Fetches an OP's metadata and keys, and checks that they can be used. */
import type { JSONWebKeySet, JWK } from 'jose'
import * as client from 'openid-client'
import { bounded, CommandError } from '../errors.js'
import type { OpHttp } from './http.js'
import { asCommandError } from './op_errors.js'
import type { OpOptions } from './op_options.js'
import { plainMembers } from './plain_members.js'

/** Metadata that the code flow needs (OIDC Discovery 3). */
const REQUIRED = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const

/** Metadata that, where present, the daemon calls. */
const CALLED = [
  'token_endpoint',
  'jwks_uri',
  'userinfo_endpoint',
  'registration_endpoint',
  'revocation_endpoint',
  'introspection_endpoint',
] as const

/** Metadata that, where present, the browser is sent to. */
const VISITED = ['authorization_endpoint', 'end_session_endpoint'] as const

/** Metadata that, where present, is a list of words. */
const LISTS = [
  'grant_types_supported',
  'id_token_signing_alg_values_supported',
  'token_endpoint_auth_methods_supported',
] as const

/** Longest issuer or endpoint, in characters: what browsers and servers agree on. */
const MAX_URL_LENGTH = 2048

/** Most keys of a set: a login without a `kid` may try them all. */
const MAX_KEYS = 100

/** Longest modulus and exponent of an RSA key, in base64url characters: 8192 and 64 bits. */
const MAX_MODULUS_LENGTH = 1366
const MAX_EXPONENT_LENGTH = 11

/**
 * Applies the address policy to the OP that a site names, whatever copy of its documents is known:
 * another realm may be allowed to call it.
 *
 * @throws CommandError `op_host_not_allowed`, `no_connect_discovery_response` when its name does not resolve
 */
export async function admitOp(http: OpHttp, op_host: string): Promise<void> {
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
 * OIDC Discovery 4: fetches the metadata of an issuer.
 *
 * @throws CommandError `no_connect_discovery_response`, `invalid_op_metadata`, `op_host_not_allowed`
 */
export async function fetchMetadata(
  http: OpHttp,
  op_host: string,
  options?: OpOptions,
): Promise<client.ServerMetadata> {
  let metadata: client.ServerMetadata
  try {
    // By the whole address: of an issuer, openid-client takes any metadata that a host at
    // login.microsoftonline.com or b2clogin.com answers. Who the issuer may be is checked here.
    const url = new URL(metadataAddress(op_host))
    const discovered = await client.discovery(url, 'relyd', undefined, client.None(), {
      [client.customFetch]: http.fetch,
      timeout: http.timeout,
      execute: insecureIfAllowed(op_host),
    })
    metadata = discovered.serverMetadata()
  } catch (error) {
    throw await notDiscovered(op_host, error)
  }
  checkMetadata(http, op_host, metadata, options)
  metadata = plainMetadata(metadata)
  const called = CALLED.flatMap((name) => metadata[name] ?? [])
  await Promise.all(called.map((address) => admitNamed(http, address)))
  return metadata
}

/**
 * Whether metadata can be used, by the policy of this realm: a stored copy may be another realm's.
 *
 * @throws CommandError `invalid_op_metadata`, `op_host_not_allowed`
 */
export function checkMetadata(
  { policy }: OpHttp,
  op_host: string,
  metadata: client.ServerMetadata,
  options?: OpOptions,
): void {
  checkIssuer(op_host, metadata.issuer, options)
  for (const name of REQUIRED) {
    if (metadata[name] === undefined) throw unusable(op_host, `has no ${name}`)
  }
  for (const name of [...CALLED, ...VISITED]) {
    const address: unknown = metadata[name]
    if (address === undefined) continue
    const url = parseEndpoint(address)
    if (!url || !policy.isSecure(url)) throw unusable(op_host, `names an unusable ${name}`)
    // The browser needs no proxy, and leads nobody into our network; an address is refused at once.
    const isCalled = CALLED.some((one) => one === name)
    if (isCalled ? policy.refuses(url) : policy.refusesLiteral(url)) throw policy.refusal(url)
  }
  for (const name of LISTS) {
    if (!isList(metadata[name] ?? []))
      throw unusable(op_host, `has a ${name} that is no list of words`)
  }
}

/**
 * OIDC Discovery 4.3: the issuer must be the one that was asked for, or the one that relyd.cfg names
 * in its place.
 *
 * @throws CommandError `invalid_op_metadata`
 */
function checkIssuer(op_host: string, issuer: string, options: OpOptions | undefined): void {
  if (options?.issuer !== undefined) {
    if (issuer === options.issuer) return
    throw unusable(
      op_host,
      `says that its issuer is ${bounded(issuer)}, and [op ${options.name}] of relyd.cfg that it is ${options.issuer}`,
    )
  }
  if (URL.canParse(issuer) && new URL(issuer).href === new URL(op_host).href) {
    if (!/[{}]/.test(issuer)) return
  }
  throw unusable(
    op_host,
    /[{}]/.test(issuer)
      ? `says that its issuer is ${bounded(issuer)}, which stands for many; use the address of one of them as op_host, or let relyd.cfg name it in a section [op NAME], with tenants`
      : `says that its issuer is ${bounded(issuer)}; use that as op_host`,
  )
}

/** OIDC Discovery 4. */
export function metadataAddress(op_host: string): string {
  return `${op_host.replace(/\/$/, '')}/.well-known/openid-configuration`
}

/**
 * RFC 8705 5: whether the endpoints for clients with a certificate can be used. A bad one is no
 * reason to send the client elsewhere.
 *
 * @throws CommandError `invalid_op_metadata`, `op_host_not_allowed`
 */
export function checkAliases({ policy }: OpHttp, op_host: string, aliases: unknown): void {
  if (typeof aliases !== 'object' || aliases === null) {
    throw unusable(op_host, 'has mtls_endpoint_aliases that are no object')
  }
  for (const name of CALLED) {
    if (!(name in aliases)) continue
    const url = parseEndpoint((aliases as Record<string, unknown>)[name])
    if (url?.protocol !== 'https:') {
      throw unusable(op_host, `names an unusable ${name} in mtls_endpoint_aliases`)
    }
    if (policy.refuses(url)) throw policy.refusal(url)
  }
}

/** What is kept of metadata: its plain members, and the one object among those that are used. */
function plainMetadata(metadata: client.ServerMetadata): client.ServerMetadata {
  const kept = plainMembers(metadata)
  const { mtls_endpoint_aliases: aliases } = metadata
  if (aliases !== undefined) {
    // What is no object, and a list is none, is an error for who would need it, and kept for that.
    const isObject = typeof aliases === 'object' && aliases !== null && !Array.isArray(aliases)
    kept['mtls_endpoint_aliases'] = isObject ? callableMembers(aliases) : ''
  }
  return kept as unknown as client.ServerMetadata
}

/** Of the aliases, those of endpoints that are called; whatever is no text stays there as an error. */
function callableMembers(aliases: object): Record<string, string> {
  return Object.fromEntries(
    CALLED.flatMap((name): [string, string][] => {
      if (!(name in aliases)) return []
      const alias = (aliases as Record<string, unknown>)[name]
      return [[name, typeof alias === 'string' && alias.length <= MAX_URL_LENGTH ? alias : '']]
    }),
  )
}

/**
 * Fetches an OP's JSON Web Key Set (RFC 7517 5).
 *
 * @throws CommandError `op_unreachable`, `invalid_op_response`, `op_host_not_allowed`
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
  const keys = keysOf(set)
  if (keys.length === 0 || keys.length > MAX_KEYS) {
    throw new CommandError(
      'invalid_op_response',
      `the OP's jwks_uri does not answer a key set of 1 to ${MAX_KEYS} keys`,
      { details: { host: new URL(address).host, http_status: response.status } },
    )
  }
  return { keys }
}

/** openid-client refuses plain http of its own; whether a host may be called that way was decided already. */
export function insecureIfAllowed(op_host: string): ((config: client.Configuration) => void)[] {
  return op_host.startsWith('http:') ? [client.allowInsecureRequests] : []
}

/** @returns undefined for what is no address of an endpoint */
function parseEndpoint(address: unknown): URL | undefined {
  if (typeof address !== 'string' || address.length > MAX_URL_LENGTH) return undefined
  // RFC 6749 3.1: no endpoint has a fragment.
  return URL.canParse(address) && !address.includes('#') ? new URL(address) : undefined
}

function isList(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

/**
 * The keys of a set that are not too costly to verify with; none, if it is no key set. A set
 * without a key verifies nothing, and must not replace one that does.
 */
function keysOf(set: unknown): JWK[] {
  const keys: unknown = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : []
  if (!Array.isArray(keys) || !keys.every(isKey)) return []
  return keys
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

function isKey(key: unknown): key is JWK {
  return typeof key === 'object' && key !== null && !Array.isArray(key)
}

function isLonger(text: unknown, length: number): boolean {
  return typeof text === 'string' && text.length > length
}

async function notDiscovered(op_host: string, error: unknown): Promise<CommandError> {
  const cause = await asCommandError(error)
  const metadata_url = metadataAddress(op_host)
  if (isRefusal(cause) || cause.code === 'quota_exceeded') return cause
  if (cause.code === 'op_unreachable') {
    return new CommandError(
      'no_connect_discovery_response',
      `the OP's metadata at ${metadata_url} could not be fetched: ${cause.message}`,
      { details: cause.details, cause: error },
    )
  }
  return new CommandError(
    'no_connect_discovery_response',
    `${metadata_url} does not answer OpenID Connect metadata (${cause.message}); check op_host`,
    { cause: error, retryable: false },
  )
}

function unusable(op_host: string, what: string): CommandError {
  return new CommandError('invalid_op_metadata', `the metadata of ${op_host} ${what}`)
}
