/**
 * Socket activation: the sockets that systemd opened and passed, matched with the listeners by name
 * and held against what relyd.cfg says of them.
 *
 * @see sd_listen_fds(3)
 */
import { statSync } from 'node:fs'
import type { ListenerConfig } from '../config/config.js'
import { bounded } from '../errors.js'
import { StartError } from '../start_error.js'
import { isAt, type KernelSocket, kernelSockets, textOf } from './kernel_socket.js'

/** Where passed descriptors begin: SD_LISTEN_FDS_START. */
const FIRST = 3

const VARIABLES = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']

/**
 * Takes the passed sockets, and the variables that told of them out of the environment, so that no
 * child takes them for its own.
 *
 * @returns the descriptor of each listener that has one, by the listener's name
 * @throws StartError for a socket that no listener wants as it is
 */
export function takePassedSockets(
  listeners: readonly ListenerConfig[],
  environment: NodeJS.ProcessEnv = process.env,
): Map<string, number> {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = environment
  for (const name of VARIABLES) delete environment[name]
  const passed = new Map<string, number>()
  // Meant for another process, from which ours has inherited the words alone.
  if (LISTEN_FDS === undefined || LISTEN_PID !== String(process.pid)) return passed
  for (const [index, name] of namesOf(LISTEN_FDS, LISTEN_FDNAMES).entries()) {
    const listener = listeners.find((one) => one.name === name)
    if (!listener) throw unmatched(name, listeners)
    if (passed.has(name)) {
      throw new StartError(
        `systemd passed two sockets with the name ${name}: let each socket unit have one ` +
          'ListenStream= and a FileDescriptorName= of its own',
      )
    }
    checkSocket(listener, kernelSockets(FIRST + index))
    passed.set(name, FIRST + index)
  }
  return passed
}

function namesOf(count: string, names: string | undefined): string[] {
  if (!/^\d{1,4}$/.test(count)) {
    throw new StartError(
      `LISTEN_FDS is ${JSON.stringify(count)}, and must be the number of passed sockets; let ` +
        'systemd set it, by a socket unit',
    )
  }
  const found = names === undefined || names === '' ? [] : names.split(':')
  if (found.length !== Number(count)) {
    throw new StartError(
      `systemd passed ${count} sockets and ${found.length} names of them (LISTEN_FDNAMES): give ` +
        'each socket unit a FileDescriptorName=, the NAME of its [listener NAME] in relyd.cfg',
    )
  }
  return found
}

/** A socket unit is not to get round what relyd.cfg says: where TLS is needed, and who may connect. */
function checkSocket(listener: ListenerConfig, found: readonly KernelSocket[]): void {
  const { name, address, mode } = listener
  const refused = (why: string) =>
    new StartError(`[listener ${name}] cannot use the socket that systemd passed: ${why}`)
  if (found.length === 0) {
    throw refused(
      'it is no listening stream socket of this host; its socket unit needs ListenStream= and Accept=no',
    )
  }
  // The one that is there may be forged; the socket is systemd's all the same.
  if (!found.some((socket) => isAt(socket, address))) {
    throw refused(
      `it is at ${bounded(found.map(textOf).join(' or '))}, and relyd.cfg says address = ${address.text}; make ` +
        'ListenStream= of its socket unit the same (an IP address in numbers)',
    )
  }
  if (address.kind !== 'unix') return
  const file = statSync(address.path, { throwIfNoEntry: false })
  if (!file) {
    throw refused(
      `its file ${address.path} was removed, so nobody can connect; restart its socket unit`,
    )
  }
  // What connect() asks for is the permission to write.
  if ((file.mode & ~mode & 0o222) !== 0) {
    throw refused(
      `${address.path} has the mode ${octal(file.mode)}, which lets in more than mode = ` +
        `${octal(mode)}; set SocketMode=${octal(mode)} in its socket unit (systemd's default is ` +
        '0666), or another mode in relyd.cfg',
    )
  }
}

function unmatched(name: string, listeners: readonly ListenerConfig[]): StartError {
  const known = listeners.map((listener) => listener.name).join(', ')
  return new StartError(
    `systemd passed a socket with the name ${name}, and relyd.cfg has no [listener ${name}]: add ` +
      `that section, set FileDescriptorName= of the socket unit to one of ${known}, or disable the unit`,
  )
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0')
}
