/** A token response of an OP: what of it must hold, whatever grant it answers. */
import type { IDToken, TokenEndpointResponse } from 'openid-client'
import { STRING_LENGTH } from '../command.js'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { idTokenOf } from './client.js'
import { type ExpectedIdToken, idTokenErrors, validateIdToken } from './id_token.js'
import { LONGEST_TOKEN } from './jwt_parts.js'
import { clientErrors, memberDetails } from './op_errors.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'
import { isAccessToken, isRefreshToken } from './token_text.js'

/** Codes that any grant can end with. */
export const tokenAnswerErrors = [...clientErrors, ...idTokenErrors] as const

/** Most seconds that an access token is believed to last: some sixty-eight years. */
export const LONGEST = 2 ** 31 - 1

/** A token response whose every part was checked. */
export interface TokenAnswer {
  access_token: string
  /** Seconds, as the OP said. */
  expires_in?: number
  refresh_token?: string
  /** Signed; decrypted, if it came encrypted. */
  id_token?: string
  id_token_claims?: IDToken
  scope?: string
}

/**
 * RFC 6749 5.1, OIDC Core 3.1.3.7: checks what openid-client leaves to us of an answer that it let
 * pass, and the ID Token, which it has not seen.
 *
 * @param expected what the ID Token must fit, beside the access token that it came with
 * @throws CommandError `invalid_op_response`, `invalid_id_token…`, `invalid_access_token_bad_hash`,
 * `op_unreachable` when the keys are needed and cannot be fetched
 */
export async function checkTokenAnswer(
  op: OpSide,
  site: Site,
  provider: Provider,
  answer: TokenEndpointResponse,
  expected: Omit<ExpectedIdToken, 'access_token' | 'front_channel'>,
): Promise<TokenAnswer> {
  const access = checkAccess(answer)
  const id_token = idTokenOf(answer)
  if (id_token === undefined) return access
  if (typeof id_token !== 'string') {
    throw new CommandError('invalid_op_response', 'the OP issued an ID Token that is no text', {
      details: { member: 'id_token' },
    })
  }
  checkTokenLength('id_token', id_token)
  const valid = await validateIdToken(op, site, provider, id_token, {
    ...expected,
    access_token: access.access_token,
    front_channel: false,
  })
  return { ...access, id_token: valid.jws, id_token_claims: valid.id_token_claims }
}

/**
 * RFC 6749 5.1: what openid-client leaves to us of the rest.
 *
 * @throws CommandError `invalid_op_response`
 */
export function checkAccess(
  answer: TokenEndpointResponse,
): Omit<TokenAnswer, 'id_token' | 'id_token_claims'> {
  // openid-client lets DPoP-bound tokens pass too, which nobody asked for.
  if (answer.token_type !== 'bearer') {
    throw new CommandError(
      'invalid_op_response',
      'the OP issued a token that is not of type Bearer',
      { details: memberDetails('token_type', answer) },
    )
  }
  const { access_token, expires_in, refresh_token, scope } = answer
  checkTokenLength('access_token', access_token)
  if (refresh_token !== undefined) checkTokenLength('refresh_token', refresh_token)
  // Said without the token: what is none may be anything.
  if (!isAccessToken(access_token)) throw noToken('an access token', 'A.12')
  if (refresh_token !== undefined && !isRefreshToken(refresh_token)) {
    throw noToken('a refresh token', 'A.17')
  }
  if (scope !== undefined && scope.length > STRING_LENGTH) {
    throw new CommandError(
      'invalid_op_response',
      `the OP granted a scope of more than ${STRING_LENGTH} characters`,
      { details: { member: 'scope' } },
    )
  }
  return {
    access_token,
    // An OP may write any number, and an empty scope; what goes on from here is whole and bounded.
    ...(expires_in !== undefined && { expires_in: Math.floor(Math.min(expires_in, LONGEST)) }),
    ...(refresh_token !== undefined && { refresh_token }),
    ...(scope && { scope }),
  }
}

function checkTokenLength(member: string, token: string): void {
  if (token.length <= LONGEST_TOKEN) return
  throw new CommandError(
    'invalid_op_response',
    `the OP issued a token of more than ${LONGEST_TOKEN} characters`,
    { details: { member } },
  )
}

function noToken(what: string, section: string): CommandError {
  return new CommandError(
    'invalid_op_response',
    `the OP issued ${what} with characters that no token may have`,
    { spec: `RFC 6749 ${section}` },
  )
}
