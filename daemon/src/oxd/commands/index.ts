/** Every command of oxd, by its wire name. */

import type { OxdCommand } from '../oxd_command.js'
import { access_token_status } from './access_token_status.js'
import { authorization_code_flow } from './authorization_code_flow.js'
import { get_access_token_by_refresh_token } from './get_access_token_by_refresh_token.js'
import { get_authorization_code } from './get_authorization_code.js'
import { get_authorization_url } from './get_authorization_url.js'
import { get_logout_uri } from './get_logout_uri.js'
import { get_tokens_by_code } from './get_tokens_by_code.js'
import { get_user_info } from './get_user_info.js'
import { id_token_status } from './id_token_status.js'
import { implicit_flow } from './implicit_flow.js'
import { introspect_access_token } from './introspect_access_token.js'
import { license_status } from './license_status.js'
import { validate } from './validate.js'

export const oxdCommands = {
  access_token_status,
  authorization_code_flow,
  get_access_token_by_refresh_token,
  get_authorization_code,
  get_authorization_url,
  get_logout_uri,
  get_tokens_by_code,
  get_user_info,
  id_token_status,
  implicit_flow,
  introspect_access_token,
  license_status,
  validate,
} as const satisfies Record<string, OxdCommand>
