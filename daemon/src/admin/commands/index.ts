/** Every admin command, by its wire name. */
import type { AdminCommand } from '../admin_command.js'
import { add_site } from './add_site.js'
import { end_sessions } from './end_sessions.js'
import { export_sites } from './export_sites.js'
import { import_sites } from './import_sites.js'
import { list_sessions } from './list_sessions.js'
import { list_sites } from './list_sites.js'
import { remove_site } from './remove_site.js'
import { rotate_keys } from './rotate_keys.js'
import { show_site } from './show_site.js'
import { status } from './status.js'
import { update_site } from './update_site.js'

export const adminCommands = {
  status,
  add_site,
  list_sites,
  show_site,
  update_site,
  rotate_keys,
  remove_site,
  export_sites,
  import_sites,
  list_sessions,
  end_sessions,
} as const satisfies Record<string, AdminCommand>
