/** Every command, by its wire name. */

import type { Command } from '../command.js'
import { get_authorization_url } from './get_authorization_url.js'
import { get_logout_uri } from './get_logout_uri.js'
import { get_site } from './get_site.js'
import { get_tokens_by_callback } from './get_tokens_by_callback.js'
import { get_tokens_by_code } from './get_tokens_by_code.js'
import { get_user_info } from './get_user_info.js'
import { ping } from './ping.js'
import { register_site } from './register_site.js'
import { remove_site } from './remove_site.js'
import { subscribe } from './subscribe.js'

export const commands = {
  ping,
  register_site,
  get_site,
  remove_site,
  get_authorization_url,
  get_tokens_by_callback,
  get_tokens_by_code,
  get_user_info,
  get_logout_uri,
  subscribe,
} as const satisfies Record<string, Command>
