/** UserInfo of a bent OP, and claims that others vouch for (OIDC Core 5.3, 5.6.2). */
import { json } from './answers.js'
import type { Inside } from './inside.js'
import { encryptFor, makeJwt } from './make_jwt.js'
import { badToken, bearerOf } from './refusal.js'
import type { Answer, Asked, BentClient, JwtBends, Members, SigningKey } from './types.js'

/** OIDC Core 5.3.1 and 5.3.2, RFC 6750 2. */
export function userInfo(inside: Inside, asked: Asked): Answer {
  const { face, bends, active } = inside
  const token = tokenOf(asked)
  if (typeof token !== 'string') return token
  const known = active.get(token)
  // A client's own token has no End-User.
  if (!known?.grant) return badToken()
  const client = face.clients.get(known.client_id) as BentClient
  const honest: Members = { sub: face.sub, ...face.user }
  const {
    userinfo_signed_response_alg: signed,
    userinfo_encrypted_response_alg: alg,
    userinfo_encrypted_response_enc: enc,
  } = client
  if (signed === undefined && alg === undefined) {
    return json(bends.userinfo_claims?.(honest) ?? honest)
  }
  const jwt_bends = {
    claims: bends.userinfo_claims,
    header: bends.userinfo_header,
    key: bends.userinfo_key,
    jwt: bends.userinfo_jwt,
    jwe: bends.userinfo_jwe,
    encrypted: bends.userinfo_encrypted,
  } as JwtBends
  const encryption = { client, alg, enc, jwks: inside.keysOf(client) }
  const is_plain = signed === undefined && bends.userinfo_key === undefined
  const jwt = is_plain
    ? encryptFor(encryption, JSON.stringify(jwt_bends.claims?.(honest) ?? honest), {}, jwt_bends)
    : makeJwt(
        // OIDC Core 5.3.2: whose it is, and for whom.
        { iss: face.issuer, aud: client.client_id, ...honest },
        inside.signingKey(client, signed),
        jwt_bends,
        encryption,
      )
  return { status: 200, headers: { 'content-type': 'application/jwt' }, body: jwt ?? '' }
}

/** RFC 6750 2.1 and 2.2: in the header, or in the form of a POST; never both, and never in a query. */
function tokenOf({ method, url, headers, body }: Asked): string | Answer {
  const twice = json({ error: 'invalid_request' }, 400, {
    'www-authenticate': 'Bearer error="invalid_request"',
  })
  if (url.includes('access_token=')) return twice
  if (method !== 'GET' && method !== 'POST') return json({ error: 'invalid_request' }, 405)
  const is_form = headers['content-type']?.startsWith('application/x-www-form-urlencoded')
  const in_body =
    method === 'POST' && is_form ? new URLSearchParams(body).getAll('access_token') : []
  const in_header = bearerOf(headers.authorization)
  if (in_body.length + (in_header === undefined ? 0 : 1) > 1) return twice
  return in_header ?? in_body[0] ?? badToken()
}

/** A JWT of claims that this OP vouches for. */
export function claimsJwt(inside: Inside, claims: Members): string | undefined {
  const { face, bends } = inside
  const jwt_bends = {
    claims: bends.source_claims,
    header: bends.source_header,
    key: bends.source_key as SigningKey,
    jwt: bends.source_jwt,
  } as JwtBends
  const honest = { iss: face.issuer, iat: Math.floor(Date.now() / 1000), ...claims }
  return makeJwt(honest, face.key, jwt_bends)
}

/** OIDC Core 5.6.2: where distributed claims are fetched, with the token that the other OP told. */
export function claimsSource(inside: Inside, { method, headers }: Asked): Answer {
  if (method !== 'GET') return json({ error: 'invalid_request' }, 405)
  const claims = inside.distributed.get(bearerOf(headers.authorization) ?? '')
  if (!claims) return badToken()
  const body = claimsJwt(inside, claims) ?? ''
  return { status: 200, headers: { 'content-type': 'application/jwt' }, body }
}
