/** What is done with sites in SQLite beside registering them: lists, several at once, changes, renewals. */
import type { Seconds } from '../clock.js'
import type { Exceeded, StoreQuotas } from '../quota.js'
import type { GroupCommit } from './group_commit.js'
import { type Slice, type SliceLimits, sliceOf } from './slice.js'
import type { DueRenewal, ListedSiteRow, SiteRow, Statements } from './statements.js'
import type { AddSites, ListedSite, Site, UpdateSite } from './store.js'

type Quotas = StoreQuotas & { sites: number }

/** What of the store it works with. */
export interface SiteAdminOptions {
  statements(): Statements
  group: GroupCommit
  siteRow(site: Site): SiteRow
  noRoomForSite(realm: string, now: Seconds, quotas: Quotas): Exceeded | undefined
}

/** The part of the store that looks after sites; its methods are the interface's. */
export class SiteAdmin {
  readonly #of: SiteAdminOptions

  constructor(options: SiteAdminOptions) {
    this.#of = options
  }

  async addSites(
    sites: readonly Site[],
    now: Seconds,
    quotas: (realm: string) => Quotas,
  ): Promise<AddSites> {
    const { putSite } = this.#of.statements()
    const rows = sites.map((site) => this.#of.siteRow(site))
    const refusal = new Refusal()
    try {
      await this.#of.group.runSeveral(() => {
        for (const row of rows) {
          refusal.why = this.#whyNot(row, now, quotas(row.realm))
          // Thrown, so that those before it are undone.
          if (refusal.why) throw refusal
          putSite.run(row)
        }
      })
    } catch (error) {
      if (error === refusal && refusal.why) return refusal.why
      throw error
    }
    return 'added'
  }

  async updateSite(site: Site): Promise<UpdateSite> {
    const { updateSite, siteOfName } = this.#of.statements()
    const row = this.#of.siteRow(site)
    return this.#of.group.run(() => {
      const holder = row.name === null ? undefined : siteOfName.get(row.name, row.realm)
      if (holder !== undefined && holder !== row.oxd_id) return 'name_taken'
      return updateSite.run(row).changes > 0 ? 'updated' : 'changed'
    })
  }

  async dueRenewals(realm: string, now: Seconds, limit: number): Promise<DueRenewal[]> {
    return this.#of.statements().dueRenewals.all(realm, now, limit)
  }

  async takeRenewal(oxd_id: string, seen: Seconds, until: Seconds | null): Promise<boolean> {
    const { takeRenewal } = this.#of.statements()
    return this.#of.group.run(() => takeRenewal.run(until, oxd_id, seen).changes > 0)
  }

  async listSites(after: string, limits: SliceLimits): Promise<Slice<ListedSite>> {
    const rows = this.#of.statements().listSites.iterate(after, limits.rows)
    const slice = sliceOf(rows, limits)
    return { ...slice, rows: slice.rows.map(listed) }
  }

  async findSites(text: string, limit: number): Promise<ListedSite[]> {
    const { sitesOfName, sitesOfPrefix } = this.#of.statements()
    const named = sitesOfName.all(text, limit)
    if (named.length > 0) return named.map(listed)
    // Above all that an id has behind such a beginning.
    return sitesOfPrefix.all(text, `${text}\u{10ffff}`, limit).map(listed)
  }

  #whyNot(row: SiteRow, now: Seconds, quotas: Quotas): Exclude<AddSites, 'added'> | undefined {
    const { siteOfName, hadSite } = this.#of.statements()
    const named = row.name === null ? undefined : siteOfName.get(row.name, row.realm)
    const holder = named ?? hadSite.get(row.oxd_id)
    if (holder !== undefined) return { outcome: 'exists', oxd_id: holder }
    const exceeded = this.#of.noRoomForSite(row.realm, now, quotas)
    return exceeded && { outcome: 'exceeded', realm: row.realm, ...exceeded }
  }
}

/** Undoes what of a list was stored before the site that cannot be. */
class Refusal extends Error {
  why: Exclude<AddSites, 'added'> | undefined
}

function listed(row: ListedSiteRow): ListedSite {
  return { ...row, client: JSON.parse(row.client), settings: JSON.parse(row.settings) }
}
