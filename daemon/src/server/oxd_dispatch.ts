/** Runs the requests of a realm's oxd clients, within the same quotas as all others of the realm. */

import { token } from '../command.js'
import type { OxdGeneration } from '../context.js'
import { CommandError } from '../errors.js'
import { oxdCommands } from '../oxd/commands/index.js'
import { oxdError } from '../oxd/errors.js'
import type { OxdCommand, OxdContext } from '../oxd/oxd_command.js'
import { readLeniently } from '../oxd/params.js'
import { checkProtection, checkShown } from '../oxd/protection.js'
import type { Site } from '../store/store.js'
import { noOxdClients } from './connection.js'
import { createDispatch, type DispatchOptions, type OxdDispatch, rowsOf } from './dispatch.js'
import type { Reply } from './envelope.js'

const rows = withOtherNames(rowsOf<OxdCommand>(withToken(oxdCommands)))

/** What it has in common with the dispatch of the realm's other clients. */
export interface OxdDispatchOptions
  extends Pick<
    DispatchOptions<OxdCommand>,
    'realm' | 'events' | 'log' | 'metrics' | 'record' | 'accountOf' | 'enter'
  > {
  /** None, once the realm serves no oxd clients any more. */
  generation(): OxdGeneration | undefined
  isProtected(): boolean
  context(caller: OxdContext['caller'], protection_access_token: string | undefined): OxdContext
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
    read(command, { params, lacks_params }) {
      if (lacks_params && takesAny(command)) throw withoutParams
      return readLeniently(command, params)
    },
    shape: (reply, name = '') => shaped(reply, generation(), rows.get(name)?.command),
    async execute(command, { protection_access_token, ...params }, caller) {
      // On connections of before.
      if (generation() === undefined) throw noOxdClients
      const now = context(caller, protection_access_token as string | undefined)
      // Before the site is looked for, so that nobody learns which there are.
      if (!command.unprotected) checkShown(now)
      const site = 'oxd_id' in params ? ((await siteFor(now, command, params)) as Site) : undefined
      if (site && !command.unprotected) await checkProtection(now, site)
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

const withoutParams = new CommandError(
  'internal_error',
  'params are missing; they are an object: {"params":{}}',
)

/** Whether it has parameters of its own. */
function takesAny({ params: { protection_access_token: _, ...own } }: OxdCommand): boolean {
  return Object.keys(own).length > 0
}

/** Every command takes it, whether or not it is looked at. */
function withToken(commands: Record<string, OxdCommand>): Record<string, OxdCommand> {
  const protection_access_token = token({ doc: 'An access token of the setup client of the site.' })
  return Object.fromEntries(
    Object.entries(commands).map(([name, command]) => [
      name,
      { ...command, params: { ...command.params, protection_access_token } },
    ]),
  )
}

function shaped(reply: Reply, generation: OxdGeneration | undefined, command?: OxdCommand): object {
  const { status, data } = reply
  if (status === 'error') return { status, data: oxdError(data, generation, command) }
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
