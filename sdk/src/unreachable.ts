/** Says why no connection to the daemon could be opened, and what to try. */
import { accessSync, constants } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { codeOf } from './cfg_file.js'
import { TransportError } from './errors.js'
import { type Address, nameOfAddress, type TcpAddress } from './site_address.js'
import { whyTlsFailed } from './unreachable_tls.js'

const IS_IT_RUNNING =
  'Is relyd running? See "systemctl status relyd", or start it: "relyd serve --config relyd.cfg"'

/**
 * @param cause what the system said when a connection was tried; undefined if a daemon closed it
 *   without a word
 * @returns an `ERR_UNREACHABLE`
 */
export function unreachable(address: Address, cause: Error | undefined): TransportError {
  const why = 'path' in address ? atPath(address.path, cause) : atPort(address, cause)
  return new TransportError('ERR_UNREACHABLE', `cannot reach relyd: ${why}`, 'not_executed', cause)
}

function atPath(path: string, cause: Error | undefined): string {
  switch (codeOf(cause)) {
    case 'ENOENT':
      return `there is no socket ${path}. ${IS_IT_RUNNING}; or correct "socket" in the site's cfg`
    case 'ECONNREFUSED':
      return `nobody listens on ${path}, a stale socket of a relyd that was stopped. ${IS_IT_RUNNING}`
    case 'EACCES':
    case 'EPERM':
      return (
        `permission denied: ${userName()} may not ${whatIsClosed(path)}. Add the user to the ` +
        `socket's group (as root, "stat -c %G ${path}" names it) and restart the site`
      )
    default:
      return `${path}: ${messageOf(cause)}`
  }
}

function atPort(address: TcpAddress, cause: Error | undefined): string {
  const name = nameOfAddress(address)
  const tls = address.tls && whyTlsFailed(name, address.host, address.tls, cause)
  if (tls !== undefined) return tls
  switch (codeOf(cause)) {
    case 'ECONNREFUSED':
      return `nobody listens on ${name}. ${IS_IT_RUNNING}; or the port in the site's cfg is wrong`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host of ${name} is not known; correct "host" in the site's cfg`
    default:
      return `${name}: ${messageOf(cause)}`
  }
}

function messageOf(cause: Error | undefined): string {
  return cause?.message ?? 'it closed the connection'
}

/** The outermost folder that keeps this user away from a socket, or the socket itself. */
function whatIsClosed(path: string): string {
  let closed = `write to ${path}`
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      accessSync(folder, constants.X_OK)
    } catch {
      closed = `enter ${folder}`
    }
    if (folder === dirname(folder)) return closed
  }
}

function userName(): string {
  try {
    return `user ${userInfo().username}`
  } catch {
    return `user ${process.getuid?.()}`
  }
}
