/** Authorization requests: the address that a browser is sent to. */
import type { ServerMetadata } from 'openid-client'
import { sha256Base64url } from '../digest.js'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import type { OpOptions } from './op_options.js'

/** What a site may ask of the OP for one login (OIDC Core 3.1.2.1). */
export interface AuthorizationRequest {
  scope?: string[]
  acr_values?: string[]
  prompt?: string
  max_age?: number
  login_hint?: string
  ui_locales?: string[]
  claims?: Record<string, unknown>
  custom_parameters?: Record<string, string>
}

/** What ties the answer to the login. */
export interface LoginValues {
  state: string
  nonce: string
  code_verifier: string
}

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
  'prompt',
  'max_age',
  'login_hint',
  'ui_locales',
  'claims_locales',
  'claims',
])

const PROMPTS = new Set(['none', 'login', 'consent', 'select_account', 'create'])

/** The part of a site's address that no login changes. */
const prefixes = new WeakMap<Site, Prefix>()

interface Prefix {
  metadata: ServerMetadata
  options: OpOptions | undefined
  prefix: string
}

/** OIDC Core 3.1.2.1, RFC 7636 4.3. */
export function authorizationUrl(
  site: Site,
  metadata: ServerMetadata,
  request: AuthorizationRequest,
  { state, nonce, code_verifier }: LoginValues,
  options?: OpOptions,
): string {
  checkRequest(request)
  const { settings } = site
  let url = prefixOf(site, metadata, options)
  const add = (name: string, value: string | undefined) => {
    if (value) url += `&${name}=${encodeURIComponent(value)}`
  }
  add('scope', withOpenid(request.scope ?? settings.scope).join(' '))
  add('state', state)
  add('nonce', nonce)
  add('code_challenge', sha256Base64url(code_verifier))
  add('acr_values', (request.acr_values ?? settings.acr_values)?.join(' '))
  add('prompt', request.prompt)
  add('max_age', request.max_age?.toString())
  add('login_hint', request.login_hint)
  add('ui_locales', (request.ui_locales ?? settings.ui_locales)?.join(' '))
  add('claims_locales', settings.claims_locales?.join(' '))
  add('claims', request.claims && JSON.stringify(request.claims))
  const { prompt: usual_prompt, ...usual } = options?.authorization_parameters ?? {}
  if (request.prompt === undefined) add('prompt', usual_prompt)
  for (const [name, value] of Object.entries({ ...usual, ...request.custom_parameters })) {
    url += `&${encodeURIComponent(name)}=${encodeURIComponent(value)}`
  }
  return url
}

function prefixOf(site: Site, metadata: ServerMetadata, options: OpOptions | undefined): string {
  const kept = prefixes.get(site)
  if (kept?.metadata === metadata && kept.options === options) return kept.prefix
  // RFC 6749 3.1: the endpoint's own query is retained.
  const url = new URL(metadata.authorization_endpoint as string)
  url.searchParams.set('client_id', site.client.client_id)
  url.searchParams.set('response_type', 'code')
  url.searchParams.set('redirect_uri', site.redirect_uri)
  url.searchParams.set('code_challenge_method', 'S256')
  if (options?.response_mode) url.searchParams.set('response_mode', options.response_mode)
  prefixes.set(site, { metadata, options, prefix: url.href })
  return url.href
}

function withOpenid(scope: string[]): string[] {
  return scope.includes('openid') ? scope : ['openid', ...scope]
}

function checkRequest({ prompt, max_age, custom_parameters }: AuthorizationRequest): void {
  const prompts = prompt?.split(' ') ?? []
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
  for (const name of Object.keys(custom_parameters ?? {})) {
    if (reservedParameters.has(name)) {
      throw refused(
        `custom_parameters.${name}`,
        "is a parameter of the protocol; use the command's own parameter, where it has one",
      )
    }
  }
}

function refused(field: string, why: string): CommandError {
  return new CommandError('invalid_request', `${field} ${why}`, { details: { field } })
}
