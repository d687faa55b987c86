/** The authorization endpoint of a bent OP, with an End-User who agrees to everything (OIDC Core 3). */
import { checkRequest } from './authorization_request.js'
import { idToken } from './id_token.js'
import type { Grant, Inside } from './inside.js'
import type { Mode } from './types.js'

/** What the browser is sent back with. */
export interface AuthorizationResponse {
  redirect_uri: string
  mode: Mode
  params: URLSearchParams
}

/** @throws Error if the request is not what an OP would accept */
export function agree(inside: Inside, authorization_url: string): AuthorizationResponse {
  const { face } = inside
  const { client, asked, response_type, mode, claims } = checkRequest(inside, authorization_url)
  const types = response_type.split(' ')
  const scope = asked.get('scope') as string
  const acr_values = asked.get('acr_values')?.split(' ') ?? []
  const wanted_acr = claims.id_token?.['acr']
  const wants_time =
    asked.has('max_age') ||
    client.default_max_age !== undefined ||
    client.require_auth_time === true ||
    claims.id_token?.['auth_time'] !== undefined
  const grant: Grant = {
    client_id: client.client_id,
    redirect_uri: asked.get('redirect_uri') as string,
    nonce: asked.get('nonce') as string,
    code_challenge: asked.get('code_challenge') ?? '',
    scope,
    auth_time: wants_time ? Math.floor(Date.now() / 1000) - face.authenticated_ago : undefined,
    acr: face.acr ?? acr_values[0] ?? acrOf(wanted_acr),
    id_token_claims: [
      ...Object.keys(claims.id_token ?? {}),
      // OIDC Core 5.4: where there is no access token, scopes' claims are in the ID Token.
      ...(response_type === 'id_token' ? scope.split(' ').flatMap(claimsOfScope) : []),
    ],
  }
  const code = types.includes('code') ? inside.secret() : undefined
  if (code !== undefined) inside.grants.set(code, grant)
  const access_token = types.includes('token')
    ? inside.accessToken(grant, client.client_id, scope)
    : undefined
  const id_token = types.includes('id_token')
    ? idToken(inside, grant, { front: true, access_token, code })
    : undefined
  const { expires_in } = face
  const params = new URLSearchParams({
    ...(code !== undefined && { code }),
    ...(access_token !== undefined && { access_token, token_type: 'Bearer' }),
    ...(access_token !== undefined && expires_in !== undefined && { expires_in: `${expires_in}` }),
    ...(id_token !== undefined && { id_token }),
    state: asked.get('state') as string,
    ...(face.metadata['authorization_response_iss_parameter_supported'] === true && {
      iss: face.issuer,
    }),
  })
  return { redirect_uri: grant.redirect_uri, mode, params }
}

/** What the site gets of it: the URL that the browser requests, or the form that it posts there. */
export function callbackOf({ redirect_uri, mode, params }: AuthorizationResponse): string {
  switch (mode) {
    case 'query':
      return `${redirect_uri}${redirect_uri.includes('?') ? '&' : '?'}${params}`
    case 'fragment':
      return `${redirect_uri}#${params}`
    case 'form_post':
      return params.toString()
  }
}

/** OIDC Core 5.5.1.1: an End-User of this OP reaches whatever is asked for. */
function acrOf(wanted: unknown): string | undefined {
  const { value, values } = (wanted ?? {}) as { value?: string; values?: string[] }
  return value ?? values?.[0]
}

/** OIDC Core 5.4. */
function claimsOfScope(scope: string): string[] {
  switch (scope) {
    case 'profile':
      return [
        ...['name', 'family_name', 'given_name', 'middle_name', 'nickname', 'preferred_username'],
        ...['profile', 'picture', 'website', 'gender', 'birthdate', 'zoneinfo', 'locale'],
        'updated_at',
      ]
    case 'email':
      return ['email', 'email_verified']
    case 'phone':
      return ['phone_number', 'phone_number_verified']
    case 'address':
      return ['address']
    default:
      return []
  }
}
