/** Whether the keys are there, are nobody else's, and are those of the database. */
import { StoreError } from '../../store/errors.js'
import { readKeyFile, refuseSharedFolder } from '../../store/key_file.js'
import { type Finding, fault, note } from '../finding.js'
import { modeOf, obstacleFor, type Person, statOf } from '../person.js'
import type { World } from '../world.js'

export async function keys({ config, key_file, store, daemon_user }: World): Promise<Finding[]> {
  const found = [...ofFile(key_file, config.daemon.database)]
  if (found.some(({ severity }) => severity === 'fault')) return found
  const [{ key_refusal }, person] = await Promise.all([store, daemon_user])
  if (key_refusal) found.push(fault(key_file, key_refusal.message, cureOf(key_refusal.code)))
  return [...found, ...ofReader(key_file, config.daemon.key_file, person)]
}

function ofFile(path: string, database: string): Finding[] {
  try {
    refuseSharedFolder(database, path)
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    const cure = `mv ${path} to another folder, name it in relyd.cfg (key_file), then: ${RESTART}`
    return [fault(path, error.message, cure)]
  }
  try {
    // Absent, it is made at the first start; whether that was long ago the database tells.
    readKeyFile(path)
    return []
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    const { cause } = error as { cause?: NodeJS.ErrnoException }
    if (cause?.code === 'EACCES') {
      const why = 'this user may not read the keys, so that they were not looked at'
      return [note(path, why, 'sudo relyd doctor')]
    }
    const stats = statOf(path)
    const is_open = stats !== undefined && (stats.mode & 0o077) !== 0
    if (!is_open) return [fault(path, error.message, `put it back from its backup; ${NO_NEW_KEY}`)]
    const why = `the keys are open to other users (mode ${modeOf(stats)})`
    return [fault(path, why, `chmod 600 ${path}; whoever read them may read the database`)]
  }
}

const RESTART = 'systemctl restart relyd'
const NO_NEW_KEY = 'make no new key, which would open nothing'

/** What a unit brings as a credential, root alone reads. */
function ofReader(path: string, own: string, person: Person | undefined): Finding[] {
  if (path !== own || !person) return []
  const obstacle = obstacleFor(person, path, 'read')
  if (!obstacle) return []
  const why = `the daemon's user ${person.name} may not ${obstacle.verb} ${obstacle.path}`
  return [fault(path, why, `chown ${person.name}: ${obstacle.path}`)]
}

function cureOf(code: string): string {
  return code === 'wrong_key' || code === 'key_missing'
    ? `put the file back from its backup, or name the right one with --key-file; ${NO_NEW_KEY}`
    : 'relyd key list'
}
