/** Judges an OP's metadata: whether it is of the issuer that was asked for, and can be used. */
import type { ServerMetadata } from 'openid-client'
import { bounded, CommandError } from '../errors.js'
import { isObject } from '../is_object.js'
import type { AddressPolicy } from './address_policy.js'
import { memberDetails } from './op_errors.js'
import { canonicalOpHost } from './op_host.js'
import type { OpOptions } from './op_options.js'
import { plainMembers } from './plain_members.js'

/** Metadata that, where present, the daemon calls. */
export const CALLED = [
  'token_endpoint',
  'jwks_uri',
  'userinfo_endpoint',
  'registration_endpoint',
  'revocation_endpoint',
  'introspection_endpoint',
] as const

/** Metadata that, where present, the browser is sent to. */
const VISITED = ['authorization_endpoint', 'end_session_endpoint'] as const

/** Metadata that decides something and, where present, is a list of words. */
const LISTS = [
  'scopes_supported',
  'response_types_supported',
  'response_modes_supported',
  'grant_types_supported',
  'acr_values_supported',
  'subject_types_supported',
  'id_token_signing_alg_values_supported',
  'id_token_encryption_alg_values_supported',
  'id_token_encryption_enc_values_supported',
  'userinfo_signing_alg_values_supported',
  'userinfo_encryption_alg_values_supported',
  'userinfo_encryption_enc_values_supported',
  'token_endpoint_auth_methods_supported',
  'token_endpoint_auth_signing_alg_values_supported',
  'code_challenge_methods_supported',
] as const

/** Metadata that decides something and, where present, is true or false. */
const BOOLEANS = [
  'authorization_response_iss_parameter_supported',
  'claims_parameter_supported',
] as const

/** RFC 7518 3.1, RFC 8037 3.1: what an ID Token can be verified with. */
const VERIFIED = /^(HS|RS|PS|ES)(256|384|512)$|^EdDSA$|^Ed25519$/

/** Longest issuer or endpoint, in characters: what browsers and servers agree on. */
export const MAX_URL_LENGTH = 2048

/** What metadata may have besides what OPs publish. */
export interface MetadataGiven {
  /** The keys stand beside it, so that nothing is fetched from a jwks_uri. */
  with_keys?: boolean
}

/**
 * Whether metadata can be used, by the policy of this realm: a stored copy may be another realm's.
 *
 * @throws CommandError `invalid_op_metadata`, naming the member; `op_host_not_allowed`
 */
export function checkMetadata(
  policy: AddressPolicy,
  op_host: string,
  metadata: ServerMetadata,
  options?: OpOptions,
): void {
  checkMembers(policy, op_host, metadata, options, {
    with_keys: options?.static?.jwks !== undefined,
  })
  for (const name of [...CALLED, ...VISITED]) {
    const address = metadata[name]
    if (address === undefined) continue
    const url = new URL(address)
    // The browser needs no proxy, and leads nobody into our network; an address is refused at once.
    const isCalled = CALLED.some((one) => one === name)
    if (isCalled ? policy.refuses(url) : policy.refusesLiteral(url)) throw policy.refusal(url)
  }
}

/**
 * What of {@link checkMetadata} holds in every realm.
 *
 * @throws CommandError `invalid_op_metadata`, naming the member
 */
export function checkMembers(
  policy: Pick<AddressPolicy, 'isSecure'>,
  op_host: string,
  metadata: ServerMetadata,
  options: OpOptions | undefined,
  { with_keys = false }: MetadataGiven = {},
): void {
  checkIssuer(op_host, metadata.issuer, options)
  for (const name of LISTS) {
    if (!isList(metadata[name] ?? []))
      throw unusable(op_host, name, 'that is no list of words', metadata)
  }
  for (const name of BOOLEANS) {
    if (typeof (metadata[name] ?? false) === 'boolean') continue
    throw unusable(op_host, name, 'that is neither true nor false', metadata)
  }
  for (const name of [...CALLED, ...VISITED]) {
    const address: unknown = metadata[name]
    if (address === undefined) continue
    const url = parseEndpoint(address)
    if (url && policy.isSecure(url)) continue
    throw unusable(op_host, name, 'that is no https address without fragment', metadata)
  }
  for (const name of requiredOf(metadata, with_keys)) {
    if (metadata[name] === undefined) throw missing(op_host, name)
  }
  // OIDC Discovery 3: an OP that publishes scopes_supported MUST have openid among them.
  if (metadata.scopes_supported && !metadata.scopes_supported.includes('openid')) {
    throw unusable(
      op_host,
      'scopes_supported',
      'without openid: it is no OpenID Provider',
      metadata,
    )
  }
  const algs = metadata.id_token_signing_alg_values_supported
  if (algs && !algs.some((alg) => VERIFIED.test(alg))) {
    throw unusable(
      op_host,
      'id_token_signing_alg_values_supported',
      `with none that an ID Token can be verified with (${bounded(algs.join(', '), 100) || 'it is empty'})`,
      metadata,
    )
  }
}

