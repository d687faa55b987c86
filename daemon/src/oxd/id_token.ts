/** ID Tokens that clients have kept and bring again. */
import { CommandError } from '../errors.js'
import { providerOf } from '../op/client.js'
import { type ValidIdToken, validateIdToken } from '../op/id_token.js'
import type { OpSide } from '../op/op_side.js'
import type { Site } from '../store/store.js'

/**
 * @param access_token with which it must have been issued, if it has a hash of one
 * @returns its claims; undefined if it is not valid now
 * @throws CommandError where nobody can tell, as when the OP's keys cannot be fetched
 */
export async function validIdToken(
  op: OpSide,
  site: Site,
  id_token: string,
  access_token?: string,
): Promise<ValidIdToken['id_token_claims'] | undefined> {
  const provider = await providerOf(op, site)
  try {
    // What the login asked for, the login has compared, as with one that a refresh brings.
    const fits = { refreshed: true, front_channel: false, access_token }
    const { id_token_claims } = await validateIdToken(op, site, provider, id_token, fits)
    return id_token_claims
  } catch (error) {
    if (error instanceof CommandError && isOfTheTokens(error)) return undefined
    throw error
  }
}

function isOfTheTokens({ code }: CommandError): boolean {
  return code.startsWith('invalid_id_token') || code === 'invalid_access_token_bad_hash'
}
