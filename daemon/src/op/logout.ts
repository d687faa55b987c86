/** RP-initiated logout: the address at the OP that ends the End-User's session there. */
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { providerOf } from './client.js'
import type { OpSide } from './op_side.js'

export interface LogoutRequest {
  id_token_hint?: string | undefined
  post_logout_redirect_uri?: string | undefined
  state?: string | undefined
}

/**
 * The OP's logout endpoint.
 *
 * @throws CommandError `no_end_session_endpoint_at_op`
 */
export async function endSessionEndpoint(op: OpSide, site: Site): Promise<string> {
  const { metadata } = await providerOf(op, site)
  if (metadata.end_session_endpoint === undefined) {
    throw new CommandError(
      'no_end_session_endpoint_at_op',
      "the OP's metadata names no end_session_endpoint; end the website's own session only",
    )
  }
  return metadata.end_session_endpoint
}

/** OIDC RP-Initiated Logout 2. */
export function logoutUri(site: Site, endpoint: string, request: LogoutRequest): string {
  const url = new URL(endpoint)
  const parameters = {
    client_id: site.client.client_id,
    id_token_hint: request.id_token_hint,
    post_logout_redirect_uri:
      request.post_logout_redirect_uri ?? site.settings.post_logout_redirect_uri,
    state: request.state,
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  return url.href
}
