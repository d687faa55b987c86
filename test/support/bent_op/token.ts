/** The token endpoint of a bent OP, and what ends or looks into its tokens. */
import { json } from './answers.js'
import { readForm } from './authentication.js'
import { idToken } from './id_token.js'
import type { Grant, Inside } from './inside.js'
import { sha256 } from './jws.js'
import { refusal } from './refusal.js'
import type { Answer, Asked, BentClient, RegisteredClient } from './types.js'

export function token(inside: Inside, asked: Asked): Answer {
  const { form, client } = readForm(inside, asked)
  const grant_type = form.get('grant_type') ?? ''
  // RFC 7591 2: what a client registered for, and refreshing what it got by a code; an operator's
  // client may do all.
  const right = grant_type === 'refresh_token' ? 'authorization_code' : grant_type
  const { grant_types } = client
  if (grant_types && !grant_types.includes(grant_type) && !grant_types.includes(right)) {
    throw refusal('unauthorized_client')
  }
  switch (grant_type) {
    case 'authorization_code':
      return redeem(inside, form, client)
    case 'refresh_token':
      return refresh(inside, form, client)
    case 'client_credentials':
      return ownToken(inside, form, client)
    default:
      throw refusal('unsupported_grant_type')
  }
}

/** RFC 6749 4.1.3, RFC 7636 4.6. */
function redeem(inside: Inside, form: URLSearchParams, client: BentClient): Answer {
  const code = form.get('code') ?? ''
  const grant = inside.grants.get(code)
  // RFC 6749 4.1.2: a code works once.
  inside.grants.delete(code)
  if (!grant) throw refusal('invalid_grant', 'no such code')
  if (grant.client_id !== client.client_id) throw refusal('invalid_grant', 'another client')
  if (grant.redirect_uri !== form.get('redirect_uri')) {
    throw refusal('invalid_grant', 'another redirect_uri')
  }
  if (grant.code_challenge !== sha256(form.get('code_verifier') ?? '').toString('base64url')) {
    throw refusal('invalid_grant', 'another code_verifier')
  }
  const offline = grant.scope.split(' ').includes('offline_access')
  return tokens(inside, grant, grant.scope, offline ? inside.refreshToken(grant) : undefined)
}

/** RFC 6749 6, with the reuse detection of RFC 9700 4.14.2. */
function refresh(inside: Inside, form: URLSearchParams, client: BentClient): Answer {
  const refresh_token = form.get('refresh_token') ?? ''
  const known = inside.refresh_tokens.get(refresh_token)
  if (known?.grant.client_id !== client.client_id) throw refusal('invalid_grant', 'no such token')
  const { grant, used } = known
  if (used) {
    inside.forget(grant)
    throw refusal('invalid_grant', 'used before')
  }
  const scope = form.get('scope') ?? grant.scope
  const granted = grant.scope.split(' ')
  if (!scope.split(' ').every((one) => granted.includes(one))) throw refusal('invalid_scope')
  const { rotates } = inside.face
  known.used = rotates
  return tokens(inside, grant, scope, rotates ? inside.refreshToken(grant) : undefined, true)
}

/** RFC 6749 4.4: a client's own access token, such as one to register others with. */
function ownToken(inside: Inside, form: URLSearchParams, client: RegisteredClient): Answer {
  // RFC 6749 4.4: only confidential clients.
  if (client.token_endpoint_auth_method === 'none') throw refusal('unauthorized_client')
  const scope = form.get('scope') ?? client.scope ?? ''
  const allowed = client.scope?.split(' ')
  if (allowed && !scope.split(' ').every((one) => allowed.includes(one))) {
    throw refusal('invalid_scope')
  }
  const access_token = inside.accessToken(undefined, client.client_id, scope)
  const { expires_in } = inside.face
  return json({
    access_token,
    token_type: 'Bearer',
    ...(expires_in !== undefined && { expires_in }),
    scope,
  })
}

function tokens(
  inside: Inside,
  grant: Grant,
  scope: string,
  refresh_token: string | undefined,
  refreshed = false,
): Answer {
  const access_token = inside.accessToken(grant, grant.client_id, scope)
  const id_token = idToken(inside, grant, { front: false, access_token, refreshed })
  const { expires_in } = inside.face
  return json({
    access_token,
    token_type: 'Bearer',
    ...(expires_in !== undefined && { expires_in }),
    ...(refresh_token !== undefined && { refresh_token }),
    ...(id_token !== undefined && { id_token }),
    ...(refreshed && { scope }),
  })
}

/** RFC 7009 2. */
export function revoke(inside: Inside, asked: Asked): Answer {
  const { form } = readForm(inside, asked)
  const token = form.get('token')
  if (token === null) throw refusal('invalid_request', 'no token')
  const refreshed = inside.refresh_tokens.get(token)
  if (refreshed) inside.forget(refreshed.grant)
  else inside.active.delete(token)
  return { status: 200, headers: {}, body: '' }
}

/** RFC 7662 2. */
export function introspect(inside: Inside, asked: Asked): Answer {
  const { form } = readForm(inside, asked)
  const known = inside.active.get(form.get('token') ?? '')
  if (!known) return json({ active: false })
  const now = Math.floor(Date.now() / 1000)
  return json({
    active: true,
    scope: known.scope,
    client_id: known.client_id,
    token_type: 'Bearer',
    exp: now + 300,
    iat: now,
    // A client's own has none.
    ...(known.grant && { sub: inside.face.sub }),
    aud: known.client_id,
    iss: inside.face.issuer,
  })
}
