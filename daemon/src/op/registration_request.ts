/** What is asked of an OP for a site: its wishes, held against the specifications and the OP's metadata. */
import { isDeepStrictEqual } from 'node:util'
import type { ServerMetadata } from 'openid-client'
import { bounded } from '../errors.js'
import { refused } from '../refused.js'
import type { Site, SiteSettings } from '../store/store.js'
import { authMethods } from './client_authentication.js'
import {
  type AddressRule,
  type MetadataName,
  metadataRows,
  metadataTable,
  reservedMembers,
  translated,
} from './client_metadata.js'
import { DEFAULT_ENC } from './jwt_algorithms.js'
import { LOOPBACK } from './response_type.js'

/** What a site wishes for its registration. */
export interface RegistrationWishes {
  /** The site's own first. */
  redirect_uris: readonly string[]
  settings: SiteSettings
}

/**
 * Of a login that names no scope, at a site that was registered with none. OPs are not asked for it at
 * registration: OIDC Registration 2 knows no scope, those who have RFC 7591's allow as much by themselves,
 * and Keycloak has no `openid` among the scopes that a client can be registered with.
 */
export const DEFAULT_SCOPE = ['openid', 'profile', 'email']

/** What a stored site wished for. */
export function wishesOf({ redirect_uri, client, settings }: Site): RegistrationWishes {
  const known: unknown = settings.redirect_uris ?? client['redirect_uris']
  const all = Array.isArray(known) ? known.filter((uri) => typeof uri === 'string') : []
  return { redirect_uris: [...new Set([redirect_uri, ...all])], settings }
}

/** Members by their registered names. */
type Members = Record<string, unknown>

/** The members that a site asks for by name; what it left open is chosen by {@link requestOf}. */
export function explicitMembers({ redirect_uris, settings }: RegistrationWishes): Members {
  const scope = settings.wished_scope ?? settings.scope
  const { metadata = {}, client_name, post_logout_redirect_uri, response_type } = settings
  const {
    metadata: further,
    post_logout_redirect_uris,
    ...wished
  } = metadata as Members & {
    metadata?: Members
    post_logout_redirect_uris?: string[]
  }
  const returns = [
    ...(post_logout_redirect_uri ? [post_logout_redirect_uri] : []),
    ...(post_logout_redirect_uris ?? []),
  ]
  return {
    ...further,
    redirect_uris: [...redirect_uris],
    application_type: 'web',
    response_types: [response_type ?? 'code'],
    ...wished,
    ...(isDeepStrictEqual(scope, DEFAULT_SCOPE) ? {} : { scope: scope.join(' ') }),
    ...(returns.length > 0 && { post_logout_redirect_uris: [...new Set(returns)] }),
    ...(client_name !== undefined && { client_name }),
  }
}

/**
 * The whole request: what is asked for, and the best of what the OP offers where the site left it open.
 *
 * @throws CommandError `invalid_request` for what the OP does not offer
 */
export function requestOf(metadata: ServerMetadata, wishes: RegistrationWishes): Members {
  const asked = explicitMembers(wishes)
  checkOffered(metadata, asked, wishes.settings)
  const types = asked['response_types'] as string[]
  const request: Members = {
    grant_types: grantTypesOf(metadata, types),
    token_endpoint_auth_method: preferredAuthMethod(metadata),
    id_token_signed_response_alg: preferredSigningAlg(metadata),
    ...asked,
    response_types: asSpelled(types, offeredBy(metadata, 'response_types_supported')),
  }
  checkGrants(types, request['grant_types'] as string[])
  checkRedirectUris(request)
  return request
}

/** OIDC Registration 2: which grant types response types need. */
function grantTypesOf(metadata: ServerMetadata, types: readonly string[]): string[] {
  const words = new Set(types.flatMap((type) => type.split(' ')))
  const isImplicit = words.has('id_token') || words.has('token')
  const offersRefresh = offeredBy(metadata, 'grant_types_supported')?.includes('refresh_token')
  return [
    ...(words.has('code') ? ['authorization_code'] : []),
    ...(isImplicit ? ['implicit'] : []),
    ...(words.has('code') && offersRefresh ? ['refresh_token'] : []),
  ]
}

function checkGrants(types: readonly string[], grants: readonly string[]): void {
  for (const grant of grantTypesOf({} as ServerMetadata, types)) {
    if (grants.includes(grant)) continue
    throw refused('grant_types', `lacks ${grant}, which response_types needs`)
  }
}

