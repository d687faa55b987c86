/** Quotas that no test reaches by chance. */
import { OpPlaces } from '../../daemon/src/op/op_places.js'
import type { Limit, Quotas } from '../../daemon/src/quota.js'

const limit: Limit = { site: 1_000_000, realm: 1_000_000 }

export const ample: Quotas = {
  sites: 1_000_000,
  registrations_per_minute: 1_000_000,
  lookups_per_minute: 1_000_000,
  pending_logins: limit,
  sessions: limit,
  store_megabytes: limit,
  requests: limit,
  op_calls: limit,
}

export const amplePlaces = new OpPlaces(ample.op_calls, ({ quota }) => new Error(quota))
