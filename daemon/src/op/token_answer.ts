/** A token response of an OP: what of it must hold, whatever grant it answers. */
import type { IDToken, TokenEndpointResponse, TokenEndpointResponseHelpers } from 'openid-client'
import { STRING_LENGTH } from '../command.js'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { idTokenAlgs } from './client.js'
import {
  checkAtHash,
  checkIssuedAt,
  checkParties,
  checkTenant,
  verifyIdTokenSignature,
} from './id_token.js'
import { checkClaimsNesting } from './nesting.js'
import { optionsOf } from './op_options.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'

/** Codes that any grant can end with. */
export const tokenAnswerErrors = [
  'no_connect_discovery_response',
  'invalid_op_metadata',
  'op_host_not_allowed',
  'op_unreachable',
  'no_client_assertion',
  'op_error',
  'invalid_op_response',
  'invalid_id_token',
  'invalid_id_token_bad_nonce',
  'invalid_id_token_bad_audience',
  'invalid_id_token_bad_issuer',
  'invalid_id_token_bad_signature',
  'invalid_id_token_expired',
  'invalid_id_token_bad_auth_time',
  'invalid_access_token_bad_hash',
] as const

/** Most seconds that an access token is believed to last: some sixty-eight years. */
const LONGEST = 2 ** 31 - 1

/** Longest token, in characters: a site must be able to hand it back (`token` in command.ts). */
export const LONGEST_TOKEN = 65_536

/** A token response whose every part was checked. */
export interface TokenAnswer {
  access_token: string
  /** Seconds, as the OP said. */
  expires_in?: number
  refresh_token?: string
  id_token?: string
  id_token_claims?: IDToken
  scope?: string
}

/**
 * RFC 6749 5.1, OIDC Core 3.1.3.7: checks what openid-client leaves to us of an answer that it let
 * pass.
 *
 * @throws CommandError `invalid_op_response`, `invalid_id_token…`, `invalid_access_token_bad_hash`,
 * `op_unreachable` when the keys are needed and cannot be fetched
 */
export async function checkTokenAnswer(
  op: OpSide,
  site: Site,
  provider: Provider,
  answer: TokenEndpointResponse & TokenEndpointResponseHelpers,
): Promise<TokenAnswer> {
  // openid-client lets DPoP-bound tokens pass too, which nobody asked for.
  if (answer.token_type !== 'bearer') {
    throw new CommandError(
      'invalid_op_response',
      'the OP issued a token that is not of type Bearer',
    )
  }
  const { access_token, expires_in, refresh_token, scope, id_token } = answer
  for (const token of [access_token, refresh_token, id_token]) {
    if (token === undefined || token.length <= LONGEST_TOKEN) continue
    throw new CommandError(
      'invalid_op_response',
      `the OP issued a token of more than ${LONGEST_TOKEN} characters`,
    )
  }
  if (scope !== undefined && scope.length > STRING_LENGTH) {
    throw new CommandError(
      'invalid_op_response',
      `the OP granted a scope of more than ${STRING_LENGTH} characters`,
    )
  }
  const claims = answer.claims()
  if (id_token !== undefined && claims !== undefined) {
    await verifyIdTokenSignature(op, provider, id_token, idTokenAlgs(site, provider.metadata))
    checkClaimsNesting(claims)
    checkTenant(provider, id_token, claims, optionsOf(op.options, site.op_host))
    checkParties(claims, site.client.client_id)
    checkIssuedAt(claims, op.clock())
    checkAtHash(id_token, claims['at_hash'], access_token)
  }
  return {
    access_token,
    // An OP may write any number, and an empty scope; what goes on from here is whole and bounded.
    ...(expires_in !== undefined && { expires_in: Math.floor(Math.min(expires_in, LONGEST)) }),
    ...(refresh_token !== undefined && { refresh_token }),
    ...(id_token !== undefined && { id_token }),
    ...(claims !== undefined && { id_token_claims: claims }),
    ...(scope && { scope }),
  }
}
