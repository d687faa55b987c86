/** Makes an OP forget a token. */
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { clientOf } from './client.js'
import { asCommandError, clientErrors } from './op_errors.js'
import type { OpSide } from './op_side.js'

/** Codes that a revocation can end with. */
export const revocationErrors = [
  'no_revocation_endpoint_at_op',
  ...clientErrors,
  'invalid_op_response',
] as const

export type TokenTypeHint = 'access_token' | 'refresh_token'

/**
 * RFC 7009 2. An OP answers yes also to a token that it does not know.
 *
 * @throws CommandError with one of {@link revocationErrors}
 */
export async function revokeAtOp(
  op: OpSide,
  site: Site,
  token: string,
  hint?: TokenTypeHint,
): Promise<void> {
  const { provider, configuration } = await clientOf(op, site)
  if (provider.metadata.revocation_endpoint === undefined) {
    throw new CommandError(
      'no_revocation_endpoint_at_op',
      "the OP's metadata names no revocation_endpoint; its tokens are good until they expire",
    )
  }
  try {
    await client.tokenRevocation(configuration, token, hint && { token_type_hint: hint })
  } catch (error) {
    throw await asCommandError(error, 'RFC 7009 2.2')
  }
}
