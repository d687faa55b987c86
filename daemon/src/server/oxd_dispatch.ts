/** Runs the requests of a realm's oxd clients, within the same quotas as all others of the realm. */

import type { OxdGeneration } from '../context.js'
import { oxdCommands } from '../oxd/commands/index.js'
import { oxdError } from '../oxd/errors.js'
import type { OxdCommand, OxdContext } from '../oxd/oxd_command.js'
import { readLeniently } from '../oxd/params.js'
import { createDispatch, type DispatchOptions, type OxdDispatch, rowsOf } from './dispatch.js'
import type { Reply } from './envelope.js'

const rows = withOtherNames(rowsOf<OxdCommand>(oxdCommands))

/** What it has in common with the dispatch of the realm's other clients. */
export interface OxdDispatchOptions
  extends Pick<
    DispatchOptions<OxdCommand>,
    'realm' | 'events' | 'log' | 'metrics' | 'record' | 'accountOf' | 'enter'
  > {
  generation(): OxdGeneration
  isProtected(): boolean
  context(caller: OxdContext['caller']): OxdContext
  siteFor(context: OxdContext, command: OxdCommand, params: object): Promise<object>
}

export function createOxdDispatch({
  generation,
  isProtected,
  context,
  siteFor,
  record,
  ...shared
}: OxdDispatchOptions): OxdDispatch {
  const dispatch = createDispatch<OxdCommand>({
    ...shared,
    rows,
    record: record && ((command, reply) => record(`oxd/${command}`, reply)),
    read: readLeniently,
    shape: (reply, name = '') => shaped(reply, generation(), rows.get(name)?.command.told_as),
    async execute(command, params, caller) {
      const now = context(caller)
      const site = 'oxd_id' in command.params ? await siteFor(now, command, params) : undefined
      return command.run(now, site as never, params as never)
    },
  })
  return {
    ...dispatch,
    get isProtected() {
      return isProtected()
    },
  }
}

function shaped(reply: Reply, generation: OxdGeneration, told_as: OxdCommand['told_as']): object {
  const { status, data } = reply
  if (status === 'error') return { status, data: oxdError(data, generation, told_as) }
  return { status, data: Object.keys(data).length > 0 ? data : null }
}

function withOtherNames<R extends { command: OxdCommand }>(
  named: ReadonlyMap<string, R>,
): ReadonlyMap<string, R> {
  const others = [...named.values()].flatMap((row) =>
    (row.command.names ?? []).map((name): [string, R] => [name, row]),
  )
  return new Map([...named, ...others])
}
