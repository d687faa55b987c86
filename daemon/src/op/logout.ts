/** RP-initiated logout: the address at the OP that ends the End-User's session there. */
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { providerOf } from './client.js'
import { optionsOf } from './op_options.js'
import type { OpSide } from './op_side.js'

export interface LogoutRequest {
  id_token_hint?: string | undefined
  post_logout_redirect_uri?: string | undefined
  state?: string | undefined
}

export interface LogoutEndpoint {
  address: string
  /** What it calls post_logout_redirect_uri, where it knows nothing of the standard. */
  return_parameter: string | undefined
}

/**
 * The OP's logout endpoint.
 *
 * @throws CommandError `no_end_session_endpoint_at_op`
 */
export async function endSessionEndpoint(op: OpSide, site: Site): Promise<LogoutEndpoint> {
  const { metadata } = await providerOf(op, site)
  const { logout_endpoint, logout_return_parameter } = optionsOf(op.options, site.op_host) ?? {}
  if (logout_endpoint !== undefined) {
    return { address: logout_endpoint, return_parameter: logout_return_parameter }
  }
  if (metadata.end_session_endpoint === undefined) {
    throw new CommandError(
      'no_end_session_endpoint_at_op',
      "the OP's metadata names no end_session_endpoint; end the website's own session only",
    )
  }
  return { address: metadata.end_session_endpoint, return_parameter: undefined }
}

/** OIDC RP-Initiated Logout 2. */
export function logoutUri(
  site: Site,
  { address, return_parameter }: LogoutEndpoint,
  request: LogoutRequest,
): string {
  const url = new URL(address)
  const return_to = request.post_logout_redirect_uri ?? site.settings.post_logout_redirect_uri
  if (return_parameter !== undefined) {
    url.searchParams.set('client_id', site.client.client_id)
    if (return_to !== undefined) url.searchParams.set(return_parameter, return_to)
    return url.href
  }
  const parameters = {
    client_id: site.client.client_id,
    id_token_hint: request.id_token_hint,
    post_logout_redirect_uri: return_to,
    state: request.state,
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  return url.href
}
