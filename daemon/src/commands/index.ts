/** Every command, by its wire name. */

import type { Command } from '../command.js'
import { end_session } from './end_session.js'
import { get_access_token } from './get_access_token.js'
import { get_access_token_by_refresh_token } from './get_access_token_by_refresh_token.js'
import { get_authorization_url } from './get_authorization_url.js'
import { get_client_token } from './get_client_token.js'
import { get_discovery } from './get_discovery.js'
import { get_issuer } from './get_issuer.js'
import { get_jwks } from './get_jwks.js'
import { get_logout_uri } from './get_logout_uri.js'
import { get_rp_jwks } from './get_rp_jwks.js'
import { get_session } from './get_session.js'
import { get_site } from './get_site.js'
import { get_site_registration } from './get_site_registration.js'
import { get_tokens_by_callback } from './get_tokens_by_callback.js'
import { get_tokens_by_code } from './get_tokens_by_code.js'
import { get_user_info } from './get_user_info.js'
import { introspect_access_token } from './introspect_access_token.js'
import { ping } from './ping.js'
import { register_site } from './register_site.js'
import { remove_site } from './remove_site.js'
import { revoke_token } from './revoke_token.js'
import { subscribe } from './subscribe.js'
import { update_site } from './update_site.js'

export const commands = {
  ping,
  get_issuer,
  get_discovery,
  get_jwks,
  register_site,
  get_site,
  get_rp_jwks,
  get_site_registration,
  update_site,
  remove_site,
  get_authorization_url,
  get_tokens_by_callback,
  get_tokens_by_code,
  get_session,
  get_user_info,
  get_access_token,
  get_access_token_by_refresh_token,
  get_client_token,
  introspect_access_token,
  revoke_token,
  end_session,
  get_logout_uri,
  subscribe,
} as const satisfies Record<string, Command>
