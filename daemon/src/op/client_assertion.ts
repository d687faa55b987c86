/** JWTs by which a client authenticates (RFC 7523 2.2), made anew for each request. */
import type { KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import type { ClientAuth } from 'openid-client'
import type { Clock } from '../clock.js'
import { randomToken } from '../random.js'

/** What a client assertion is signed with. */
export interface Signer {
  alg: string
  key: KeyObject | Uint8Array
  kid?: string
  'x5t#S256'?: string
}

/** RFC 7523 3: as short as a slow OP and its clock allow. */
const LIFETIME = 120

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/**
 * Authenticates by a JWT of the client's own. openid-client has the same for a key of WebCrypto and
 * for HS256; it does not sign as HS384 and HS512, nor by a key that is chosen when it is needed.
 *
 * @param signer asked at each request, as keys are replaced
 * @param audience one, as whoever else is named could use it too (RFC 7523 3 rule 3)
 */
export function bySignedAssertion(
  clock: Clock,
  audience: string,
  signer: () => Signer,
): ClientAuth {
  return async (_as, { client_id }, body) => {
    const { alg, key, ...header } = signer()
    const now = clock()
    const assertion = await new SignJWT()
      .setProtectedHeader({ alg, ...header })
      // OIDC Core 9.
      .setIssuer(client_id)
      .setSubject(client_id)
      .setAudience(audience)
      .setJti(randomToken(16))
      .setIssuedAt(now)
      .setExpirationTime(now + LIFETIME)
      .sign(key)
    setAssertion(body, client_id, assertion)
  }
}

/** Authenticates by a JWT that somebody else made for the client (RFC 7523 3 rule 1). */
export function byGivenAssertion(read: () => Promise<string>): ClientAuth {
  return async (_as, { client_id }, body) => setAssertion(body, client_id, await read())
}

function setAssertion(body: URLSearchParams, client_id: string, assertion: string): void {
  body.set('client_id', client_id)
  body.set('client_assertion_type', JWT_BEARER)
  body.set('client_assertion', assertion)
}
