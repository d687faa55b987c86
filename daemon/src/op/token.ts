/** Exchanges an authorization code for tokens, and lets only validated ones through. */
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { Login, Site } from '../store/store.js'
import { clientOf } from './client.js'
import { asCommandError } from './op_errors.js'
import type { OpSide } from './op_side.js'
import { checkTokenAnswer, type TokenAnswer, tokenAnswerErrors } from './token_answer.js'

/** Codes that the exchange of a code can end with. */
export const tokenErrors = [...tokenAnswerErrors, 'invalid_issuer', 'no_id_token'] as const

/** What a login brings: an ID Token always. */
export type Tokens = TokenAnswer & Required<Pick<TokenAnswer, 'id_token' | 'id_token_claims'>>

/**
 * OIDC Core 3.1.2.7, 3.1.3: checks the authorization response, redeems its code and validates
 * what comes back.
 *
 * @param login the pending login, already taken: it cannot be used again
 * @param response the authorization response's parameters
 * @throws CommandError with one of {@link tokenErrors}
 */
export async function redeem(
  op: OpSide,
  site: Site,
  login: Login,
  response: URLSearchParams,
): Promise<Tokens> {
  try {
    return await redeemOnce(op, site, login, response)
  } catch (error) {
    const { code, message, details, cause } = await asCommandError(error)
    // The login is spent whatever went wrong: sending the command again cannot help.
    throw new CommandError(code, message, { details, cause, retryable: false })
  }
}

async function redeemOnce(
  op: OpSide,
  site: Site,
  login: Login,
  response: URLSearchParams,
): Promise<Tokens> {
  const { provider, configuration } = await clientOf(op, site)
  const callback = new URL(login.redirect_uri)
  callback.search = response.toString()
  const answer = await client.authorizationCodeGrant(configuration, callback, {
    expectedState: login.state,
    pkceCodeVerifier: login.secrets.code_verifier,
  })
  const tokens = await checkTokenAnswer(op, site, provider, answer, {
    nonce: login.secrets.nonce,
    max_age: login.max_age,
    essential: login.secrets.essential,
    code: response.get('code') ?? undefined,
    state: login.state,
  })
  if (tokens.id_token === undefined) {
    throw new CommandError('no_id_token', 'the OP answered tokens without an ID Token')
  }
  return tokens as Tokens
}
