/** A bounded cache of sites, because every command of a site begins with it. */
import { LRUCache } from 'lru-cache'
import type { Site, Store } from './store/store.js'

const CACHED_SITES = 10_000

// Another daemon on the same store may remove a site; this is how long one may not notice.
const CACHED_MS = 5_000

/** Answers the same object while a site is cached, so that what is derived from it can be kept with it. */
export class SiteCache {
  readonly #store: Store
  readonly #cache = new LRUCache<string, Site>({ max: CACHED_SITES, ttl: CACHED_MS })

  constructor(store: Store) {
    this.#store = store
  }

  /** @returns the site, if this realm has it */
  async get(oxd_id: string, realm: string): Promise<Site | undefined> {
    let site = this.#cache.get(oxd_id)
    if (!site) {
      site = await this.#store.getSite(oxd_id)
      if (site) this.#cache.set(oxd_id, site)
    }
    return site?.realm === realm ? site : undefined
  }

  async remove(oxd_id: string): Promise<void> {
    await this.#store.removeSite(oxd_id)
    this.#cache.delete(oxd_id)
  }
}
