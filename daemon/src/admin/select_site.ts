/** Finds the site that the operator means. */
import type { Realm } from '../context.js'
import { bounded, CommandError } from '../errors.js'
import type { ListedSite, Site } from '../store/store.js'
import type { AdminServices } from './admin_command.js'

/** So many are told when more than one is meant. */
const CANDIDATES = 10

/** Characters of an oxd_id that are taken for its beginning at least. */
const SHORTEST = 4

/** Codes that {@link selectSite} and {@link realmOf} can end with. */
export const selectErrors = ['no_such_site'] as const

/**
 * @param given a name, or the beginning of an oxd_id
 * @throws CommandError `no_such_site`, with those that could be meant
 */
export async function selectSite(
  { store }: Pick<AdminServices, 'store'>,
  given: { site: string; realm?: string },
): Promise<ListedSite> {
  const all = await store.findSites(given.site, CANDIDATES)
  const found = all.filter(
    ({ realm, name }) =>
      (given.realm === undefined || realm === given.realm) &&
      (name === given.site || given.site.length >= SHORTEST),
  )
  const [site, ...others] = found
  if (site && others.length === 0) return site
  const shown = bounded(given.site, 64)
  const where = given.realm === undefined ? '' : ` of the realm ${bounded(given.realm, 32)}`
  throw new CommandError(
    'no_such_site',
    site
      ? `${shown} stands for several sites: ${found.map(describe).join(', ')}; name the realm too, or more of the id`
      : `no site${where} has the name ${shown}, or an id that begins so; \`relyd sites list\` shows all`,
    { details: { field: 'site' } },
  )
}

/** The site with its secrets. @throws CommandError `no_such_site` if it was removed meanwhile */
export async function wholeSite(
  { store }: Pick<AdminServices, 'store'>,
  { oxd_id, realm }: ListedSite,
): Promise<Site> {
  const site = await store.getSite(oxd_id, realm)
  if (!site) throw new CommandError('no_such_site', 'the site was removed just now')
  return site
}

/** The realm at work. @throws CommandError `invalid_request` if no listener serves it */
export function servedRealm({ realms }: Pick<AdminServices, 'realms'>, name: string): Realm {
  const realm = realms.get(name)
  if (realm) return realm
  throw new CommandError(
    'invalid_request',
    `no listener of relyd.cfg serves the realm ${bounded(name, 32)}; those that are served: ${[...realms.keys()].join(', ')}`,
    { details: { field: 'realm' } },
  )
}

function describe({ oxd_id, name, realm }: ListedSite): string {
  return `${name ?? 'unnamed'} of ${realm} (${oxd_id.slice(0, 8)})`
}
