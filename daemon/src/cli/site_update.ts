/** `relyd sites update`: changes a site, its credentials above all. */
import type { Command } from 'commander'
import { askDaemon } from './admin_client.js'
import { withExamples } from './examples.js'
import { wrongUsage } from './exit_codes.js'
import { type ConfigOption, type JsonOption, withConfig, withJson } from './options.js'
import { say, sayJson } from './output.js'
import { sayForOp } from './site_add.js'
import {
  collect,
  given,
  type SiteOptions,
  siteParamsOf,
  warnOfAddresses,
  withSiteOptions,
} from './site_options.js'
import { inOptions } from './site_refusal.js'

type Unsettable = typeof import('../site_settings.js').unsettable[number]

interface UpdateOptions extends ConfigOption, JsonOption, SiteOptions {
  realm?: string
  name?: string
  unset?: Unsettable[]
}

export function addSiteUpdate(sites: Command): void {
  const command = withJson(withConfig(sites.command('update')))
    .description('change a site: all of what is given, or nothing')
    .argument('<site>', 'its name, or the beginning of its oxd_id')
    .option('--realm <realm>', 'where several realms have a site of this name')
    .option('--name <name>', 'its new name')
  withExamples(
    withSiteOptions(command)
      .option(
        '--unset <setting>',
        'a setting, or metadata of the registration, that it shall not have any more; may be repeated',
        collect,
      )
      .addHelpText('after', REMARK),
    ['relyd sites update shop --client-secret-file new_secret.txt', 'the OP gave it a new one'],
    [
      'relyd sites update shop --redirect-uri https://shop.example/callback --redirect-uri https://www.shop.example/callback',
      'all addresses to which logins may come back',
    ],
    ['relyd sites update 3f2a91 --name shop', 'a name for a site that registered itself'],
  ).action(updateSite)
}

const REMARK = `
Logins that are under way go on. Where a redirect URI changed, the site's cfg changes with
\`relyd sites add --cfg\` of the same words.`

async function updateSite(site: string, options: UpdateOptions): Promise<void> {
  const { config, json, realm, name, unset } = options
  if (unset) await checkUnset(unset)
  const change = { ...(await siteParamsOf(options)), ...given({ name, unset }) }
  if (Object.keys(change).length === 0) throw wrongUsage('nothing is given that shall change')
  const changed = await askDaemon(config, 'update_site', {
    ...change,
    ...given({ realm }),
    site,
  }).catch((error: unknown) => {
    throw inOptions(error, options)
  })
  if (options.redirectUri) warnOfAddresses(changed.redirect_uris)
  if (json) return sayJson(changed)
  say(`Changed the site ${changed.name ?? changed.oxd_id} of the realm ${changed.realm}.`)
  say()
  sayForOp(changed)
  if (changed.jwks) sayJson(changed.jwks)
}

/** @throws CliError naming what may be taken away */
async function checkUnset(unset: readonly string[]): Promise<void> {
  const { unsettable } = await import('../site_settings.js')
  const stray = unset.find((name) => !(unsettable as readonly string[]).includes(name))
  if (stray !== undefined) {
    throw wrongUsage(`--unset ${stray} is invalid. Allowed choices are ${unsettable.join(', ')}.`)
  }
}
