/** Every command of oxd, by its wire name. */

import type { OxdCommand } from '../oxd_command.js'
import { get_authorization_url } from './get_authorization_url.js'
import { get_client_token } from './get_client_token.js'
import { get_rp } from './get_rp.js'
import { register_site } from './register_site.js'
import { remove_site } from './remove_site.js'
import { setup_client } from './setup_client.js'
import { update_site } from './update_site.js'

export const oxdCommands = {
  register_site,
  setup_client,
  get_client_token,
  update_site,
  remove_site,
  get_rp,
  get_authorization_url,
} as const satisfies Record<string, OxdCommand>
