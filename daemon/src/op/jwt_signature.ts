/** Verifies signatures of JWTs, with the OP's keys or the client_secret, by algorithms that were agreed upon. */
import { createSecretKey } from 'node:crypto'
import { compactVerify, createLocalJWKSet, errors, type JSONWebKeySet } from 'jose'
import { CommandError } from '../errors.js'
import { isOneOf, isSecretLongEnough, symmetricAlgs } from './jwt_algorithms.js'
import { type Evidence, evidence, type JwtKind, readJws, type UnverifiedJwt } from './jwt_parts.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'

// jose keeps imported keys with this function, so it is made once for each key set.
const keySets = new WeakMap<JSONWebKeySet, ReturnType<typeof createLocalJWKSet>>()

/** Who may have signed, and how. */
export interface Signer {
  provider: Provider
  /** Pinned: what the header says chooses among them, and nothing else. */
  algs: readonly string[]
  /** The key of HS256 and the like, where these are among `algs`. */
  client_secret?: string | undefined
}

/**
 * RFC 7515 5.2: reads a JWT and verifies its signature.
 *
 * @throws CommandError the kind's codes; `op_unreachable` and the like when keys are needed and
 * cannot be fetched
 */
export async function verifyJws(
  op: OpSide,
  { provider, algs, client_secret }: Signer,
  jws: string,
  kind: JwtKind,
): Promise<UnverifiedJwt> {
  const jwt = readJws(jws, kind)
  const { alg, kid } = jwt.header
  const refused = (why: string, shown: Evidence, cause?: unknown) =>
    new CommandError(kind.bad_signature, `${kind.name} ${why}`, {
      ...evidence({ ...shown, spec: 'OIDC Core 3.1.3.7 steps 6 to 8' }),
      cause,
    })
  // OIDC Core 3.1.3.7 step 7: the algorithm of the registration; what the token says of itself counts nothing.
  if (!algs.includes(alg)) {
    throw refused('is not signed with the algorithm of the registration', {
      header: 'alg',
      expected: algs,
      received: alg,
    })
  }
  if (isOneOf(symmetricAlgs, alg)) {
    // Step 8: the octets of the client_secret.
    if (client_secret === undefined || !isSecretLongEnough(alg, client_secret)) {
      throw refused(
        `is signed with ${alg}, for which the site has no client_secret of ${alg.slice(2)} bits or more (RFC 7518 3.2); register another algorithm`,
        { header: 'alg', received: alg },
      )
    }
    const key = createSecretKey(Buffer.from(client_secret))
    try {
      await compactVerify(jws, key, { algorithms: [alg] })
    } catch (cause) {
      throw refused(
        'has a signature that does not verify with the client_secret',
        { header: 'alg', received: alg },
        cause,
      )
    }
    return jwt
  }
  const badSignature = (cause: unknown) =>
    refused(
      cause instanceof errors.JWKSNoMatchingKey
        ? 'is signed with none of the keys of the OP, which publishes no key that fits'
        : "has a signature that does not verify with the OP's keys",
      { header: kid === undefined ? 'alg' : 'kid', received: kid ?? alg },
      cause,
    )
  const known = provider.jwks
  try {
    await verifyByKeys(jws, known, alg)
    return jwt
  } catch (error) {
    if (!mayBeNewKey(jwt, error)) throw badSignature(error)
  }
  // An unknown key may be a new one (OIDC Core 10.1.1).
  const fetched = await op.providers.refetchKeys(provider, known)
  try {
    await verifyByKeys(jws, fetched, alg)
    return jwt
  } catch (error) {
    throw badSignature(error)
  }
}

/** No key fits; or one does not verify, and without a kid nobody said that it was the one. */
function mayBeNewKey({ header }: UnverifiedJwt, error: unknown): boolean {
  if (error instanceof errors.JWKSNoMatchingKey) return true
  return error instanceof errors.JWSSignatureVerificationFailed && header.kid === undefined
}

async function verifyByKeys(jws: string, jwks: JSONWebKeySet | null, alg: string): Promise<void> {
  if (!jwks) throw new errors.JWKSNoMatchingKey()
  let keys = keySets.get(jwks)
  if (!keys) {
    keys = createLocalJWKSet(jwks)
    keySets.set(jwks, keys)
  }
  try {
    await compactVerify(jws, keys, { algorithms: [alg] })
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    // Without a kid, whichever of the OP's keys fits (RFC 7515 4.1.4 leaves it to us).
    for await (const key of error) {
      try {
        await compactVerify(jws, key, { algorithms: [alg] })
        return
      } catch {
        // Not this one: another key's signature, or one that is too weak to be used at all.
      }
    }
    throw new errors.JWSSignatureVerificationFailed()
  }
}
