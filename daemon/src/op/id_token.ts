/**
 * The checks of an ID Token that openid-client leaves to us in the code flow: its signature, its
 * parties and at_hash.
 *
 * openid-client can check the signature, but its key cache does not ask the OP again within a
 * minute, and a login that meets a rotation in that time is lost with its code (ADR 0003).
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { compactVerify, createLocalJWKSet, errors, type JSONWebKeySet } from 'jose'
import type { IDToken } from 'openid-client'
import { CommandError } from '../errors.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'

// jose keeps imported keys with this function, so it is made once for each key set.
const keySets = new WeakMap<JSONWebKeySet, ReturnType<typeof createLocalJWKSet>>()

/**
 * OIDC Core 3.1.3.7 step 6, RFC 7515 5.2: verifies the signature with the OP's keys.
 *
 * @param algorithms those that the registration allows
 * @throws CommandError `invalid_id_token_bad_signature`, or `op_unreachable` when the keys are
 * needed and cannot be fetched
 */
export async function verifyIdTokenSignature(
  op: OpSide,
  provider: Provider,
  id_token: string,
  algorithms: string[],
): Promise<void> {
  let jwks = provider.jwks
  let refetched = false
  for (;;) {
    try {
      if (!jwks) throw new errors.JWKSNoMatchingKey()
      return await verify(id_token, jwks, algorithms)
    } catch (error) {
      // An unknown key may be a new one (OIDC Core 10.1.1).
      if (!(error instanceof errors.JWKSNoMatchingKey) || refetched) throw badSignature(error)
    }
    refetched = true
    jwks = await op.providers.refetchKeys(provider, jwks)
  }
}

/**
 * OIDC Core 3.1.3.7 steps 3 and 5: the ID Token is for this client and nobody else. openid-client
 * takes further audiences beside an `azp` that names the client, and looks at no other `azp`.
 *
 * @throws CommandError `invalid_id_token` (OIDC Core 2: no End-User), `invalid_id_token_bad_audience`
 */
export function checkParties({ sub, aud, azp }: IDToken, client_id: string): void {
  if (sub === '') throw new CommandError('invalid_id_token', "the ID Token's claim sub is empty")
  const foreign = [aud].flat().some((one) => one !== client_id)
  if (foreign || (azp !== undefined && azp !== client_id)) {
    throw new CommandError(
      'invalid_id_token_bad_audience',
      'the ID Token was not issued for this client alone',
    )
  }
}

/**
 * OIDC Core 3.1.3.8: where the ID Token has an at_hash, it must be the access token's.
 *
 * @throws CommandError `invalid_access_token_bad_hash`
 */
export function checkAtHash(id_token: string, at_hash: unknown, access_token: string): void {
  if (at_hash === undefined) return
  const header = JSON.parse(
    Buffer.from(id_token.split('.', 1)[0] as string, 'base64url').toString(),
  ) as { alg: string }
  const hash = createHash(hashOf(header.alg)).update(access_token).digest()
  const expected = Buffer.from(hash.subarray(0, hash.length / 2).toString('base64url'))
  const given = Buffer.from(String(at_hash))
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new CommandError(
      'invalid_access_token_bad_hash',
      'the access token is not the one that the ID Token was issued with',
    )
  }
}

async function verify(id_token: string, jwks: JSONWebKeySet, algorithms: string[]): Promise<void> {
  let keys = keySets.get(jwks)
  if (!keys) {
    keys = createLocalJWKSet(jwks)
    keySets.set(jwks, keys)
  }
  try {
    await compactVerify(id_token, keys, { algorithms })
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    // Without a kid, whichever of the OP's keys fits (RFC 7515 4.1.4 leaves it to us).
    for await (const key of error) {
      try {
        await compactVerify(id_token, key, { algorithms })
        return
      } catch {
        // Not this one: another key's signature, or one that is too weak to be used at all.
      }
    }
    throw new errors.JWSSignatureVerificationFailed()
  }
}

function badSignature(cause: unknown): CommandError {
  return new CommandError(
    'invalid_id_token_bad_signature',
    cause instanceof errors.JWKSNoMatchingKey
      ? 'the OP publishes no key that could have signed the ID Token'
      : "the ID Token's signature does not verify with the OP's keys",
    { cause },
  )
}

/** The hash of an algorithm's name (RFC 7518 3.1); Ed25519 signs with SHA-512 (RFC 8032 5.1). */
function hashOf(alg: string): string {
  return /^Ed/.test(alg) ? 'sha512' : `sha${alg.slice(-3)}`
}
