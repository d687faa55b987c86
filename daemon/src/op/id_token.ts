/**
 * The checks of an ID Token that openid-client leaves to us in the code flow: its signature, its
 * parties and at_hash.
 *
 * openid-client can check the signature, but its key cache does not ask the OP again within a
 * minute, and a login that meets a rotation in that time is lost with its code (ADR 0003).
 */
import { createHash } from 'node:crypto'
import {
  compactVerify,
  createLocalJWKSet,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
} from 'jose'
import type { IDToken } from 'openid-client'
import type { Seconds } from '../clock.js'
import { sameDigest } from '../digest.js'
import { bounded, CommandError } from '../errors.js'
import { CLOCK_TOLERANCE } from './client.js'
import { issuerOfTenant, type OpOptions, TENANT } from './op_options.js'
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
  const known = provider.jwks
  try {
    return await verify(id_token, known, algorithms)
  } catch (error) {
    if (!mayBeNewKey(id_token, error)) throw badSignature(error)
  }
  // An unknown key may be a new one (OIDC Core 10.1.1).
  const fetched = await op.providers.refetchKeys(provider, known)
  try {
    await verify(id_token, fetched, algorithms)
  } catch (error) {
    throw badSignature(error)
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
 * Where relyd.cfg says that an issuer has many tenants: the ID Token is of one that it lists, and
 * of that tenant's issuer.
 *
 * @throws CommandError `invalid_id_token_bad_issuer`
 */
export function checkTenant(
  { jwks, issuer }: Provider,
  id_token: string,
  { iss, tid }: IDToken,
  options: OpOptions | undefined,
): void {
  if (!options?.tenants) {
    if (!issuer.includes(TENANT)) return
    // Metadata that says so is refused without tenants; a missing list must not mean that all may come.
    throw new CommandError(
      'invalid_id_token_bad_issuer',
      'the issuer stands for many, and relyd.cfg lists no tenants of it',
    )
  }
  const known = options.tenants.find((tenant) => tenant === tid)
  if (known === undefined) {
    throw new CommandError(
      'invalid_id_token_bad_issuer',
      `the End-User is of a tenant that [op ${options.name}] of relyd.cfg does not list`,
      // To the operator who has to add it, its id; to nobody else a secret either.
      { details: { tenant: bounded(tid) } },
    )
  }
  if (iss !== issuerOfTenant(options, known)) {
    throw new CommandError(
      'invalid_id_token_bad_issuer',
      "the ID Token's issuer is not that of its tenant",
    )
  }
  // Tenants share a key set, whose keys say which issuer's they are: a key of one kind of accounts
  // must not sign for another.
  const { kid } = decodeProtectedHeader(id_token)
  for (const key of jwks?.keys ?? []) {
    const { issuer: of } = key as { issuer?: unknown }
    if ((kid ?? key.kid) !== key.kid || typeof of !== 'string') continue
    if (of.replace(TENANT, known) === iss) continue
    throw new CommandError(
      'invalid_id_token_bad_signature',
      "the OP's key that signed the ID Token is not for its issuer",
    )
  }
}

/**
 * OIDC Core 3.1.3.7 step 10: an ID Token from the future comes from a clock, or a forger, that is
 * not to be trusted.
 *
 * @throws CommandError `invalid_id_token_expired`
 */
export function checkIssuedAt({ iat }: IDToken, now: Seconds): void {
  if (iat > now + CLOCK_TOLERANCE) {
    throw new CommandError(
      'invalid_id_token_expired',
      'the ID Token was issued in the future; compare the clocks of this host and the OP',
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
  const { alg = '' } = decodeProtectedHeader(id_token)
  const hash = createHash(hashOf(alg)).update(access_token).digest()
  const expected = Buffer.from(hash.subarray(0, hash.length / 2).toString('base64url'))
  if (!sameDigest(Buffer.from(String(at_hash)), expected)) {
    throw new CommandError(
      'invalid_access_token_bad_hash',
      'the access token is not the one that the ID Token was issued with',
    )
  }
}

/** No key fits; or one does not verify, and without a kid nobody said that it was the one. */
function mayBeNewKey(id_token: string, error: unknown): boolean {
  if (error instanceof errors.JWKSNoMatchingKey) return true
  const hasKid = decodeProtectedHeader(id_token).kid !== undefined
  return error instanceof errors.JWSSignatureVerificationFailed && !hasKid
}

async function verify(
  id_token: string,
  jwks: JSONWebKeySet | null,
  algorithms: string[],
): Promise<void> {
  if (!jwks) throw new errors.JWKSNoMatchingKey()
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
