/** Runs the operator's requests, which come over the admin socket. */
import type { AdminCommand, AdminServices } from '../admin/admin_command.js'
import { adminCommands } from '../admin/commands/index.js'
import { createDispatch, type Dispatch, refuse, rowsOf } from './dispatch.js'
import type { Recorder } from './record.js'

const rows = rowsOf<AdminCommand>(adminCommands)

/** @param inForce asked for each command */
export function createAdminDispatch(inForce: () => AdminServices, record?: Recorder): Dispatch {
  const { events, log } = inForce()
  return createDispatch({
    realm: 'admin',
    events,
    log,
    rows,
    record: record && ((command, reply) => record(`admin/${command}`, reply)),
    accountOf: () => '',
    // Whoever may open the socket may do anything, and the connections it takes are few.
    enter: () => () => {},
    execute: (command, params) => command.run({ ...inForce(), refuse }, params as never),
  })
}
