/** Whether a site gets to see the tokens of its logins. */
import type { RealmPolicy } from './context.js'
import type { Site, SiteSettings } from './store/store.js'

/** A realm's `tokens = daemon` cannot be loosened by a site. */
export function tokenPolicy(realm: RealmPolicy, site: Site): SiteSettings['tokens'] {
  return realm.tokens === 'daemon' ? 'daemon' : site.settings.tokens
}
