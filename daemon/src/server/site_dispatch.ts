/** Runs the requests of a realm's sites: each for its own site, within its quotas. */
import type { Command } from '../command.js'
import { commands } from '../commands/index.js'
import type { Context, Realm, Services } from '../context.js'
import { CommandError, type ErrorCode } from '../errors.js'
import { CommandMetrics } from '../metrics/command_metrics.js'
import type { Metrics } from '../metrics/metrics.js'
import { quotaExceeded } from '../quota.js'
import { createDispatch, type Dispatch, refuse, rowsOf } from './dispatch.js'
import type { Request } from './envelope.js'
import type { Recorder } from './record.js'

/** What all requests of a realm share. */
type RealmContext = Omit<Context<ErrorCode>, 'caller'>

const rows = rowsOf<Command>(commands)

export function createSiteDispatch(
  services: Services,
  realm: Realm,
  metrics: Metrics,
  record?: Recorder,
): Dispatch {
  const context: RealmContext = { ...services, realm, op: realm.op, refuse }
  return createDispatch({
    realm: realm.name,
    events: services.events,
    log: services.log,
    metrics: new CommandMetrics(metrics, realm.name),
    rows,
    record,
    accountOf: (request) => accountOf(context, request),
    enter(account) {
      const level = realm.requests.enter(account)
      if (level) throw quotaExceeded(realm, { quota: 'requests', level })
      return () => realm.requests.leave(account)
    },
    async execute(command, params, caller) {
      const site = 'oxd_id' in command.params ? await siteFor(context, params) : undefined
      return command.run({ ...context, caller }, site as never, params as never)
    },
  })
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
  { sites, realm }: RealmContext,
  params: Record<string, unknown>,
): Promise<object> {
  const site = await sites.get(params['oxd_id'] as string, realm.name)
  // The same words whether the id is another realm's or nobody's.
  if (!site) throw new CommandError('invalid_oxd_id', 'no site of this realm has this oxd_id')
  return site
}
