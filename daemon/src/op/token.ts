/** Exchanges an authorization code for tokens, and lets only validated ones through. */
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { Login, Site } from '../store/store.js'
import { clientOf, idTokenAlgs } from './client.js'
import { checkAtHash, checkIssuedAt, checkParties, verifyIdTokenSignature } from './id_token.js'
import { checkClaimsNesting } from './nesting.js'
import { asCommandError } from './op_errors.js'
import type { OpSide } from './op_side.js'

/** Codes that the exchange of a code can end with. */
export const tokenErrors = [
  'no_connect_discovery_response',
  'invalid_op_metadata',
  'op_host_not_allowed',
  'op_unreachable',
  'op_error',
  'invalid_op_response',
  'invalid_issuer',
  'no_id_token',
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
const LONGEST_TOKEN = 65_536

/** A token response whose every part was checked. */
export interface Tokens {
  access_token: string
  /** Seconds, as the OP said. */
  expires_in?: number
  refresh_token?: string
  id_token: string
  id_token_claims: client.IDToken
  scope?: string
}

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
    expectedNonce: login.secrets.nonce,
    pkceCodeVerifier: login.secrets.code_verifier,
    idTokenExpected: true,
    ...(login.max_age !== null && { maxAge: login.max_age }),
  })
  // openid-client lets DPoP-bound tokens pass too, which nobody asked for.
  if (answer.token_type !== 'bearer') {
    throw new CommandError(
      'invalid_op_response',
      'the OP issued a token that is not of type Bearer',
    )
  }
  const { access_token, expires_in, refresh_token, scope } = answer
  for (const token of [access_token, refresh_token, answer.id_token]) {
    if (token === undefined || token.length <= LONGEST_TOKEN) continue
    throw new CommandError(
      'invalid_op_response',
      `the OP issued a token of more than ${LONGEST_TOKEN} characters`,
    )
  }
  const id_token = answer.id_token as string
  const id_token_claims = answer.claims() as client.IDToken
  await verifyIdTokenSignature(op, provider, id_token, idTokenAlgs(site, provider.metadata))
  checkClaimsNesting(id_token_claims)
  checkParties(id_token_claims, site.client.client_id)
  checkIssuedAt(id_token_claims, op.clock())
  checkAtHash(id_token, id_token_claims['at_hash'], access_token)
  return {
    access_token,
    id_token,
    id_token_claims,
    // An OP may write any number, and an empty scope; what goes on from here is whole and bounded.
    ...(expires_in !== undefined && { expires_in: Math.floor(Math.min(expires_in, LONGEST)) }),
    ...(refresh_token !== undefined && { refresh_token }),
    ...(scope && { scope }),
  }
}
