/** Asks an OP for the claims of the End-User who logged in. */
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { clientOf } from './client.js'
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
    throw new CommandError('invalid_op_response', "the OP's metadata names no userinfo_endpoint")
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
