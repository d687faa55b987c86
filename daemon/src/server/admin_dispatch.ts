/** Runs the operator's requests, which come over the admin socket. */
import type { AdminCommand, AdminServices } from '../admin/admin_command.js'
import { adminCommands } from '../admin/commands/index.js'
import { ADMIN } from '../config/config.js'
import { CommandMetrics } from '../metrics/command_metrics.js'
import type { Metrics } from '../metrics/metrics.js'
import { createDispatch, type Dispatch, refuse, rowsOf } from './dispatch.js'
import type { Recorder } from './record.js'

const rows = rowsOf<AdminCommand>(adminCommands)

export function createAdminDispatch(
  services: AdminServices,
  metrics: Metrics,
  record?: Recorder,
): Dispatch {
  return createDispatch({
    realm: ADMIN,
    events: services.events,
    log: services.log,
    metrics: new CommandMetrics(metrics, ADMIN),
    rows,
    record: record && ((command, reply) => record(`admin/${command}`, reply)),
    accountOf: () => '',
    // Whoever may open the socket may do anything, and the connections it takes are few.
    enter: () => () => {},
    execute: (command, params) => command.run({ ...services, refuse }, params as never),
  })
}
