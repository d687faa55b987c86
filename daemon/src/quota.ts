/** Quotas: what a site and its realm may use at most, so that nobody uses up what a neighbour needs. */
import { CommandError } from './errors.js'

/** A limit for each site, and one for all sites of the realm together. */
export interface Limit {
  site: number
  realm: number
}

/** Quotas that have a limit for each site, in the words of an error. */
const shared = {
  pending_logins: 'pending logins',
  sessions: 'sessions',
  store_megabytes: 'megabytes in the store',
  requests: 'requests in flight',
  op_calls: 'calls to OPs in flight',
} as const

/** Quotas of the realm alone. */
const whole = {
  sites: 'sites',
  registrations_per_minute: 'registrations and changes of registrations in this minute',
  lookups_per_minute: 'lookups of OPs in this minute',
} as const

export type SharedQuota = keyof typeof shared
export type RealmQuota = keyof typeof whole

/** A realm's limits, by the options that set them; `<quota>_per_site` sets a site's. */
export type Quotas = Record<SharedQuota, Limit> & Record<RealmQuota, number>

/** Those that the store counts. */
export type StoreQuotas = Pick<Quotas, 'pending_logins' | 'sessions' | 'store_megabytes'>

/** Which limit is reached. */
export interface Exceeded {
  quota: SharedQuota | RealmQuota
  level: 'site' | 'realm'
}

/** What is used, and how many sites the realm's limit is for. */
export interface Usage {
  site: number
  realm: number
  sites: number
}

/**
 * Whether one more would be too many. A realm that is full still gives each of its sites an equal
 * share of the limit: who floods it keeps nobody else out.
 *
 * @returns the level whose limit is reached
 */
export function levelReached(limit: Limit, used: Usage): Exceeded['level'] | undefined {
  if (used.site >= limit.site) return 'site'
  const share = limit.realm / Math.max(used.sites, 1)
  return used.realm >= limit.realm && used.site >= share ? 'realm' : undefined
}

/** The refusal, naming the quota and the option that sets it. */
export function quotaExceeded(
  realm: { name: string; quotas: Quotas },
  { quota, level }: Exceeded,
): CommandError {
  const limits = realm.quotas[quota]
  const limit = typeof limits === 'number' ? limits : limits[level]
  const words = { ...shared, ...whole }[quota]
  const option = level === 'site' ? `${quota}_per_site` : quota
  const whose = level === 'site' ? 'this site has' : 'the sites of this realm together have'
  return new CommandError(
    'quota_exceeded',
    `${whose} as many ${words} as ${option} of [realm ${realm.name}] allows: ${limit}`,
    { details: { quota, option, limit } },
  )
}

/** Counts what is in flight, by site, against one quota. */
export class InFlight {
  /** May change; what is in flight beyond it then may stay. */
  limit: Limit
  readonly #sites = new Map<string, number>()
  #total = 0

  constructor(limit: Limit) {
    this.limit = limit
  }

  /** How many places are taken. */
  get total(): number {
    return this.#total
  }

  /** Takes a place, unless that is one too many. @returns the level whose limit is reached */
  enter(site: string): Exceeded['level'] | undefined {
    const used = this.#sites.get(site) ?? 0
    const sites = this.#sites.size + (used === 0 ? 1 : 0)
    const reached = levelReached(this.limit, { site: used, realm: this.#total, sites })
    if (reached) return reached
    this.#sites.set(site, used + 1)
    this.#total += 1
    return undefined
  }

  /** Gives a place back that {@link enter} gave. */
  leave(site: string): void {
    const used = this.#sites.get(site) ?? 0
    if (used > 1) this.#sites.set(site, used - 1)
    else this.#sites.delete(site)
    this.#total -= 1
  }
}
