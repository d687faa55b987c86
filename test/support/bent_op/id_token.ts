/** The ID Tokens of a bent OP (OIDC Core 2, 3.1.3.6, 3.2.2.10, 3.3.2.11). */
import type { Grant, Inside } from './inside.js'
import { atHash } from './jws.js'
import { makeJwt } from './make_jwt.js'
import type { BentClient, JwtBends, Members } from './types.js'

/** What an ID Token comes with. */
export interface Beside {
  /** Whether it is in the authorization response. */
  front: boolean
  access_token?: string | undefined
  /** In the authorization response. */
  code?: string | undefined
  /** Whether it comes from a refresh. */
  refreshed?: boolean
}

/** @returns undefined if a bend leaves it out */
export function idToken(inside: Inside, grant: Grant, beside: Beside): string | undefined {
  const { face } = inside
  const client = face.clients.get(grant.client_id) as BentClient
  const bends = beside.front ? frontBends(inside) : tokenBends(inside)
  const key = inside.signingKey(client, client.id_token_signed_response_alg)
  // A bent key makes the hashes that fit it: the claims are bent for themselves.
  const { alg } = bends.key ?? key
  const { access_token, code, refreshed = false } = beside
  const now = Math.floor(Date.now() / 1000)
  const honest: Members = {
    iss: face.issuer.replace('{tenantid}', face.tenant ?? ''),
    ...(face.tenant !== undefined && { tid: face.tenant }),
    ...askedClaims(inside, grant),
    ...face.more_claims,
    sub: face.sub,
    aud: grant.client_id,
    iat: now,
    exp: now + 300,
    // OIDC Core 12.2: none in a refreshed one.
    ...(!refreshed && { nonce: grant.nonce }),
    ...(access_token !== undefined && { at_hash: atHash(alg, access_token) }),
    ...(code !== undefined && { c_hash: atHash(alg, code) }),
    ...(grant.auth_time !== undefined && { auth_time: grant.auth_time }),
    ...(grant.acr !== undefined && { acr: grant.acr }),
  }
  const jwt = makeJwt(honest, key, bends, {
    client,
    alg: client.id_token_encrypted_response_alg,
    enc: client.id_token_encrypted_response_enc,
    jwks: inside.keysOf(client),
  })
  if (jwt) face.secrets.push(jwt)
  return jwt
}

function askedClaims({ face }: Inside, { id_token_claims }: Grant): Members {
  return Object.fromEntries(
    Object.entries(face.user).filter(([name]) => id_token_claims.includes(name)),
  )
}

function tokenBends({ bends }: Inside): JwtBends {
  return { ...bends, jwt: bends.id_token } as JwtBends
}

function frontBends({ bends }: Inside): JwtBends {
  return {
    claims: bends.front_claims,
    header: bends.front_header,
    key: bends.front_key,
    jwt: bends.front_id_token,
    jwe: bends.front_jwe,
    encrypted: bends.front_encrypted,
  } as JwtBends
}
