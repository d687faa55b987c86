/** Logins of oxd clients, which know nothing of a binding. */
import type { Site } from '../store/store.js'

/** The site as one whose logins are bound to no browser, wherever it was registered. */
export function unbound(site: Site): Site {
  return { ...site, settings: { ...site.settings, login_binding: 'none' } }
}
