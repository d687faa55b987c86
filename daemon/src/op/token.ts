/** Makes tokens of an authorization response, and lets only validated ones through. */
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { Login, Site } from '../store/store.js'
import type { LoginRetry } from './authorization_errors.js'
import { type AuthorizationResponse, checkResponse } from './authorization_response.js'
import type { Came } from './callback.js'
import { clientOf, type SiteClient } from './client.js'
import { validateIdToken } from './id_token.js'
import { asCommandError } from './op_errors.js'
import type { OpSide } from './op_side.js'
import { checkTokenAnswer, type TokenAnswer, tokenAnswerErrors } from './token_answer.js'

/** Codes that an authorization response, and the exchange of its code, can end with. */
export const tokenErrors = [...tokenAnswerErrors, 'invalid_issuer', 'no_id_token'] as const

/** What a login brings: an ID Token always, and an access token unless it asked for the other alone. */
export type Tokens = Partial<TokenAnswer> &
  Required<Pick<TokenAnswer, 'id_token' | 'id_token_claims'>>

/** An authorization response as the site passed it on. */
export interface Response {
  parameters: URLSearchParams
  came: Came | undefined
}

/**
 * OIDC Core 3.1.2.7, 3.1.3, 3.2.2.8, 3.3.2.8: checks the authorization response, redeems its code if
 * it has one, and validates what comes of both.
 *
 * @param login the pending login, already taken: it cannot be used again
 * @throws CommandError with one of {@link tokenErrors}
 */
export async function redeem(
  op: OpSide,
  site: Site,
  login: Login,
  response: Response,
): Promise<Tokens> {
  try {
    return await redeemOnce(op, site, login, response)
  } catch (error) {
    throw spent(await asCommandError(error, 'RFC 6749 5.1'))
  }
}

/** The login is over whatever went wrong: sending the command again cannot help, but another login may. */
function spent(error: CommandError): CommandError {
  if (!error.retryable) return error
  const { code, message, details, spec } = error
  return new CommandError(code, `${message}; start the login again later`, {
    details: { ...details, login_retry: 'later' satisfies LoginRetry },
    retryable: false,
    spec,
    cause: error,
  })
}

async function redeemOnce(
  op: OpSide,
  site: Site,
  login: Login,
  { parameters, came }: Response,
): Promise<Tokens> {
  const known = await clientOf(op, site)
  const response = checkResponse(known.provider, login, parameters, came)
  // Before the code is redeemed, so that a forged response has nothing asked of the OP.
  const front = await frontChannelTokens(op, site, known, login, response)
  if (response.code === undefined) return front as Tokens
  const back = await exchange(op, site, known, login, response.code)
  if (front) checkSame(front.id_token_claims, back.id_token_claims)
  // Of two access tokens the one that never was in a browser is kept (RFC 9700 2.1.2).
  return back
}

/**
 * OIDC Core 3.2.2.11, 3.3.2.11: what came through the browser, if an ID Token vouches for it. With
 * `code token` none does, and its access token is dropped.
 */
async function frontChannelTokens(
  op: OpSide,
  site: Site,
  { provider }: SiteClient,
  login: Login,
  { id_token, code, access }: AuthorizationResponse,
): Promise<Tokens | undefined> {
  if (id_token === undefined) return undefined
  const { id_token_claims, jws } = await validateIdToken(op, site, provider, id_token, {
    ...expectedOf(login),
    front_channel: true,
    ...(code !== undefined && { code }),
    ...(access && { access_token: access.access_token }),
  })
  return { ...access, id_token: jws, id_token_claims }
}

/** OIDC Core 3.1.3, 3.3.3. */
async function exchange(
  op: OpSide,
  site: Site,
  { provider, configuration }: SiteClient,
  login: Login,
  code: string,
): Promise<Tokens> {
  const callback = new URL(login.redirect_uri)
  // As it was checked: openid-client would refuse what else a response brings, and ask for an `iss`
  // where the ID Token had said it.
  const iss = provider.metadata.issuer
  callback.search = new URLSearchParams({ code, state: login.state, iss }).toString()
  const answer = await client.authorizationCodeGrant(configuration, callback, {
    expectedState: login.state,
    pkceCodeVerifier: login.secrets.code_verifier,
  })
  const { id_token, id_token_claims, ...access } = await checkTokenAnswer(
    op,
    site,
    provider,
    answer,
    {
      ...expectedOf(login),
      code,
    },
  )
  if (id_token === undefined || id_token_claims === undefined) {
    throw new CommandError('no_id_token', 'the OP answered tokens without an ID Token')
  }
  return { ...access, id_token, id_token_claims }
}

/** What an ID Token must fit that answers the login. */
export function expectedOf({ secrets, max_age, state }: Login) {
  const { nonce, essential, began_at } = secrets
  return { refreshed: false, nonce, essential, max_age, began_at, state }
}

/** OIDC Core 3.3.3.6: both ID Tokens are of one issuer and one End-User. */
function checkSame(front: Tokens['id_token_claims'], back: Tokens['id_token_claims']): void {
  for (const claim of ['iss', 'sub'] as const) {
    if (front[claim] === back[claim]) continue
    throw new CommandError(
      claim === 'sub' ? 'invalid_id_token_bad_sub' : 'invalid_id_token_bad_issuer',
      `the ID Tokens of the authorization response and of the token endpoint differ in ${claim}`,
      { details: { claim }, spec: 'OIDC Core 3.3.3.6' },
    )
  }
}