/** OIDC Discovery 3: an OP that says nothing takes client_secret_basic. */
function preferredAuthMethod(metadata: ServerMetadata): (typeof authMethods)[number] {
  const offered = offeredBy(metadata, 'token_endpoint_auth_methods_supported') ?? []
  return authMethods.find((method) => offered.includes(method)) ?? 'client_secret_basic'
}

/** Those that every library has first; `none` and those with a shared secret never unasked. */
function preferredSigningAlg(metadata: ServerMetadata): string {
  const offered = offeredBy(metadata, 'id_token_signing_alg_values_supported') ?? ['RS256']
  return ['RS256', 'ES256', 'PS256', 'EdDSA'].find((alg) => offered.includes(alg)) ?? 'RS256'
}

/** What an OP is understood to offer that does not say (OIDC Discovery 3). */
const DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  grant_types_supported: ['authorization_code', 'implicit'],
  token_endpoint_auth_methods_supported: ['client_secret_basic'],
}

/** @returns undefined where the OP's metadata leaves it open */
function offeredBy(metadata: ServerMetadata, list: string): readonly string[] | undefined {
  const offered = (metadata as Members)[list]
  if (Array.isArray(offered)) return offered.filter((one) => typeof one === 'string')
  return DEFAULTS[list]
}

/** OIDC Registration 2: what a site asks for by name and the OP does not offer is no wish to guess at. */
function checkOffered(metadata: ServerMetadata, asked: Members, settings: SiteSettings): void {
  for (const [name, { offered: list }] of metadataRows) {
    if (list === undefined || asked[name] === undefined) continue
    const offered = offeredBy(metadata, list)
    if (offered === undefined) continue
    for (const wish of [asked[name]].flat() as string[]) {
      if (offered.some((one) => isSameWords(one, wish))) continue
      throw refused(
        // The field that the site filled in.
        name === 'response_types' && !settings.metadata?.[name] ? 'response_type' : name,
        `asks for ${bounded(wish, 64)}, which the OP does not offer; it offers ${shown(offered)}`,
        { asked: wish, offered: offered.slice(0, 20) },
      )
    }
  }
}

/** OAuth Response Types 3: the order of its words means nothing. */
export function isSameWords(one: string, other: string): boolean {
  const sorted = (text: string) => text.split(' ').sort().join(' ')
  return one === other || sorted(one) === sorted(other)
}

/** As the OP writes them, which may compare them to the letter. */
function asSpelled(types: readonly string[], offered: readonly string[] = []): string[] {
  return types.map((type) => offered.find((one) => isSameWords(one, type)) ?? type)
}

function shown(offered: readonly string[]): string {
  return offered.length === 0 ? 'none' : (bounded(offered.join(', '), 300) as string)
}

/**
 * What can be seen to be wrong without asking anybody.
 *
 * @throws CommandError `invalid_request`, naming the field
 */
export function checkWishes({ settings, redirect_uris }: RegistrationWishes): void {
  const wished = (settings.metadata ?? {}) as Members
  for (const [name, { address, needs }] of metadataRows) {
    const value = wished[name]
    if (value === undefined) continue
    // OIDC Registration 2: enc without alg is refused.
    if (needs !== undefined && wished[needs] === undefined) {
      throw refused(name, `means nothing without ${needs}; give that too`)
    }
    if (address === undefined) continue
    for (const uri of [value].flat() as string[]) checkAddress(name, uri, address)
  }
  if (wished['token_endpoint_auth_signing_alg'] === 'none') {
    // OIDC Registration 2: the value none MUST NOT be used.
    throw refused('token_endpoint_auth_signing_alg', 'must not be none')
  }
  if (wished['id_token_signed_response_alg'] === 'none') {
    throw refused('id_token_signed_response_alg', 'must not be none: anybody could forge ID Tokens')
  }
  checkResponseTypes(settings)
  checkFrontChannelLogout(wished, redirect_uris)
  checkFurther(wished['metadata'] as Members | undefined)
}

function checkResponseTypes({ response_type = 'code', metadata }: SiteSettings): void {
  const types = (metadata as Members | undefined)?.['response_types'] as string[] | undefined
  if (types === undefined) return
  if (types.some((type) => isSameWords(type, response_type))) return
  throw refused('response_types', `lacks ${response_type}, the response_type of the site's logins`)
}