/** OIDC Discovery 3. The lists that are required there say nothing that a default cannot. */
function requiredOf(metadata: ServerMetadata, with_keys: boolean) {
  const types = metadata.response_types_supported
  const isImplicitOnly = types && !types.some((type) => type.split(' ').includes('code'))
  return [
    'authorization_endpoint',
    ...(isImplicitOnly ? [] : (['token_endpoint'] as const)),
    ...(with_keys ? [] : (['jwks_uri'] as const)),
  ] as const
}

/**
 * OIDC Discovery 4.3, RFC 8414 3.3: the issuer must be, to the letter, the one that was asked for, or
 * the one that relyd.cfg names in its place. With a slash behind the host or without, both have one
 * place of metadata (OIDC Discovery 4.1), which no other can speak for: `op_host` names the place, and
 * the OP says which of the two it is (ADR 22).
 *
 * @throws CommandError `invalid_op_metadata`
 */
function checkIssuer(op_host: string, issuer: string, options: OpOptions | undefined): void {
  const says = `says that its issuer is ${bounded(issuer)}`
  const refusal = (why: string, expected: string) =>
    new CommandError('invalid_op_metadata', `the metadata of ${op_host} ${says}${why}`, {
      details: { member: 'issuer', expected, received: bounded(issuer) },
    })
  if (options?.issuer !== undefined) {
    if (issuer === options.issuer) return
    throw refusal(
      `, and [op ${options.name}] of relyd.cfg that it is ${options.issuer}`,
      options.issuer,
    )
  }
  if (issuer === op_host || (issuer === `${op_host}/` && new URL(op_host).pathname === '/')) {
    if (!/[{}]/.test(issuer)) return
  }
  if (/[{}]/.test(issuer)) {
    throw refusal(
      ', which stands for many; use the address of one of them as op_host, or let relyd.cfg name it in a section [op NAME], with tenants',
      op_host,
    )
  }
  const canonical = canonicalOpHost(issuer)
  const isWritable = canonical === issuer || `${canonical}/` === issuer
  throw refusal(
    isWritable && canonical !== op_host
      ? '; use that as op_host'
      : '; if that is right, let relyd.cfg name it in a section [op NAME], as issuer',
    op_host,
  )
}

/**
 * RFC 8705 5: whether the endpoints for clients with a certificate can be used. A bad one is no
 * reason to send the client elsewhere.
 *
 * @throws CommandError `invalid_op_metadata`, `op_host_not_allowed`
 */
export function checkAliases(policy: AddressPolicy, op_host: string, aliases: unknown): void {
  const member = 'mtls_endpoint_aliases'
  if (typeof aliases !== 'object' || aliases === null) {
    throw unusable(op_host, member, 'that is no object', {}, 'RFC 8705 5')
  }
  for (const name of CALLED) {
    if (!(name in aliases)) continue
    const url = parseEndpoint((aliases as Record<string, unknown>)[name])
    if (url?.protocol !== 'https:')
      throw unusable(op_host, member, `with an unusable ${name}`, {}, 'RFC 8705 5')
    if (policy.refuses(url)) throw policy.refusal(url)
  }
}

/** What is kept of metadata: its plain members, and the one object among those that are used. */
export function plainMetadata(metadata: ServerMetadata): ServerMetadata {
  const kept = plainMembers(metadata)
  const { mtls_endpoint_aliases: aliases } = metadata
  if (aliases !== undefined) {
    // What is no object, and a list is none, is an error for who would need it, and kept for that.
    kept['mtls_endpoint_aliases'] = isObject(aliases) ? callableMembers(aliases) : ''
  }
  return kept as unknown as ServerMetadata
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

/** @returns undefined for what is no address of an endpoint */
function parseEndpoint(address: unknown): URL | undefined {
  if (typeof address !== 'string' || address.length > MAX_URL_LENGTH) return undefined
  // RFC 6749 3.1: no endpoint has a fragment.
  return URL.canParse(address) && !address.includes('#') ? new URL(address) : undefined
}

function isList(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function missing(op_host: string, member: string): CommandError {
  return new CommandError('invalid_op_metadata', `the metadata of ${op_host} has no ${member}`, {
    details: { member },
    spec: 'OIDC Discovery 3',
  })
}

function unusable(
  op_host: string,
  member: string,
  what: string,
  metadata: object,
  spec = 'OIDC Discovery 3',
): CommandError {
  return new CommandError(
    'invalid_op_metadata',
    `the metadata of ${op_host} has a ${member} ${what}`,
    { details: memberDetails(member, metadata), spec },
  )
}
