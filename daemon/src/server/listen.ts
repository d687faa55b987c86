/** Opens a listener's socket, or takes the one that systemd opened for it. */
import { chmodSync, mkdirSync, statSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import type { ListenerConfig } from '../config/config.js'
import { StartError } from '../start_error.js'

/** Connections that wait in the queue of a passed socket, while no daemon runs; the kernel allows no more by default. */
const BACKLOG = 4096

/**
 * Recovers a stale socket file, and refuses one that is in use.
 *
 * @param passed the descriptor, if systemd opened the socket: whose its file is, is then systemd's affair
 * @throws StartError naming the listener and the cure
 */
export async function listen(
  server: Server,
  listener: ListenerConfig,
  passed?: number,
): Promise<void> {
  const { address } = listener
  if (passed !== undefined) return open(server, { fd: passed }, listener, BACKLOG)
  if (address.kind === 'tcp') {
    return open(server, { host: address.host, port: address.port }, listener)
  }
  try {
    mkdirSync(dirname(address.path), { recursive: true, mode: 0o755 })
  } catch (error) {
    throw cannot(listener, whyNotOpen(error as NodeJS.ErrnoException))
  }
  await removeStale(address.path, listener)
  // Born closed to others, opened to the wanted mode once it is ours.
  const umask = process.umask(0o177)
  try {
    await open(server, { path: address.path }, listener)
  } finally {
    process.umask(umask)
  }
  chmodSync(address.path, listener.mode)
}

/** A socket file outlives a killed daemon; only a connection tells whether somebody still listens. */
async function removeStale(path: string, listener: ListenerConfig): Promise<void> {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) return
  if (!stat.isSocket()) throw cannot(listener, `${path} exists and is not a socket; remove it`)
  if (await isAlive(path)) {
    throw cannot(listener, `another process listens on ${path}; stop it, or choose another address`)
  }
  unlinkSync(path)
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // Refused: nobody listens. Anything else (permission, a full backlog) may be a living daemon.
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'))
  })
}

function open(
  server: Server,
  where: { path: string } | { host: string; port: number } | { fd: number },
  listener: ListenerConfig,
  backlog?: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(cannot(listener, whyNotOpen(error))),
    )
    // Of an object with a descriptor, Node would not read `backlog`.
    server.listen(where, backlog, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
}

/** For the operator: what kept an address from being listened on, and the cure. */
export function whyNotOpen({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'the port is in use; stop its owner, or choose another'
    case 'EACCES':
    case 'EROFS':
      return 'permission denied; let a socket unit of systemd open it (FileDescriptorName= is the name of the listener), run as a user that may listen there, or choose another address'
    default:
      return message
  }
}

function cannot({ name, address }: ListenerConfig, reason: string): StartError {
  return new StartError(`[listener ${name}] cannot listen on ${address.text}: ${reason}`)
}
