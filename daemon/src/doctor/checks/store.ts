/** Whether the database is whole, ours, and of a version that this relyd works with. */
import { SCHEMA_VERSION } from '../../store/migrations/migrate.js'
import { type Finding, fault, note } from '../finding.js'
import { myself, obstacleFor } from '../person.js'
import type { World } from '../world.js'

export async function store(world: World): Promise<Finding[]> {
  const { database } = world.config.daemon
  const obstacle = obstacleFor(myself(), database, 'read')
  if (obstacle) {
    const why = `this user may not ${obstacle.verb} ${obstacle.path}, so that the database was not looked at`
    return [note(database, why, 'sudo relyd doctor')]
  }
  const { unseen, refusal, damage, schema } = await world.store
  if (unseen !== undefined) {
    const why = `it was not looked at: ${unseen}`
    return [note(database, why, 'start the daemon, then: sudo relyd doctor')]
  }
  if (damage !== undefined) {
    const why = `the database is damaged: ${damage}`
    const cure = 'stop the daemon, keep a copy of the file, and restore a backup (relyd restore)'
    return [fault(database, why, cure)]
  }
  if (refusal) return [fault(database, refusal.message, cureOf(refusal.code))]
  if (schema !== undefined && schema > 0 && schema < SCHEMA_VERSION) {
    const why = `it has schema version ${schema}, and this relyd works with ${SCHEMA_VERSION}`
    return [note(database, why, 'nothing to do: the next start of the daemon brings it up to date')]
  }
  return []
}

function cureOf(code: string): string {
  switch (code) {
    case 'newer_schema':
      return 'install the relyd that wrote it, or restore a backup of before its upgrade'
    case 'database':
      return 'set the option "database" of relyd.cfg to a file of its own'
    default:
      return 'mend that, then: sudo relyd doctor'
  }
}
