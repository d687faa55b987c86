/** Authorization requests: the address that a browser is sent to. */
import type { ServerMetadata } from 'openid-client'
import { sha256Base64url } from '../digest.js'
import { isObject } from '../is_object.js'
import { refused } from '../refused.js'
import type { Login, Site } from '../store/store.js'
import { acrWishOf, checkRequest } from './authorization_checks.js'
import { demandsOf } from './demands.js'
import type { OpOptions } from './op_options.js'
import { brings, type ResponseMode, type ResponseType, type ResponseWish } from './response_type.js'

/** What a site may ask of the OP for one login (OIDC Core 3.1.2.1). */
export interface AuthorizationRequest extends ResponseWish {
  scope?: string[]
  acr_values?: string[]
  /** Whether the login fails without one of them. */
  require_acr?: boolean
  display?: string
  prompt?: string
  max_age?: number
  login_hint?: string
  id_token_hint?: string
  ui_locales?: string[]
  claims_locales?: string[]
  claims?: Record<string, unknown>
  registration?: Record<string, unknown>
  custom_parameters?: Record<string, string>
}

/** What ties the answer to the login. */
export interface LoginValues {
  state: string
  nonce: string
  code_verifier: string
}

/** The request, and what the answer is held against beyond {@link LoginValues}. */
export interface Asked {
  authorization_url: string
  kept: Pick<Login['secrets'], 'response_type' | 'response_mode' | 'essential'>
}

/** The part of a site's address that no login changes. */
const prefixes = new WeakMap<Site, Prefix>()

interface Prefix {
  metadata: ServerMetadata
  type: ResponseType
  mode: ResponseMode | undefined
  prefix: string
}

/** How the login is answered: as it says, else its site, else, where the OP is special, relyd.cfg. */
export function responseWishOf(
  { settings }: Site,
  request: ResponseWish,
  options: OpOptions | undefined,
): { response_type: ResponseType; response_mode: ResponseMode | undefined } {
  return {
    response_type: request.response_type ?? settings.response_type ?? 'code',
    response_mode: request.response_mode ?? settings.response_mode ?? options?.response_mode,
  }
}

/**
 * OIDC Core 3.1.2.1, RFC 7636 4.3.
 *
 * @throws CommandError `invalid_request`, naming the field
 */
export function askFor(
  site: Site,
  metadata: ServerMetadata,
  request: AuthorizationRequest,
  { state, nonce, code_verifier }: LoginValues,
  options?: OpOptions,
): Asked {
  const { settings } = site
  const { response_type: type, response_mode: mode } = responseWishOf(site, request, options)
  checkRequest(request, type, metadata)
  const { acr_values, claims } = acrOf(site, request, metadata)
  let url = prefixOf(site, metadata, type, mode)
  const add = (name: string, value: string | undefined) => {
    if (value) url += `&${name}=${encodeURIComponent(value)}`
  }
  add('scope', scopeOf(request.scope ?? settings.scope, type).join(' '))
  add('state', state)
  // OIDC Core 3.2.2.1, 3.3.2.11: required where an ID Token comes through the browser; good always.
  add('nonce', nonce)
  if (brings(type, 'code')) add('code_challenge', sha256Base64url(code_verifier))
  add('acr_values', acr_values?.join(' '))
  add('display', request.display)
  add('prompt', request.prompt)
  add('max_age', request.max_age?.toString())
  add('id_token_hint', request.id_token_hint)
  add('login_hint', request.login_hint)
  add('ui_locales', (request.ui_locales ?? settings.ui_locales)?.join(' '))
  add('claims_locales', (request.claims_locales ?? settings.claims_locales)?.join(' '))
  add('claims', claims && JSON.stringify(claims))
  add('registration', request.registration && JSON.stringify(request.registration))
  const { prompt: usual_prompt, ...usual } = options?.authorization_parameters ?? {}
  if (request.prompt === undefined) add('prompt', usual_prompt)
  for (const [name, value] of Object.entries({ ...usual, ...request.custom_parameters })) {
    url += `&${encodeURIComponent(name)}=${encodeURIComponent(value)}`
  }
  const essential = demandsOf(site, request)
  return {
    authorization_url: url,
    kept: {
      ...(type !== 'code' && { response_type: type }),
      ...(mode !== undefined && { response_mode: mode }),
      ...(essential && { essential }),
    },
  }
}

function prefixOf(
  site: Site,
  metadata: ServerMetadata,
  type: ResponseType,
  mode: ResponseMode | undefined,
): string {
  const kept = prefixes.get(site)
  if (kept?.metadata === metadata && kept.type === type && kept.mode === mode) return kept.prefix
  // RFC 6749 3.1: the endpoint's own query is retained.
  const url = new URL(metadata.authorization_endpoint as string)
  url.searchParams.set('client_id', site.client.client_id)
  url.searchParams.set('response_type', type)
  url.searchParams.set('redirect_uri', site.redirect_uri)
  if (brings(type, 'code')) url.searchParams.set('code_challenge_method', 'S256')
  if (mode) url.searchParams.set('response_mode', mode)
  prefixes.set(site, { metadata, type, mode, prefix: url.href })
  return url.href
}

/** OIDC Core 11: offline_access of the site's own is for logins that bring a code. */
function scopeOf(scope: string[], type: ResponseType): string[] {
  const usable = brings(type, 'code') ? scope : scope.filter((one) => one !== 'offline_access')
  return usable.includes('openid') ? usable : ['openid', ...usable]
}

/**
 * How acr is asked for. OIDC Core 5.5.1.1: by acr_values it is voluntary, by `claims` it can be
 * essential, and in both at once the OP may do as it likes.
 */
function acrOf(
  { settings }: Site,
  request: AuthorizationRequest,
  metadata: ServerMetadata,
): Pick<AuthorizationRequest, 'acr_values' | 'claims'> {
  const { claims } = request
  if (claims && acrWishOf(claims)) return { claims }
  const acr_values = request.acr_values ?? settings.acr_values
  if (request.require_acr !== true)
    return { ...(acr_values && { acr_values }), ...(claims && { claims }) }
  if (!acr_values?.length)
    throw refused('require_acr', 'needs acr_values, of which one is required')
  // What does not know the parameter is asked by the other, and its answer is held against them too.
  if (metadata['claims_parameter_supported'] !== true) {
    return { acr_values, ...(claims && { claims }) }
  }
  const of_id_token = isObject(claims?.['id_token']) ? claims['id_token'] : {}
  const acr = { essential: true, values: acr_values }
  return { claims: { ...claims, id_token: { ...of_id_token, acr } } }
}
