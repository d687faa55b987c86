/** Every admin command, by its wire name. */
import type { AdminCommand } from '../admin_command.js'
import { status } from './status.js'

export const adminCommands = {
  status,
} as const satisfies Record<string, AdminCommand>
