/** Whether the daemon runs, answers, and is the one that is installed. */
import { realpathSync } from 'node:fs'
import { version } from '../../version.js'
import { type Finding, fault, note, warning } from '../finding.js'
import type { World } from '../world.js'

const RESTART = 'systemctl restart relyd'

export async function daemon(world: World): Promise<Finding[]> {
  const { admin_socket } = world.config.daemon
  const running = await world.daemon
  switch (running.state) {
    case 'down':
      return [
        fault(
          'relyd',
          `it does not run: nobody listens on ${admin_socket}`,
          'systemctl start relyd; why it ended: journalctl -u relyd -n 50',
        ),
      ]
    case 'closed':
      return [
        note(
          'relyd',
          `this user may not open ${admin_socket}, so that the daemon was not asked`,
          'sudo relyd doctor',
        ),
      ]
    case 'silent':
      return [
        fault(
          'relyd',
          `it listens on ${admin_socket} and does not answer: ${running.why}`,
          `journalctl -u relyd -n 50; ${RESTART}`,
        ),
      ]
  }
  const { status } = running
  const found: Finding[] = []
  if (status.version !== version) {
    found.push(
      warning('relyd', `version ${status.version} runs, and ${version} is installed`, RESTART),
    )
  }
  const path = realPath(world.config.path)
  if (realPath(status.config) !== path) {
    found.push(
      warning(
        'relyd',
        `it runs with ${status.config}, not with ${path}`,
        `relyd doctor --config ${status.config}`,
      ),
    )
  }
  return found
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
