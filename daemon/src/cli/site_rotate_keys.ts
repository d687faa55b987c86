/** `relyd sites rotate-keys`: new keys for a site, before the old ones are old. */
import type { Command } from 'commander'
import { askDaemon } from './admin_client.js'
import { withExamples } from './examples.js'
import { type ConfigOption, type JsonOption, withConfig, withJson } from './options.js'
import { say, sayJson } from './output.js'

interface RotateOptions extends ConfigOption, JsonOption {
  realm?: string
}

export function addSiteRotateKeys(sites: Command): void {
  withExamples(
    withJson(withConfig(sites.command('rotate-keys')))
      .description('replace the keys that relyd made for a site, and tell the OP of the new ones')
      .argument('<site>', 'its name, or the beginning of its oxd_id')
      .option('--realm <realm>', 'where several realms have a site of this name'),
    ['relyd sites rotate-keys shop', 'when its keys may have got into wrong hands'],
  ).action(rotateKeys)
}

async function rotateKeys(site: string, options: RotateOptions): Promise<void> {
  const { config, json, realm } = options
  const rotated = await askDaemon(config, 'rotate_keys', {
    site,
    ...(realm !== undefined && { realm }),
  })
  if (json) return sayJson(rotated)
  const { name, oxd_id, told, signs_from, op_host, jwks } = rotated
  say(`The site ${name ?? oxd_id} of the realm ${rotated.realm} has new keys.`)
  const from = signs_from === undefined ? undefined : new Date(signs_from * 1000).toISOString()
  if (told === 'update') say(`${op_host} was told of them, and they are in use.`)
  else
    say(
      `${op_host} fetches them from the site's jwks_uri${from ? `; they sign from ${from}` : ''}.`,
    )
  say()
  if (jwks) sayJson(jwks)
}
