/** What a site may ask of an OP for one login, and what of it can only fail (OIDC Core 3.1.2.1, 5.5). */
import type { ServerMetadata } from 'openid-client'
import { isObject } from '../is_object.js'
import { refused } from '../refused.js'
import type { AuthorizationRequest } from './authorization.js'
import { brings, givesAccess, type ResponseType } from './response_type.js'

/** Parameters that custom_parameters may not carry: the protocol's own, and those with a name of their own. */
export const reservedParameters: ReadonlySet<string> = new Set([
  'client_id',
  'response_type',
  'response_mode',
  'redirect_uri',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'request',
  'request_uri',
  'registration',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'dpop_jkt',
  'id_token_hint',
  'scope',
  'acr_values',
  'display',
  'prompt',
  'max_age',
  'login_hint',
  'ui_locales',
  'claims_locales',
  'claims',
])

const PROMPTS = new Set(['none', 'login', 'consent', 'select_account', 'create'])

/** @throws CommandError `invalid_request`, naming the field */
export function checkRequest(
  request: AuthorizationRequest,
  response_type: ResponseType,
  metadata: ServerMetadata,
): void {
  const { prompt, max_age, scope, claims, custom_parameters } = request
  if (prompt !== undefined) checkPrompt(prompt, max_age, metadata)
  // OIDC Core 11: without a code, an OP ignores it, and nobody would know why there is no refresh token.
  if (scope?.includes('offline_access') && !brings(response_type, 'code')) {
    throw refused('scope', `offline_access needs a response_type with code, not ${response_type}`)
  }
  if (claims !== undefined) checkClaims(request, claims, response_type, metadata)
  if (custom_parameters === undefined) return
  for (const name of Object.keys(custom_parameters)) {
    if (reservedParameters.has(name)) {
      throw refused(
        `custom_parameters.${name}`,
        "is a parameter of the protocol; use the command's own parameter, where it has one",
      )
    }
  }
}

function checkPrompt(prompt: string, max_age: number | undefined, metadata: ServerMetadata): void {
  const prompts = prompt.split(' ')
  const unknown = prompts.find((one) => !PROMPTS.has(one))
  if (unknown !== undefined) {
    throw refused('prompt', `takes ${[...PROMPTS].join(', ')}, separated by one space`)
  }
  // OIDC Core 3.1.2.1: none stands alone.
  if (prompts.includes('none') && prompts.length > 1) {
    throw refused('prompt', 'has none together with another value, which OPs refuse')
  }
  if (prompts.includes('none') && max_age === 0) {
    throw refused('max_age', 'of 0 asks for a login page, which prompt=none forbids')
  }
  // OIDC Initiating User Registration 4: an OP that lists them refuses others.
  const offered = metadata['prompt_values_supported']
  const missing = Array.isArray(offered) && prompts.find((one) => !offered.includes(one))
  if (missing) throw refused('prompt', `${missing} is none that the OP's metadata offers`)
}

/** OIDC Core 5.5, 5.5.1. */
function checkClaims(
  { acr_values }: AuthorizationRequest,
  claims: Record<string, unknown>,
  response_type: ResponseType,
  metadata: ServerMetadata,
): void {
  if (metadata['claims_parameter_supported'] === false) {
    throw refused(
      'claims',
      'is not for this OP, whose metadata says claims_parameter_supported: false; ask for claims by scope, and for acr by require_acr',
    )
  }
  for (const place of ['userinfo', 'id_token']) {
    const wanted = claims[place]
    if (wanted === undefined) continue
    if (!isObject(wanted)) throw refused(`claims.${place}`, 'must be an object of claims by name')
    for (const [name, how] of Object.entries(wanted)) checkClaim(`claims.${place}.${name}`, how)
    for (const name of ['acr', 'sub']) checkTexts(`claims.${place}.${name}`, wanted[name])
    if (place === 'userinfo' && valuesOf(wanted['sub'])) {
      throw refused('claims.userinfo.sub', 'names who shall log in; do so in claims.id_token.sub')
    }
  }
  if (claims['userinfo'] !== undefined && !givesAccess(response_type)) {
    throw refused(
      'claims.userinfo',
      `needs an access token, which response_type ${response_type} does not bring; ask in claims.id_token`,
    )
  }
  // OIDC Core 5.5.1.1: with both, what the OP does is unspecified.
  if (acr_values?.length && acrWishOf(claims)) {
    throw refused('acr_values', 'and claims.id_token.acr both name acr values; give one of them')
  }
}

function checkClaim(field: string, how: unknown): void {
  if (how === null) return
  if (!isObject(how)) throw refused(field, 'must be null or an object')
  const { essential, value, values } = how
  if (essential !== undefined && typeof essential !== 'boolean') {
    throw refused(`${field}.essential`, 'must be true or false')
  }
  if (values !== undefined && (!Array.isArray(values) || values.length === 0)) {
    throw refused(`${field}.values`, 'must be a list with one value at least')
  }
  if (value !== undefined && values !== undefined) {
    throw refused(field, 'has value and values; give one of them')
  }
}

/** What comes back is held against these, and could be like no other value. */
function checkTexts(field: string, how: unknown): void {
  if (!isObject(how)) return
  const { value, values = value === undefined ? [] : [value] } = how
  const isText = (one: unknown) => typeof one === 'string' && one !== ''
  if ([values].flat().every(isText)) return
  throw refused(field, 'takes texts as value or values, and no empty ones')
}

/** What `claims` says of the ID Token's acr, if it names values. */
export function acrWishOf(
  claims: Record<string, unknown> | undefined,
): { essential: boolean; values: string[] } | undefined {
  const how = claimOf(claims, 'acr')
  const values = valuesOf(how)
  return values && { essential: how?.['essential'] === true, values }
}

/** The values that a claim may have; undefined where none is named. */
export function valuesOf(how: unknown): string[] | undefined {
  if (!isObject(how)) return undefined
  const { value, values = value === undefined ? [] : [value] } = how
  const texts = [values].flat().filter((one) => typeof one === 'string')
  return texts.length === 0 ? undefined : texts
}

/** How `claims` asks for a claim of the ID Token. */
export function claimOf(
  claims: Record<string, unknown> | undefined,
  name: string,
): Record<string, unknown> | undefined {
  const wanted = claims?.['id_token']
  const how = isObject(wanted) && Object.hasOwn(wanted, name) ? wanted[name] : undefined
  return isObject(how) ? how : undefined
}
