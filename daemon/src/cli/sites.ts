/** `relyd sites`: the websites that the daemon serves. */
import type { Command } from 'commander'
import type { DescribedSite } from '../admin/site_result.js'
import { askDaemon, RefusedError } from './admin_client.js'
import { allSites } from './all_sites.js'
import { withExamples } from './examples.js'
import { CliError, exitCodes } from './exit_codes.js'
import { type ConfigOption, type JsonOption, withConfig, withJson } from './options.js'
import { complain, counted, dateOf, say, sayJson, sayTable } from './output.js'
import { addSiteAdd, sayForOp } from './site_add.js'
import { addSiteCarry } from './site_carry.js'
import { addSiteRotateKeys } from './site_rotate_keys.js'
import { addSiteUpdate } from './site_update.js'

interface RealmOptions extends ConfigOption, JsonOption {
  realm?: string
}

interface RemoveOptions extends RealmOptions {
  yes?: true
  keepAtOp?: true
}

export function addSites(program: Command): void {
  const sites = program
    .command('sites')
    .description('the websites that relyd serves: add, list, show, update, remove, export, import')
  addSiteAdd(sites)
  const withRealm = (command: Command, description: string) =>
    withJson(withConfig(command)).option('--realm <realm>', description)
  withExamples(
    withRealm(sites.command('list'), 'only those of this realm').description(
      'list the sites of all realms',
    ),
    ['relyd sites list', 'names, OPs, and how many are logged in'],
  ).action(listSites)
  const SEVERAL = 'where several realms have a site of this name'
  withExamples(
    withRealm(sites.command('show'), SEVERAL)
      .description('show a site, and what its OP must know of it; no secrets')
      .argument('<site>', 'its name, or the beginning of its oxd_id'),
    ['relyd sites show shop', 'the addresses to enter at its OP, too'],
  ).action(showSite)
  addSiteUpdate(sites)
  addSiteRotateKeys(sites)
  withExamples(
    withRealm(sites.command('remove'), SEVERAL)
      .description('forget a site with its credentials, logins and sessions')
      .argument('<site>', 'its name, or the beginning of its oxd_id')
      .option('--yes', 'also if it has sessions, which end')
      .option('--keep-at-op', 'leave at the OP what relyd registered there'),
    ['relyd sites remove shop --yes', 'with the sessions that it has'],
  ).action(removeSite)
  addSiteCarry(sites)
}

async function listSites({ config, realm, json }: RealmOptions): Promise<void> {
  const sites = await allSites(config, realm)
  sites.sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
  if (json) return sayJson({ sites })
  const rows = sites.map(({ name = '-', oxd_id, op_host, client_id, auth_method, ...site }) => [
    name,
    site.realm,
    oxd_id.slice(0, 8),
    op_host,
    client_id,
    auth_method,
    String(site.sessions),
  ])
  for (const { name, oxd_id, fault } of sites) {
    if (fault !== undefined) complain(`relyd: WARNING: site ${name ?? oxd_id}: ${fault}`)
  }
  sayTable([['NAME', 'REALM', 'ID', 'OP', 'CLIENT', 'METHOD', 'SESSIONS'], ...rows], 1)
}

/** By realm, then by name; those without one come last. */
function keyOf({ realm, name, oxd_id }: DescribedSite): string {
  return `${realm} ${name ?? `~${oxd_id}`}`
}

async function showSite(site: string, { config, realm, json }: RealmOptions): Promise<void> {
  const shown = await askDaemon(config, 'show_site', { site, ...inRealm(realm) })
  if (json) return sayJson(shown)
  const { jwks, redirect_uris: _, post_logout_redirect_uri: __, client_metadata, ...rest } = shown
  const rows = Object.entries({ ...rest, ...client_metadata })
  const width = Math.max(...rows.map(([name]) => name.length)) + 2
  for (const [name, value] of rows) {
    const isTime = /_at$/.test(name) && typeof value === 'number' && value > 0
    say(`${name.padEnd(width)}${isTime ? dateOf(value) : [value].flat().join(' ')}`)
  }
  say()
  sayForOp(shown)
  if (jwks) sayJson(jwks)
}

async function removeSite(site: string, options: RemoveOptions): Promise<void> {
  const { config, realm, json, yes, keepAtOp } = options
  const removed = await askDaemon(config, 'remove_site', {
    site,
    ...inRealm(realm),
    ...(yes && { end_sessions: true }),
    ...(keepAtOp && { keep_at_op: true }),
  }).catch((error: unknown) => {
    throw withWayOut(error, site)
  })
  if (json) return sayJson(removed)
  const { name, oxd_id, removed_at_op } = removed
  say(`Removed the site ${name ?? oxd_id} of the realm ${removed.realm}.`)
  if (removed_at_op) say('Its OP removed the registration too.')
  else say('Its client is still known to its OP; have it removed there.')
}

function withWayOut(error: unknown, site: string): unknown {
  if (!(error instanceof RefusedError)) return error
  if (error.data.error !== 'site_has_sessions') {
    const told = error.data.error_description.replaceAll('keep_at_op', '--keep-at-op')
    return new RefusedError({ ...error.data, error_description: told })
  }
  const { sessions } = error.data.details as { sessions: number }
  return new CliError(
    exitCodes.failed,
    `the site ${site} has ${counted(sessions, 'session')}, which would end; say --yes to remove it all the same`,
  )
}

function inRealm(realm: string | undefined): { realm?: string } {
  return realm === undefined ? {} : { realm }
}