/** OIDC Front-Channel Logout 2: of the scheme, host and port of a redirect URI. */
function checkFrontChannelLogout(wished: Members, redirect_uris: readonly string[]): void {
  const uri = wished['frontchannel_logout_uri'] as string | undefined
  if (uri === undefined) return
  const { origin } = new URL(uri)
  if (redirect_uris.some((one) => new URL(one).origin === origin)) return
  throw refused('frontchannel_logout_uri', 'must have the scheme, host and port of a redirect URI')
}

const RULES: Readonly<Record<AddressRule, string>> = {
  https: 'must be an absolute https address without fragment',
  page: 'must be an absolute http(s) address',
  no_fragment: 'must be an absolute http(s) address without fragment',
}

function checkAddress(name: MetadataName, uri: string, rule: AddressRule): void {
  const url = URL.canParse(uri) ? new URL(uri) : undefined
  const isFitting =
    rule === 'https' ? url?.protocol === 'https:' : /^https?:$/.test(url?.protocol ?? '')
  if (isFitting && (rule === 'page' || !uri.includes('#'))) return
  throw refused(name, RULES[rule])
}

/** RFC 7591 2.2, BCP 47: `client_name#de-CH`. */
const TRANSLATION = /^([a-z_]+)#([a-z]{2,8}(?:-[a-z0-9]{1,8})*)$/i

function checkFurther(further: Members | undefined): void {
  for (const [name, value] of Object.entries(further ?? {})) {
    const field = `metadata.${bounded(name, 64)}`
    if (reservedMembers.has(name)) {
      throw refused(
        field,
        Object.hasOwn(metadataTable, name) || name === 'client_name' || name === 'scope'
          ? 'has a parameter of its own; use that'
          : 'is for relyd or the OP to say',
      )
    }
    if (!name.includes('#')) continue
    const [, member = ''] = TRANSLATION.exec(name) ?? []
    if (!translated.has(member)) {
      throw refused(
        field,
        `must be one of ${[...translated].join(', ')}, with a language such as #de`,
      )
    }
    if (typeof value !== 'string') throw refused(field, 'must be a text')
    if (member !== 'client_name' && !URL.canParse(value)) throw refused(field, RULES.page)
  }
}

/** OIDC Registration 2, application_type. */
function checkRedirectUris(request: Members): void {
  const isImplicit = (request['grant_types'] as string[]).includes('implicit')
  const isNative = request['application_type'] === 'native'
  for (const uri of request['redirect_uris'] as string[]) {
    const { protocol, hostname } = new URL(uri)
    if (isNative && protocol === 'http:' && !LOOPBACK.test(hostname)) {
      throw refused(
        'redirect_uris',
        'of a native application over http must be at a loopback address',
      )
    }
    if (isNative || !isImplicit || (protocol === 'https:' && hostname !== 'localhost')) continue
    throw refused(
      'redirect_uris',
      'must be https, and not at localhost, where a web client gets tokens through the browser (response types with id_token or token)',
    )
  }
}

/** Members that an OP which leaves them out has not taken: others are what they are by default. */
const MISSED = new Set(
  ['id_token', 'userinfo']
    .flatMap((use) =>
      ['signed_response_alg', 'encrypted_response_alg', 'encrypted_response_enc'].map(
        (name) => `${use}_${name}`,
      ),
    )
    .concat('default_max_age', 'require_auth_time'),
)

/** What they are then (OIDC Registration 2). */
const IMPLIED: Members = {
  id_token_signed_response_alg: 'RS256',
  id_token_encrypted_response_enc: DEFAULT_ENC,
  userinfo_encrypted_response_enc: DEFAULT_ENC,
  require_auth_time: false,
}

/**
 * What the OP registered otherwise than it was asked for: members that it did answer, with another
 * value, and those that it must not leave out.
 */
export function changedMembers(site: Site): string[] {
  if (site.registered_by !== 'relyd') return []
  const { client } = site
  return Object.entries(explicitMembers(wishesOf(site)))
    .filter(([name, asked]) => {
      const answered = client[name] ?? IMPLIED[name]
      return answered === undefined ? MISSED.has(name) : !isSame(asked, answered)
    })
    .map(([name]) => name)
}

function isSame(asked: unknown, answered: unknown): boolean {
  const sorted = (value: unknown) => {
    const words = (text: string) => text.split(' ').sort().join(' ')
    if (typeof value === 'string') return words(value)
    return Array.isArray(value) ? value.map((one) => words(String(one))).sort() : value
  }
  return isDeepStrictEqual(sorted(asked), sorted(answered))
}
