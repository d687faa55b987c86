/** Every command of oxd, by its wire name. */

import type { OxdCommand } from '../oxd_command.js'
import { access_token_status } from './access_token_status.js'
import { authorization_code_flow } from './authorization_code_flow.js'
import { get_access_token_by_refresh_token } from './get_access_token_by_refresh_token.js'
import { get_authorization_code } from './get_authorization_code.js'
import { get_authorization_url } from './get_authorization_url.js'
import { get_client_token } from './get_client_token.js'
import { get_logout_uri } from './get_logout_uri.js'
import { get_rp } from './get_rp.js'
import { get_tokens_by_code } from './get_tokens_by_code.js'
import { get_user_info } from './get_user_info.js'
import { id_token_status } from './id_token_status.js'
import { implicit_flow } from './implicit_flow.js'
import { introspect_access_token } from './introspect_access_token.js'
import { introspect_rpt } from './introspect_rpt.js'
import { license_status } from './license_status.js'
import { register_site } from './register_site.js'
import { remove_site } from './remove_site.js'
import { setup_client } from './setup_client.js'
import { uma_rp_authorize_rpt } from './uma_rp_authorize_rpt.js'
import { uma_rp_get_claims_gathering_url } from './uma_rp_get_claims_gathering_url.js'
import { uma_rp_get_gat } from './uma_rp_get_gat.js'
import { uma_rp_get_rpt } from './uma_rp_get_rpt.js'
import { uma_rs_check_access } from './uma_rs_check_access.js'
import { uma_rs_protect } from './uma_rs_protect.js'
import { update_site } from './update_site.js'
import { validate } from './validate.js'

export const oxdCommands = {
  access_token_status,
  authorization_code_flow,
  get_access_token_by_refresh_token,
  get_authorization_code,
  get_authorization_url,
  get_client_token,
  get_logout_uri,
  get_rp,
  get_tokens_by_code,
  get_user_info,
  id_token_status,
  implicit_flow,
  introspect_access_token,
  introspect_rpt,
  license_status,
  register_site,
  remove_site,
  setup_client,
  uma_rp_authorize_rpt,
  uma_rp_get_claims_gathering_url,
  uma_rp_get_gat,
  uma_rp_get_rpt,
  uma_rs_check_access,
  uma_rs_protect,
  update_site,
  validate,
} as const satisfies Record<string, OxdCommand>
