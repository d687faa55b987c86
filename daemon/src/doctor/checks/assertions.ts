/** Whether the client assertions that the platform renews are there, for the daemon, and good. */

import { dirname } from 'node:path'
import { AssertionFileError, readAssertionFile } from '../../op/assertion_file.js'
import { type Finding, fault, note } from '../finding.js'
import { myself, obstacleFor, statOf } from '../person.js'
import type { SiteView } from '../store_view.js'
import type { World } from '../world.js'

export async function assertions(world: World): Promise<Finding[]> {
  const { sites } = await world.store
  const found = await Promise.all(
    sites.map((site) => {
      const { client_assertion_file: path } = site
      return path === undefined ? [] : ofFile(world, selectorOf(site), path)
    }),
  )
  return found.flat()
}

async function ofFile(world: World, site: string, path: string): Promise<Finding[]> {
  const about = `site ${site}`
  if (await isHidden(world, path)) {
    const why = `its client assertion ${path} is there, and the daemon's unit hides it (ProtectHome, PrivateTmp)`
    // A file that is bound alone stays what it was, once another is put in its place.
    const cure = `have it written below /run, or: systemctl edit relyd, and under [Service]: BindReadOnlyPaths=${dirname(path)}`
    return [fault(about, why, cure)]
  }
  const person = await world.daemon_user
  const obstacle = person && obstacleFor(person, path, 'read')
  if (obstacle) {
    const why = `the daemon's user ${person.name} may not ${obstacle.verb} ${obstacle.path}, for its client assertion`
    const way = obstacle.is_folder ? 'g+x' : 'g+r'
    const cure = `have what writes it let in the group ${person.name}: chgrp ${person.name} ${obstacle.path}; chmod ${way} ${obstacle.path}`
    return [fault(about, why, cure)]
  }
  if (obstacleFor(myself(), path, 'read')) {
    const why = `this user may not read ${path}, so that its client assertion was not looked at`
    return [note(about, why, 'sudo relyd doctor')]
  }
  try {
    await readAssertionFile(path, world.now)
    return []
  } catch (error) {
    if (!(error instanceof AssertionFileError)) throw error
    const cure = `see to what writes and renews it, or: relyd sites update ${site} --client-assertion-file PATH`
    return [fault(about, `its client assertion cannot be used: ${error.message}`, cure)]
  }
}

/** A unit may give the daemon another view of the host, which who may look sees in /proc. */
async function isHidden({ daemon }: World, path: string): Promise<boolean> {
  const running = await daemon
  if (running.state !== 'answers' || !statOf(path)) return false
  const root = `/proc/${running.status.pid}/root`
  return statOf(`${root}/`) !== undefined && statOf(root + path) === undefined
}

function selectorOf({ name, oxd_id }: SiteView): string {
  return name ?? oxd_id.slice(0, 8)
}
