/** Whether each listener's socket is there, has its mode, and answers. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { ask } from '../../cli/admin_client.js'
import type { ListenerConfig } from '../../config/config.js'
import { codeOf, messageOf } from '../../store/errors.js'
import { PATIENCE_MS, type Running } from '../ask_daemon.js'
import { type Finding, fault, note, warning } from '../finding.js'
import { modeOf, statOf } from '../person.js'
import type { World } from '../world.js'

const RESTART = 'systemctl restart relyd (with socket units: the socket unit, too)'

export async function listeners({ config, daemon, units }: World): Promise<Finding[]> {
  const running = await daemon
  // Without a daemon there are none, which is said once.
  if (running.state === 'down') return config.listeners.flatMap(inTheWay)
  if (running.state === 'silent') return []
  const found = config.listeners.map((listener) => {
    const { address } = listener
    return address.kind === 'unix'
      ? unixSocket(listener, address.path, running, units.sockets.has(listener.name))
      : tcpPort(`[listener ${listener.name}]`, address, portOf(listener.name, running))
  })
  const { metrics_address } = config.daemon
  // Who may not ask the daemon does not know which port the kernel chose.
  if (metrics_address && metrics_address.port !== 0) {
    found.push(tcpPort('metrics_address', metrics_address, undefined))
  }
  return (await Promise.all(found)).flat()
}

/** What would keep the daemon from listening. */
function inTheWay({ name, address }: ListenerConfig): Finding[] {
  const stats = address.kind === 'unix' ? statOf(address.path) : undefined
  if (!stats || stats.isSocket() || address.kind !== 'unix') return []
  const why = `${address.path} is no socket, and the daemon will not start over it`
  return [fault(`[listener ${name}]`, why, `mv ${address.path} ${address.path}.old`)]
}

async function unixSocket(
  { name, mode }: ListenerConfig,
  path: string,
  running: Running,
  by_unit: boolean,
): Promise<Finding[]> {
  const about = `[listener ${name}]`
  const stats = statOf(path)
  if (!stats) {
    const why = `there is no socket ${path}${running.state === 'answers' ? ', though the daemon runs: somebody removed it' : ''}`
    return [fault(about, why, RESTART)]
  }
  if (!stats.isSocket()) return [fault(about, `${path} is no socket`, `rm ${path}; ${RESTART}`)]
  const found: Finding[] = []
  const wanted = mode.toString(8).padStart(4, '0')
  const is_wider = (stats.mode & 0o777 & ~mode) !== 0
  // A socket unit may let in fewer than relyd.cfg does.
  if (is_wider || (modeOf(stats) !== wanted && !by_unit)) {
    const why = `${path} has mode ${modeOf(stats)}, and relyd.cfg says ${wanted}`
    const cure = `chmod ${wanted} ${path}${by_unit ? `, and SocketMode=${wanted} in its socket unit` : ''}`
    found.push((is_wider ? fault : warning)(about, why, cure))
  }
  try {
    await ask(path, { command: 'ping' }, { whose: 'site', timeout_ms: PATIENCE_MS })
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    const why = messageOf(cause ?? error)
    found.push(
      codeOf(cause) === 'EACCES'
        ? note(about, `this user may not open ${path}`, 'sudo relyd doctor --user NAME')
        : fault(about, `${path} does not answer: ${why}`, RESTART),
    )
  }
  return found
}

/** As it came to be: the kernel may have chosen it. */
function portOf(name: string, running: Running): number | undefined {
  const listed = running.state === 'answers' ? running.status.listeners : []
  const port = listed
    .find((one) => one.name === name)
    ?.address.split(':')
    .pop()
  return port === undefined ? undefined : Number(port)
}

async function tcpPort(
  about: string,
  configured: { host: string; port: number },
  chosen: number | undefined,
): Promise<Finding[]> {
  const port = chosen ?? configured.port
  const { host } = configured
  const any = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  const socket = connect({ host: any, port, timeout: PATIENCE_MS })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(PATIENCE_MS) })
    return []
  } catch (error) {
    return [
      fault(about, `nobody takes connections at tcp:${host}:${port} (${codeOf(error)})`, RESTART),
    ]
  } finally {
    socket.on('error', () => {})
    socket.destroy()
  }
}
