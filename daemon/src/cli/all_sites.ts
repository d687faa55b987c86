/** Every site of the daemon, or of a realm, page by page. */
import type { DescribedSite } from '../admin/site_result.js'
import { askDaemon } from './admin_client.js'
import { CliError, exitCodes } from './exit_codes.js'

/** @throws CliError if there is no such realm */
export async function allSites(
  config: string,
  realm: string | undefined,
): Promise<DescribedSite[]> {
  const sites: DescribedSite[] = []
  let after: string | undefined
  do {
    const page = await askDaemon(config, 'list_sites', {
      ...(realm !== undefined && { realm }),
      ...(after && { after }),
    })
    sites.push(...page.sites)
    after = page.next
  } while (after !== undefined)
  if (sites.length === 0 && realm !== undefined) await requireRealm(config, realm)
  return sites
}

/** What has no sites may be a mistyped name. */
async function requireRealm(config: string, realm: string): Promise<void> {
  const { listeners } = await askDaemon(config, 'status')
  const served = new Set(listeners.flatMap(({ realms }) => realms))
  if (served.has(realm)) return
  throw new CliError(
    exitCodes.failed,
    `there is no realm ${realm}: no listener serves it, and no site is of it; those that are served: ${[...served].join(', ')}`,
  )
}
