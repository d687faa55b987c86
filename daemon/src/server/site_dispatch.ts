/** Runs the requests of a realm's sites: each for its own site, within its quotas. */
import type { Command } from '../command.js'
import { commands } from '../commands/index.js'
import type { Context, Realm, Services } from '../context.js'
import { CommandError, type ErrorCode } from '../errors.js'
import { quotaExceeded } from '../quota.js'
import { createDispatch, type Dispatch, refuse, rowsOf } from './dispatch.js'
import type { Request } from './envelope.js'
import type { Recorder } from './record.js'

/** Settings and policy of a realm as they are now; a reload puts others in their place, as a whole. */
export interface RealmInForce {
  services: Services
  realm: Realm
}

const rows = rowsOf<Command>(commands)

/** @param inForce asked once for each command, which ends under what it began with */
export function createSiteDispatch(inForce: () => RealmInForce, record?: Recorder): Dispatch {
  const { realm, services } = inForce()
  return createDispatch({
    realm: realm.name,
    events: services.events,
    log: services.log,
    rows,
    record,
    accountOf: (request) => accountOf(inForce(), request),
    enter(account) {
      const { realm: now } = inForce()
      const level = now.requests.enter(account)
      if (level) throw quotaExceeded(now, { quota: 'requests', level })
      return () => now.requests.leave(account)
    },
    async execute(command, params, caller) {
      const now = inForce()
      const site = 'oxd_id' in command.params ? await siteFor(now, params) : undefined
      const context: Context<ErrorCode> = {
        ...now.services,
        realm: now.realm,
        op: now.realm.op,
        caller,
        refuse,
      }
      return command.run(context, site as never, params as never)
    },
  })
}

/**
 * Whose quotas and turns a request uses: its site's, if there is such a site. All other requests of
 * the realm share one account, or whoever makes ids up would have as many as he likes.
 */
function accountOf({ services, realm }: RealmInForce, { params }: Request): string {
  const { oxd_id } = params
  return typeof oxd_id === 'string' && services.sites.wasKnown(oxd_id, realm.name) ? oxd_id : ''
}

async function siteFor(
  { services, realm }: RealmInForce,
  params: Record<string, unknown>,
): Promise<object> {
  const site = await services.sites.get(params['oxd_id'] as string, realm.name)
  // The same words whether the id is another realm's or nobody's.
  if (!site) throw new CommandError('invalid_oxd_id', 'no site of this realm has this oxd_id')
  return site
}
