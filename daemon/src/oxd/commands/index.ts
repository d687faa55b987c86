/** Every command of oxd, by its wire name. */

import type { OxdCommand } from '../oxd_command.js'
import { get_authorization_url } from './get_authorization_url.js'
import { get_rp } from './get_rp.js'
import { introspect_rpt } from './introspect_rpt.js'
import { register_site } from './register_site.js'
import { remove_site } from './remove_site.js'
import { uma_rp_authorize_rpt } from './uma_rp_authorize_rpt.js'
import { uma_rp_get_claims_gathering_url } from './uma_rp_get_claims_gathering_url.js'
import { uma_rp_get_gat } from './uma_rp_get_gat.js'
import { uma_rp_get_rpt } from './uma_rp_get_rpt.js'
import { uma_rs_check_access } from './uma_rs_check_access.js'
import { uma_rs_protect } from './uma_rs_protect.js'
import { update_site } from './update_site.js'

export const oxdCommands = {
  register_site,
  update_site,
  remove_site,
  get_rp,
  get_authorization_url,
  introspect_rpt,
  uma_rp_authorize_rpt,
  uma_rp_get_claims_gathering_url,
  uma_rp_get_gat,
  uma_rp_get_rpt,
  uma_rs_check_access,
  uma_rs_protect,
} as const satisfies Record<string, OxdCommand>
