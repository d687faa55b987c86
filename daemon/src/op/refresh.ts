/** Redeems a refresh token, and holds what comes back against the login that it belongs to. */
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { clientOf } from './client.js'
import { asCommandError } from './op_errors.js'
import type { OpSide } from './op_side.js'
import { checkTokenAnswer, type TokenAnswer, tokenAnswerErrors } from './token_answer.js'

/** Codes that a refresh at the OP can end with. */
export const refreshErrors = [
  ...tokenAnswerErrors,
  'invalid_id_token_bad_sub',
  'refresh_token_rejected',
] as const

export interface RefreshRequest {
  refresh_token: string
  /** Fewer scopes than were granted. */
  scope?: readonly string[] | undefined
  /** Claims of the ID Token of the login, where that is known. */
  login?: Record<string, unknown> | undefined
}

/**
 * RFC 6749 6, OIDC Core 12: redeems the refresh token.
 *
 * openid-client checks of an ID Token in the answer what it checks at a login (`iss`, `aud`, `exp`,
 * types), and knows nothing of the login before.
 *
 * @returns `refresh_token` is absent where the OP goes on with the old one
 * @throws CommandError with one of {@link refreshErrors}
 */
export async function redeemRefreshToken(
  op: OpSide,
  site: Site,
  { refresh_token, scope, login }: RefreshRequest,
): Promise<TokenAnswer> {
  try {
    const { provider, configuration } = await clientOf(op, site)
    const answer = await client.refreshTokenGrant(
      configuration,
      refresh_token,
      scope && { scope: scope.join(' ') },
    )
    const tokens = await checkTokenAnswer(op, site, provider, answer)
    if (tokens.id_token_claims && login) checkSameLogin(tokens.id_token_claims, login)
    return tokens
  } catch (error) {
    throw ofRefresh(await asCommandError(error))
  }
}

/**
 * OIDC Core 12.2: an ID Token of a refresh speaks of the same login.
 *
 * @throws CommandError
 */
function checkSameLogin(claims: client.IDToken, login: Record<string, unknown>): void {
  if (claims.sub !== login['sub']) {
    throw new CommandError(
      'invalid_id_token_bad_sub',
      "the refreshed ID Token is another End-User's than the login's",
    )
  }
  const { auth_time, azp, nonce } = claims
  if (auth_time !== undefined && (login['auth_time'] ?? auth_time) !== auth_time) {
    throw new CommandError(
      'invalid_id_token_bad_auth_time',
      "the refreshed ID Token's auth_time is not the login's",
    )
  }
  // Absent from one, it must be absent from the other.
  if (azp !== login['azp']) {
    throw new CommandError(
      'invalid_id_token_bad_audience',
      "the refreshed ID Token's azp is not the login's",
    )
  }
  if (nonce !== undefined && nonce !== login['nonce']) {
    throw new CommandError(
      'invalid_id_token_bad_nonce',
      "the refreshed ID Token's nonce is not the login's",
    )
  }
}

function ofRefresh(error: CommandError): CommandError {
  const { code, message, details, cause } = error
  // RFC 6749 5.2.
  if (code === 'op_error' && details?.['error'] === 'invalid_grant') {
    return new CommandError('refresh_token_rejected', `${message}; log in again`, {
      details,
      cause,
    })
  }
  // An ID Token is welcome here, and not needed: what is missing is something else.
  if (code === 'no_id_token') return new CommandError('invalid_op_response', message, { cause })
  return error
}
