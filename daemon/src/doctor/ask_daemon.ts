/** Asks the running daemon what it is, in a time that the doctor has. */
import type { status } from '../admin/commands/status.js'
import { ask } from '../cli/admin_client.js'
import { CliError } from '../cli/exit_codes.js'
import type { Values } from '../command.js'
import { codeOf } from '../store/errors.js'

export type Status = Values<(typeof status)['result']>

/**
 * - `down`: nobody listens on the admin socket
 * - `closed`: this user may not ask
 * - `silent`: it takes the connection and does not answer, or not as it should
 */
export type Running =
  | { state: 'answers'; status: Status }
  | { state: 'down' | 'closed' | 'silent'; why: string }

/** Milliseconds in which it must have answered. */
export const PATIENCE_MS = 5000

export async function runningDaemon(admin_socket: string): Promise<Running> {
  try {
    const reply = await ask(admin_socket, { command: 'status' }, { timeout_ms: PATIENCE_MS })
    if (reply.status === 'ok') return { state: 'answers', status: reply.data as Status }
    return { state: 'silent', why: reply.data.error_description }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    if (!(error instanceof CliError)) return { state: 'silent', why }
    switch (codeOf(error.cause)) {
      case 'ENOENT':
      case 'ECONNREFUSED':
      case 'ENOTSOCK':
        return { state: 'down', why }
      case 'EACCES':
      case 'EPERM':
        return { state: 'closed', why }
      default:
        return { state: 'silent', why }
    }
  }
}
