/** Every command of oxd, by its wire name. */

import type { OxdCommand } from '../oxd_command.js'
import { get_authorization_url } from './get_authorization_url.js'

export const oxdCommands = {
  get_authorization_url,
} as const satisfies Record<string, OxdCommand>
