/** Says why no connection to the daemon could be opened, and what to try. */
import { codeOf } from './cfg_file.js'
import { TransportError } from './errors.js'
import { LONGEST_PATH } from './open_socket.js'
import { permissionDenied, statOf } from './permission_denied.js'
import {
  type Address,
  nameOfAddress,
  placeOf,
  type SocketAddress,
  type TcpAddress,
} from './site_address.js'
import { whyTlsFailed } from './unreachable_tls.js'

const IS_IT_RUNNING =
  'Is relyd running? See "systemctl status relyd", or start it: "relyd serve --config relyd.cfg"'

/** What a daemon that starts, stops or has much to do may cause; `undefined`, that it closed without a word. */
const passing = new Set([
  'ENOENT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  // A full queue of connections.
  'EAGAIN',
  // A socket is closed to others until its mode is set.
  'EACCES',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  undefined,
])

/**
 * @param cause what the system said when a connection was tried; undefined if a daemon closed it
 *   without a word
 * @returns an `ERR_UNREACHABLE`
 */
export function unreachable(address: Address, cause: Error | undefined): TransportError {
  const why = 'path' in address ? atPath(address, cause) : atPort(address, cause)
  return new TransportError('ERR_UNREACHABLE', `cannot reach relyd: ${why}`, 'not_executed', cause)
}

/**
 * @param fault why a connection did not come about, perhaps of {@link unreachable}
 * @returns whether another attempt may succeed though nobody mends anything
 */
export function mayPass(fault: Error): boolean {
  if (!(fault instanceof TransportError)) return false
  const cause = fault.cause as NodeJS.ErrnoException | undefined
  return passing.has(cause && (cause.code ?? ''))
}

function atPath(address: SocketAddress, cause: Error | undefined): string {
  const { path } = address
  const socket = placeOf('socket', address)
  switch (codeOf(cause)) {
    case 'ENOENT':
      return `there is no socket ${path}. ${IS_IT_RUNNING}; or correct ${socket}`
    case 'ECONNREFUSED':
      return (
        whatElseIsAt(path, socket) ??
        `nobody listens on ${path}, a stale socket of a relyd that was stopped. ${IS_IT_RUNNING}`
      )
    case 'ENOTDIR':
      return `${path} cannot be a socket: a part of the path is a file. Correct ${socket}`
    case 'ENAMETOOLONG':
      return (
        `the path ${path} has ${Buffer.byteLength(path)} bytes, and a socket's may have ${LONGEST_PATH}. Choose a ` +
        `shorter one as "address" in relyd.cfg and as ${socket}, then "systemctl restart relyd"`
      )
    case 'EACCES':
    case 'EPERM':
      return permissionDenied(path)
    case 'EAGAIN':
      return (
        `relyd takes no connections at ${path}: too many wait already. See "systemctl status relyd"; ` +
        'if it hangs, "systemctl restart relyd"'
      )
    default:
      return `${path}: ${messageOf(cause)}`
  }
}

function atPort(address: TcpAddress, cause: Error | undefined): string {
  const { host, tls } = address
  const hostPlace = placeOf('host', address)
  const portPlace = placeOf('port', address)
  const name = nameOfAddress(address)
  const why = tls && whyTlsFailed({ ...address, tls }, cause)
  if (why !== undefined) return why
  switch (codeOf(cause)) {
    case 'ECONNREFUSED':
      return `nobody listens on ${name}. ${IS_IT_RUNNING}; or ${portPlace} is wrong`
    case 'ENOTFOUND':
      return `the host of ${name} is not known; correct ${hostPlace}`
    case 'EAI_AGAIN':
      return `the name servers do not answer for ${host}. Try "getent hosts ${host}", or give its address as ${hostPlace}`
    case 'ETIMEDOUT':
      return (
        `${name} does not answer: a firewall drops the packets, or relyd hangs. See "systemctl status ` +
        `relyd" there; or ${hostPlace} or ${portPlace} is wrong`
      )
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `there is no way to ${name}. Try "ip route get ${host}", or correct ${hostPlace}`
    default:
      return `${name}: ${messageOf(cause)}`
  }
}

/** The kernel refuses whatever is no socket with the words for a stale one. */
function whatElseIsAt(path: string, socket: string): string | undefined {
  const stats = statOf(path)
  if (!stats || stats.isSocket()) return undefined
  const kind = stats.isDirectory() ? 'a folder' : 'a file'
  return `${path} is ${kind}, not a socket. Correct ${socket}: the path in "address = unix:…" of relyd.cfg`
}

function messageOf(cause: Error | undefined): string {
  if (!cause) return 'it closed the connection'
  // A name with several addresses: one error for each.
  const [first] = cause instanceof AggregateError ? cause.errors : []
  return cause.message || String((first as Error | undefined)?.message ?? codeOf(cause))
}
