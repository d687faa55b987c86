/** OPs' documents for who asks about an OP, whether or not a site is there. */
import type { Context } from './context.js'
import { readOpHost } from './op/op_host.js'
import type { Provider } from './op/provider.js'
import { quotaExceeded } from './quota.js'

/** Codes that a lookup can end with. */
export const lookupErrors = [
  'invalid_op_host',
  'op_host_not_allowed',
  'no_connect_discovery_response',
  'invalid_op_metadata',
  'op_unreachable',
  'invalid_op_response',
] as const

type LookupContext = Pick<
  Context<(typeof lookupErrors)[number]>,
  'realm' | 'op' | 'settings' | 'refuse'
>

/**
 * Says no to more questions than the realm may ask: they make the daemon call hosts that whoever
 * asks has chosen.
 *
 * @throws CommandError `quota_exceeded`
 */
export function takeLookup(realm: LookupContext['realm']): void {
  if (realm.lookups.take()) return
  throw quotaExceeded(realm, { quota: 'lookups_per_minute', level: 'realm' })
}

/**
 * The documents of an OP, asking it only where they are not known. No site more is there for it.
 *
 * @param op_host as it was given; without it, the daemon's default OP
 */
export async function lookUp(
  context: LookupContext,
  op_host: string | undefined,
  discovery_path?: string,
): Promise<Provider> {
  const { realm, op, settings, refuse } = context
  const named = op_host ?? settings.default_op
  if (named === undefined) {
    return refuse('invalid_op_host', 'op_host is missing, and the daemon has no default_op', {
      details: { field: 'op_host' },
    })
  }
  const place = readOpHost(op.http, named, discovery_path)
  const url = new URL(place)
  // A copy may be older than the policy.
  if (op.http.policy.refuses(url)) throw op.http.policy.refusal(url)
  const known = await op.providers.known(place)
  if (known) return known
  takeLookup(realm)
  return op.providers.visit(place)
}
