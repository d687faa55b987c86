/** The JWTs that a bent OP gives out: signed, then encrypted where the client wants it, and bent on the way. */
import { encryptionKey, encryptJwe } from './jwe.js'
import { signJwt } from './jws.js'
import type { BentClient, Jwe, JwtBends, Members, SigningKey } from './types.js'

/** With what a client has a JWT encrypted, if it has. */
export interface Encryption {
  client: BentClient
  alg: string | undefined
  enc: string | undefined
  jwks: readonly Members[]
}

/** Signs; `key` is the honest one. @returns undefined if a bend leaves it out */
export function makeJwt(
  honest: Members,
  key: SigningKey,
  bends: JwtBends,
  encryption?: Encryption,
): string | undefined {
  const signer = bends.key ?? key
  const claims = bends.claims?.(honest) ?? honest
  const honest_header = { alg: signer.alg, ...(signer.kid && { kid: signer.kid }), typ: 'JWT' }
  const header = bends.header?.(honest_header) ?? honest_header
  const signed = signJwt(header, claims, signer)
  const jwt = bends.jwt ? bends.jwt(signed, header, claims) : signed
  if (jwt === undefined || encryption?.alg === undefined) return jwt
  return encryptFor(encryption, jwt, { cty: 'JWT' }, bends)
}

/** A JWE to the client, of a JWT (RFC 7519 5.2: cty) or of plain claims. */
export function encryptFor(
  { client, alg = '', enc = 'A128CBC-HS256', jwks }: Encryption,
  plaintext: string,
  more: Members,
  bends: Pick<JwtBends, 'jwe' | 'encrypted'>,
): string {
  const { key, kid } = encryptionKey(client, alg, enc, jwks)
  const honest: Jwe = { header: { alg, enc, ...(kid && { kid }), ...more }, plaintext, key }
  const jwe = encryptJwe(bends.jwe?.(honest) ?? honest)
  return bends.encrypted?.(jwe) ?? jwe
}
