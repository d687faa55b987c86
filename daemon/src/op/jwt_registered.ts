/** What a site's registration says of the JWTs that the OP sends it; a JWT chooses none of it itself. */
import type { ServerMetadata } from 'openid-client'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import {
  asymmetricAlgs,
  contentEncryptions,
  DEFAULT_ENC,
  isOneOf,
  isSecretLongEnough,
  secretKeyAlgs,
  signingAlgs,
  symmetricAlgs,
} from './jwt_algorithms.js'
import { evidence } from './jwt_parts.js'
import { decryptionKeys, ownEncryptionAlgs } from './own_keys.js'

const encryptionAlgs = [...ownEncryptionAlgs, ...secretKeyAlgs]

/** What of a registration is told by names that begin so (OIDC Registration 2). */
export type JwtUse = 'id_token' | 'userinfo'

/** How an OP encrypts to a site. */
export interface Encryption {
  alg: string
  enc: string
}

/** Undefined: not encrypted. */
export function encryptionOf(
  { client }: Pick<Site, 'client'>,
  use: JwtUse,
): Encryption | undefined {
  const alg = client[`${use}_encrypted_response_alg`]
  return alg ? { alg, enc: client[`${use}_encrypted_response_enc`] || DEFAULT_ENC } : undefined
}

/** Undefined: it is plain JSON, as an OP may call `none`. */
export function userinfoAlg({ client }: Pick<Site, 'client'>): string | undefined {
  const alg = client.userinfo_signed_response_alg
  return alg && alg !== 'none' ? alg : undefined
}

/**
 * Algorithms that the site's ID Tokens may be signed with, pinned to the registration.
 * OIDC Registration 2: without `id_token_signed_response_alg`, RS256.
 */
export function idTokenAlgs(site: Site, metadata: ServerMetadata): string[] {
  const pinned = site.client.id_token_signed_response_alg
  if (pinned) return [pinned]
  if (site.registered_by === 'relyd') return ['RS256']
  // The operator's registration may say otherwise where relyd cannot read it. HS256 is for who says
  // so alone: its key is a secret that others may have, not a key of the OP.
  const offered = metadata.id_token_signing_alg_values_supported ?? ['RS256']
  return offered.filter((alg) => isOneOf(asymmetricAlgs, alg))
}

/**
 * Refuses a registration for JWTs that nobody here could verify or decrypt.
 *
 * @throws CommandError `invalid_op_response`; `invalid_request` for what an operator has said
 */
export function checkJwtAlgs(site: Site): void {
  for (const use of ['id_token', 'userinfo'] as const) {
    checkSigning(site, use)
    checkEncryption(site, use)
  }
}

function checkSigning(site: Site, use: JwtUse): void {
  const field = `${use}_signed_response_alg` as const
  const alg = use === 'userinfo' ? userinfoAlg(site) : site.client[field]
  if (!alg) return
  if (!isOneOf(signingAlgs, alg)) {
    throw unusable(site, field, alg, 'that are not signed as relyd can verify', signingAlgs)
  }
  if (!isOneOf(symmetricAlgs, alg)) return
  const { client_secret } = site.secrets
  // RFC 7518 3.2.
  if (client_secret !== undefined && isSecretLongEnough(alg, client_secret)) return
  throw unusable(
    site,
    field,
    alg,
    `signed with ${alg}, and without a client_secret of ${Number(alg.slice(2)) / 8} bytes or more`,
  )
}

function checkEncryption(site: Site, use: JwtUse): void {
  const fields = [`${use}_encrypted_response_alg`, `${use}_encrypted_response_enc`] as const
  const [alg, enc] = fields.map((name) => site.client[name])
  if (!alg) {
    if (!enc) return
    // OIDC Registration 2: an enc is nothing without an alg.
    throw unusable(site, fields[1], enc, 'encrypted by an enc without an alg')
  }
  if (!isOneOf(encryptionAlgs, alg)) {
    throw unusable(site, fields[0], alg, 'encrypted in a way that relyd does not do')
  }
  if (enc && !isOneOf(contentEncryptions, enc)) {
    throw unusable(
      site,
      fields[1],
      enc,
      'encrypted in a way that relyd does not do',
      contentEncryptions,
    )
  }
  const hasKey = isOneOf(secretKeyAlgs, alg)
    ? site.secrets.client_secret !== undefined
    : decryptionKeys(site).some((key) => key.alg === alg)
  if (!hasKey) throw unusable(site, fields[0], alg, 'encrypted to a key that the site has not')
}

function unusable(
  { registered_by }: Site,
  field: string,
  received: unknown,
  how: string,
  expected?: readonly string[],
): CommandError {
  const what = field.startsWith('id_token') ? 'ID Tokens' : 'UserInfo'
  const isGiven = registered_by === 'operator'
  // What a caller gave it knows, and no error repeats.
  const shown = { ...(!isGiven && { received }), expected, spec: 'OIDC Registration 2' }
  const { details, spec } = evidence(shown)
  return isGiven
    ? new CommandError('invalid_request', `${field} says ${what} ${how}`, {
        details: { field, ...details },
        spec,
      })
    : new CommandError('invalid_op_response', `the OP registered the site for ${what} ${how}`, {
        details: { member: field, ...details },
        spec,
      })
}
