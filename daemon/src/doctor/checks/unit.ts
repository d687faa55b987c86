/** Whether systemd has the units of this version, and starts them. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Finding, note } from '../finding.js'
import type { World } from '../world.js'

/** Where a unit may lie, the one that counts first. */
const FOLDERS = ['etc/systemd/system', 'usr/lib/systemd/system', 'lib/systemd/system']

export async function unit({ root }: World): Promise<Finding[]> {
  // Another init system, or a container.
  if (!existsSync(join(root, 'run/systemd/system'))) return []
  const installed = FOLDERS.some((folder) => existsSync(join(root, folder, 'relyd.service')))
  if (installed) return []
  return [
    note(
      'relyd.service',
      'there is no unit: after a restart of the host nobody starts relyd',
      'relyd service install',
    ),
  ]
}
