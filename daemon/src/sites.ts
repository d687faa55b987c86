/** A bounded cache of sites, because every command of a site begins with it. */
import { LRUCache } from 'lru-cache'
import type { Site, Store } from './store/store.js'

const CACHED_SITES = 10_000

// Another daemon on the same store may change or remove a site; this is how long one may not notice.
const CACHED_MS = 5_000

/** Answers the same object while a site is cached, so that what is derived from it can be kept with it. */
export class SiteCache {
  readonly #store: Store
  readonly #cache = new LRUCache<string, Site>({
    max: CACHED_SITES,
    ttl: CACHED_MS,
    // Until it is read anew the site is known, as `wasKnown` says.
    noDeleteOnStaleGet: true,
  })
  /** Counts changes: what was read before one must not be kept after it. */
  #changes = 0

  constructor(store: Store) {
    this.#store = store
  }

  /** @returns the site, if this realm has it */
  async get(oxd_id: string, realm: string): Promise<Site | undefined> {
    const key = keyOf(oxd_id, realm)
    let site = this.#cache.get(key)
    if (!site) {
      const changes = this.#changes
      site = await this.#store.getSite(oxd_id, realm)
      if (changes !== this.#changes) return site
      if (site) this.#cache.set(key, site)
      else this.#cache.delete(key)
    }
    return site
  }

  /** Whether this was a site of the realm lately, without asking the store. */
  wasKnown(oxd_id: string, realm: string): boolean {
    return this.#cache.peek(keyOf(oxd_id, realm), { allowStale: true }) !== undefined
  }

  async remove(site: Pick<Site, 'oxd_id' | 'realm'>): Promise<void> {
    await this.#store.removeSite(site.oxd_id)
    this.forget(site)
  }

  /** Reads the site anew when it is asked for next: it was changed. */
  forget({ oxd_id, realm }: Pick<Site, 'oxd_id' | 'realm'>): void {
    this.#changes += 1
    this.#cache.delete(keyOf(oxd_id, realm))
  }
}

/** Of both, so that an id of another realm finds as little here as one that nobody has. */
function keyOf(oxd_id: string, realm: string): string {
  return `${realm} ${oxd_id}`
}
