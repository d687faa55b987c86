/** Which keys of its own a site needs for what it registers, and the registration with them. */
import type { ServerMetadata } from 'openid-client'
import type { Seconds } from '../clock.js'
import { bounded } from '../errors.js'
import { refused } from '../refused.js'
import type { OwnKey } from '../store/store.js'
import { SHORTEST_MAC_KEYS } from './client_authentication.js'
import { isOneOf, secretKeyAlgs } from './jwt_algorithms.js'
import {
  isOwnEncryptionAlg,
  isOwnSigningAlg,
  makeOwnKeys,
  type OwnKeyAlg,
  ownSigningAlgs,
  publicHalf,
  publishedKeys,
} from './own_keys.js'

/** Client metadata by its registered names, as it is asked of an OP. */
export type Members = Record<string, unknown>

/** What is encrypted to the client, by the member that says how (OIDC Registration 2). */
const ENCRYPTED = ['id_token_encrypted_response_alg', 'userinfo_encrypted_response_alg'] as const

/**
 * Completes what a site asks an OP to register: the algorithm of its assertions is named, and keys are
 * made for what it signs and for what is encrypted to it.
 *
 * @param known keys that it has already, and goes on with as far as they fit
 * @returns the request, with the keys' public halves by value unless the site publishes them itself;
 * and all keys that the site has then, if the OP agrees: see `withToldKeys`
 * @throws CommandError `invalid_request` for algorithms for which relyd has no keys
 */
export async function withOwnKeys(
  request: Members,
  metadata: ServerMetadata,
  now: Seconds,
  known: readonly OwnKey[] = [],
): Promise<{ request: Members; own_keys: OwnKey[] }> {
  const signing_alg = assertionAlg(request, metadata)
  const algs: OwnKeyAlg[] = [
    ...(isOwnSigningAlg(signing_alg) ? [signing_alg] : []),
    ...ENCRYPTED.flatMap((name) => encryptionKeyAlg(name, request[name]) ?? []),
  ]
  const own_keys = await keysFor(algs, now, known)
  const { jwks: _, ...rest } = request
  const keys = publishedKeys(own_keys, now).map(publicHalf)
  return {
    request: {
      ...(own_keys.length > 0 ? rest : request),
      ...(signing_alg !== undefined && { token_endpoint_auth_signing_alg: signing_alg }),
      // OIDC Registration 2: jwks and jwks_uri must not be used together.
      ...(keys.length > 0 && request['jwks_uri'] === undefined && { jwks: { keys } }),
    },
    own_keys,
  }
}

/**
 * For each algorithm the keys that there are, the last that was retired, or a new one; keys for nothing
 * any more are retired.
 */
async function keysFor(
  algs: readonly string[],
  now: Seconds,
  known: readonly OwnKey[],
): Promise<OwnKey[]> {
  const reused = new Set(
    algs.map((alg) => {
      const made = known.filter((key) => key.alg === alg)
      return made.every(({ retired_at }) => retired_at !== undefined) ? made[0]?.kid : undefined
    }),
  )
  const kept = known.map(({ retired_at, ...key }): OwnKey => {
    if (reused.has(key.kid)) return key
    const retired = algs.includes(key.alg) ? retired_at : (retired_at ?? now)
    return { ...key, ...(retired !== undefined && { retired_at: retired }) }
  })
  const missing = algs.filter((alg) => !kept.some((key) => key.alg === alg && !key.retired_at))
  return [...(await makeOwnKeys(missing as OwnKeyAlg[], now)), ...kept]
}

/** OIDC Registration 2: what assertions are signed with; undefined where the client makes none. */
function assertionAlg(request: Members, metadata: ServerMetadata): string | undefined {
  const method = request['token_endpoint_auth_method']
  if (method !== 'private_key_jwt' && method !== 'client_secret_jwt') return undefined
  const asked = request['token_endpoint_auth_signing_alg'] as string | undefined
  const isShared = method === 'client_secret_jwt'
  const possible: readonly string[] = isShared ? Object.keys(SHORTEST_MAC_KEYS) : ownSigningAlgs
  if (asked !== undefined) {
    if (possible.includes(asked)) return asked
    throw refused(
      'token_endpoint_auth_signing_alg',
      `must be one of ${possible.join(', ')} with ${method}`,
    )
  }
  // OIDC Discovery 3: RS256 is what every OP should take that does not say.
  const offered = offeredAlgs(metadata) ?? [isShared ? 'HS256' : 'RS256']
  const chosen = possible.find((alg) => offered.includes(alg))
  if (chosen !== undefined) return chosen
  throw refused(
    'token_endpoint_auth_method',
    `${method} is not possible at this OP, which takes assertions signed with ${bounded(offered.join(', '), 200)} alone; relyd signs with ${possible.join(', ')}`,
  )
}

function offeredAlgs(metadata: ServerMetadata): string[] | undefined {
  const offered: unknown = metadata.token_endpoint_auth_signing_alg_values_supported
  return Array.isArray(offered) ? offered.filter((one) => typeof one === 'string') : undefined
}

/** @returns the algorithm of the key pair that is needed; undefined where none is */
function encryptionKeyAlg(field: string, alg: unknown): OwnKeyAlg | undefined {
  if (alg === undefined || (typeof alg === 'string' && isOneOf(secretKeyAlgs, alg)))
    return undefined
  if (isOwnEncryptionAlg(alg)) return alg
  throw refused(
    field,
    `cannot be ${bounded(alg, 64) ?? 'this'}: use RSA-OAEP-256 or ECDH-ES (RSA1_5 and passwords leak what they hide)`,
  )
}
