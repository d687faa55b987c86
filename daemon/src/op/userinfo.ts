/** Asks an OP for the claims of the End-User who logged in. */
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { clientOf, providerOf } from './client.js'
import { checkClaimsNesting } from './nesting.js'
import { asCommandError } from './op_errors.js'
import type { OpSide } from './op_side.js'

/**
 * OIDC Core 5.3: the UserInfo response, if its `sub` is the expected one.
 *
 * @throws CommandError `op_host_not_allowed`, `op_error`, `op_unreachable`, `invalid_op_response`, `invalid_user_info`
 */
export async function fetchUserInfo(
  op: OpSide,
  site: Site,
  access_token: string,
  sub: string,
): Promise<client.UserInfoResponse> {
  const { provider, configuration } = await clientOf(op, site)
  if (provider.metadata.userinfo_endpoint === undefined) {
    throw new CommandError(
      'invalid_op_response',
      "the OP's metadata names no userinfo_endpoint; what it tells of the End-User is in the ID Token",
    )
  }
  try {
    const claims = await client.fetchUserInfo(configuration, access_token, sub)
    // Signed UserInfo shows its claims only now.
    checkClaimsNesting(claims)
    return claims
  } catch (error) {
    const refused = await asCommandError(error)
    if (!refused.code.startsWith('invalid_id_token')) throw refused
    throw new CommandError('invalid_op_response', 'the OP answered UserInfo as an unreadable JWT', {
      cause: error,
    })
  }
}

/** Claims of an ID Token that are about the token, the login or the client (OIDC Core 2, 3.1.3.6). */
const OF_THE_TOKEN = new Set([
  'iss',
  'aud',
  'azp',
  'exp',
  'iat',
  'nbf',
  'jti',
  'nonce',
  'nonce_supported',
  'at_hash',
  'c_hash',
  's_hash',
  'sid',
  'acr',
  'amr',
  'auth_time',
])

/** Whether the OP answers claims at all, or has them in the ID Token alone (Apple). */
export async function hasUserInfo(op: OpSide, site: Site): Promise<boolean> {
  const { metadata } = await providerOf(op, site)
  return metadata.userinfo_endpoint !== undefined
}

/** What an ID Token says of the End-User (OIDC Core 5.1), for an OP without UserInfo. */
export function claimsOfEndUser(id_token_claims: Record<string, unknown>): Record<string, unknown> {
  const claims = Object.entries(id_token_claims)
  return Object.fromEntries(claims.filter(([name]) => !OF_THE_TOKEN.has(name)))
}
