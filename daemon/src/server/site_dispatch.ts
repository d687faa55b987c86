/** Runs the requests of a realm's sites: each for its own site, within its quotas. */
import type { Command } from '../command.js'
import { commands } from '../commands/index.js'
import type { Context, Realm } from '../context.js'
import { CommandError, type ErrorCode } from '../errors.js'
import type { RealmInForce } from '../in_force.js'
import { CommandMetrics } from '../metrics/command_metrics.js'
import { quotaExceeded } from '../quota.js'
import { createDispatch, type Dispatch, refuse, rowsOf } from './dispatch.js'
import type { Request } from './envelope.js'
import { createOxdDispatch } from './oxd_dispatch.js'
import type { Recorder } from './record.js'

const rows = rowsOf<Command>(commands)

/** Its clients have nothing to show that would protect a command. */
function refuseWhereProtected({ protect_commands_with_access_token }: Realm): void {
  if (!protect_commands_with_access_token) return
  throw new CommandError(
    'unsupported_operation',
    'this realm has protect_commands_with_access_token = yes, and serves oxd clients only; have the operator give you a listener of another realm',
  )
}

type Params = Record<string, unknown>

/** What all commands have that begin between two reloads. */
type RealmContext = Omit<Context<ErrorCode>, 'caller'>

/**
 * @param inForce asked once for each command, which ends under what it began with; the same object
 * until a reload
 */
export function createSiteDispatch(inForce: () => RealmInForce, record?: Recorder): Dispatch {
  const { realm, services } = inForce()
  let from: RealmInForce | undefined
  let context: RealmContext
  const now = (): RealmContext => {
    const latest = inForce()
    if (latest === from) return context
    from = latest
    context = { ...latest.services, realm: latest.realm, op: latest.realm.op, refuse }
    return context
  }
  const shared = {
    realm: realm.name,
    events: services.events,
    log: services.log,
    metrics: new CommandMetrics(services.metrics, realm.name),
    record,
    accountOf: (request: Request) => accountOf(now(), request),
    enter(account: string) {
      const { realm } = now()
      const level = realm.requests.enter(account)
      if (level) throw quotaExceeded(realm, { quota: 'requests', level })
      return () => realm.requests.leave(account)
    },
  }
  const oxd = createOxdDispatch({
    ...shared,
    generation: () => now().realm.oxd_clients,
    isProtected: () => now().realm.protect_commands_with_access_token,
    context: (caller, protection_access_token) => ({ ...now(), caller, protection_access_token }),
    siteFor: (context, command, params) => siteFor(context, command, params as Params),
  })
  const own = createDispatch({
    ...shared,
    rows,
    async execute(command, params, caller) {
      const context = now()
      refuseWhereProtected(context.realm)
      const site = 'oxd_id' in command.params ? await siteFor(context, command, params) : undefined
      return command.run({ ...context, caller }, site as never, params as never)
    },
  })
  return {
    ...own,
    get oxd() {
      return now().realm.oxd_clients === undefined ? undefined : oxd
    },
  }
}

/**
 * Whose quotas and turns a request uses: its site's, if there is such a site. All other requests of
 * the realm share one account, or whoever makes ids up would have as many as he likes.
 */
function accountOf({ sites, realm }: RealmContext, { params }: Request): string {
  const { oxd_id } = params
  return typeof oxd_id === 'string' && sites.wasKnown(oxd_id, realm.name) ? oxd_id : ''
}

async function siteFor(
  { sites, realm, renewals }: RealmContext,
  { asks_op }: Pick<Command, 'asks_op'>,
  params: Params,
): Promise<object> {
  const site = await sites.get(params['oxd_id'] as string, realm.name)
  // The same words whether the id is another realm's or nobody's.
  if (!site) throw new CommandError('invalid_oxd_id', 'no site of this realm has this oxd_id')
  return asks_op ? renewals.ifExpired(realm, site) : site
}
