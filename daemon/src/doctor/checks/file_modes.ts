/** Who may read and change the daemon's files. */
import { dirname, resolve } from 'node:path'
import { type Finding, fault, warning } from '../finding.js'
import { foldersOf, modeOf, obstacleFor, type Person, statOf } from '../person.js'
import type { World } from '../world.js'

const OTHERS_WRITE = 0o002
const GROUP_WRITES = 0o020
const ANY_OTHER = 0o077
const STICKY = 0o1000

export async function fileModes({ config, daemon_user, daemon }: World): Promise<Finding[]> {
  const [person, running] = await Promise.all([daemon_user, daemon])
  const path = resolve(config.path)
  const { state_directory, database } = config.daemon
  return [
    ...configuration(path, person),
    ...foldersOf(path).flatMap(openFolder),
    ...stateDirectory(state_directory, person, running.state === 'answers'),
    ...[database, `${database}-wal`, `${database}-shm`].flatMap((file) =>
      privateFile(file, person),
    ),
  ]
}

/** Who writes relyd.cfg says where secrets are kept, and which OPs may be called without TLS. */
function configuration(path: string, person: Person | undefined): Finding[] {
  const stats = statOf(path)
  if (!stats) return []
  const found: Finding[] = []
  const mode = modeOf(stats)
  if (stats.mode & OTHERS_WRITE) {
    found.push(fault(path, `every user may change it (mode ${mode})`, `chmod o-w ${path}`))
  } else if (stats.mode & GROUP_WRITES && stats.gid !== 0) {
    found.push(warning(path, `a group may change it (mode ${mode})`, `chmod g-w ${path}`))
  }
  if (stats.uid !== 0 && person && stats.uid !== person.uid) {
    const why = `it belongs to the user ${stats.uid}, who is neither root nor the daemon's ${person.name}`
    found.push(warning(path, why, `chown root: ${path}`))
  }
  const obstacle = person && obstacleFor(person, path, 'read')
  if (obstacle) {
    const cure = obstacle.is_folder
      ? `chmod o+x ${obstacle.path}`
      : `chgrp $(id -gn ${person.name}) ${path} && chmod g+r ${path}`
    const why = `the daemon's user ${person.name} may not ${obstacle.verb} ${obstacle.path} (mode ${modeOf(obstacle.stats)})`
    found.push(fault(path, why, cure))
  }
  return found
}

/** Who writes a folder puts another file in the place of one in it. */
function openFolder(folder: string): Finding[] {
  const stats = statOf(folder)
  if (!stats || !(stats.mode & OTHERS_WRITE) || stats.mode & STICKY) return []
  const why = `every user may replace the configuration in this folder (mode ${modeOf(stats)})`
  return [fault(folder, why, `chmod o-w ${folder}`)]
}

function stateDirectory(path: string, person: Person | undefined, runs: boolean): Finding[] {
  const stats = statOf(path)
  if (!stats) {
    return runs
      ? [
          fault(
            path,
            'the state directory is gone while the daemon runs',
            'systemctl restart relyd',
          ),
        ]
      : []
  }
  const found: Finding[] = []
  if (stats.mode & ANY_OTHER) {
    const why = `the state directory is open to other users (mode ${modeOf(stats)})`
    const severity = stats.mode & (OTHERS_WRITE | GROUP_WRITES) ? fault : warning
    found.push(severity(path, why, `chmod 700 ${path}`))
  }
  if (person && stats.uid !== person.uid && person.uid !== 0) {
    const why = `the state directory does not belong to the daemon's user ${person.name}`
    found.push(fault(path, why, `chown -R ${person.name}: ${path}`))
  }
  return found
}

function privateFile(path: string, person: Person | undefined): Finding[] {
  const stats = statOf(path)
  if (!stats) return []
  const found: Finding[] = []
  if (stats.mode & ANY_OTHER) {
    const why = `the database is open to other users (mode ${modeOf(stats)})`
    found.push(fault(path, why, `chmod 600 ${path}`))
  }
  if (person && person.uid !== 0 && stats.uid !== person.uid) {
    const why = `it belongs to the user ${stats.uid}, and the daemon's user ${person.name} cannot write it`
    found.push(fault(path, why, `chown -R ${person.name}: ${dirname(path)}`))
  }
  return found
}
