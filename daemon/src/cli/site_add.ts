/** `relyd sites add`: makes a website known to the daemon, and writes its cfg. */
import type { Command } from 'commander'
import type { add_site } from '../admin/commands/add_site.js'
import type { Values } from '../command.js'
import { loadConfig } from '../config/load.js'
import { askDaemon, RefusedError } from './admin_client.js'
import { withExamples } from './examples.js'
import { CliError, exitCodes } from './exit_codes.js'
import { type ConfigOption, type JsonOption, withConfig, withJson } from './options.js'
import { complain, say, sayJson } from './output.js'
import { prepareCfg, type SiteCfg, writeCfg } from './site_cfg.js'
import {
  given,
  requireBoth,
  type SiteOptions,
  siteParamsOf,
  warnOfAddresses,
  withSiteOptions,
} from './site_options.js'
import { inOptions } from './site_refusal.js'

/** As a cfg names it. */
type SiteAddress = Parameters<typeof writeCfg>[1]['address']

type Added = Values<(typeof add_site)['result']>

interface AddOptions extends ConfigOption, JsonOption, SiteOptions {
  op?: string
  clientId?: string
  realm?: string
  cfg?: string
  cfgOwner?: string
  listener?: string
}

export function addSiteAdd(sites: Command): void {
  const command = withJson(withConfig(sites.command('add')))
    .description('make a website known to relyd, with a client that its OP issued')
    .argument('<name>', 'what you call it: lower-case letters, digits, ., - and _')
    .option('--op <url>', "the OP's issuer address; relyd's default OP unless given")
    .option(
      '--client-id <id>',
      'the client that the OP issued; without it, relyd registers one where the OP offers that',
    )
    .option('--realm <realm>', 'the realm it belongs to: default unless given')
  withExamples(
    withSiteOptions(command)
      .option('--cfg <file>', "the site's cfg: made, or its own keys changed; it holds no secret")
      .option('--cfg-owner <user:group>', 'to whom the cfg belongs')
      .option('--listener <name>', 'the listener that the cfg names, where several serve the realm')
      .addHelpText('after', '\nRun again with the same words, it changes nothing.'),
    [
      'relyd sites add shop --op https://accounts.google.com --client-id ID --client-secret-file secret.txt --redirect-uri https://shop.example/callback --cfg /srv/shop/site.cfg --cfg-owner shop',
      "a client with a secret, and the website's cfg",
    ],
    [
      'pass show shop | relyd sites add shop --op https://op.example --client-id ID --client-secret-file - --redirect-uri https://shop.example/callback',
      'the secret from a password manager',
    ],
    [
      'relyd sites add shop --op https://op.example --client-id ID --private-key key.pem --redirect-uri https://shop.example/callback',
      'a client with a key',
    ],
  ).action(addSite)
}

async function addSite(name: string, options: AddOptions): Promise<void> {
  const { config, json, op, clientId, realm, redirectUri, cfgOwner } = options
  if (!redirectUri) {
    throw new CliError(exitCodes.usage, '--redirect-uri is missing: where logins come back to')
  }
  if (cfgOwner !== undefined && options.cfg === undefined) {
    throw new CliError(exitCodes.usage, '--cfg-owner belongs to --cfg')
  }
  requireBoth(clientId, options)
  // Before anything is done: what would stop it in the middle.
  const cfg = options.cfg === undefined ? undefined : prepareCfg(options.cfg, cfgOwner)
  const listener = cfg && (await listenerFor(options))
  const site = await askDaemon(config, 'add_site', {
    ...(await siteParamsOf(options)),
    ...given({ op_host: op, client_id: clientId, realm }),
    name,
    redirect_uris: redirectUri,
  }).catch((error: unknown) => {
    throw inOptions(withAllowedHost(error, config, realm), options)
  })
  if (cfg && listener) {
    writeCfg(cfg, {
      address: addressOf(listener.address),
      oxd_id: site.oxd_id,
      op_host: site.op_host,
      authorization_redirect_uri: site.redirect_uris[0] as string,
      post_logout_redirect_uri: site.post_logout_redirect_uri,
    })
  }
  warnOfAddresses(site.redirect_uris)
  if (json) sayJson({ ...site, ...(cfg && { cfg: cfg.path }) })
  else tell(site, cfg, listener?.tls ? listener.name : undefined)
}

/** By which the site reaches relyd. */
async function listenerFor({ config, realm = 'default', listener }: AddOptions) {
  const { listeners } = await askDaemon(config, 'status')
  const serving = listeners.filter(({ realms }) => realms.includes(realm))
  const found =
    listener === undefined
      ? (serving.find(({ address }) => address.startsWith('unix:')) ?? serving[0])
      : serving.find(({ name }) => name === listener)
  if (!found) {
    const names = serving.map(({ name }) => name).join(', ') || 'none'
    throw new CliError(
      exitCodes.failed,
      `no such listener serves the realm ${realm}; those that do: ${names}`,
    )
  }
  const { listeners: configured } = loadConfig(config)
  return { ...found, tls: configured.some(({ name, tls }) => name === found.name && tls) }
}

function addressOf(address: string): SiteAddress {
  const [, socket] = /^unix:(.+)$/.exec(address) ?? []
  if (socket !== undefined) return { socket }
  const [, host = '', port] = /^\w+:\[?(.+?)\]?:(\d+)$/.exec(address) ?? []
  return { host, port: Number(port) }
}

/** The line to add, where the OP is at an address that only the operator may allow. */
function withAllowedHost(error: unknown, path: string, realm = 'default'): unknown {
  if (!(error instanceof RefusedError) || error.data.error !== 'op_host_not_allowed') return error
  const { host } = (error.data.details ?? {}) as { host?: string }
  const present = loadConfig(path).realms.get(realm)?.allowed_op_hosts ?? []
  const hosts = [...present, host].join(', ')
  return new CliError(
    exitCodes.failed,
    `${error.message}: in ${path}, under [realm ${realm}], write  allowed_op_hosts = ${hosts}  and have relyd read it (systemctl reload-or-restart relyd), then run this again`,
  )
}

/** @param tls_listener that the cfg names, if it has TLS */
function tell(site: Added, cfg: SiteCfg | undefined, tls_listener: string | undefined): void {
  const { name, realm, oxd_id, made, jwks } = site
  say(`${made ? 'Added' : 'There already is'} the site ${name} of the realm ${realm}: ${oxd_id}`)
  if (cfg) {
    say(`Wrote ${cfg.path}, which holds no secret.`)
    if (tls_listener !== undefined) {
      say(
        `The listener ${tls_listener} has TLS: add tls_ca, tls_certificate and tls_key to its [oxd], and make host the name in relyd's certificate (docs/tls.md).`,
      )
    }
    if (cfg.unowned) {
      complain(
        `relyd: WARNING: ${cfg.path} belongs to root, and the website cannot read it; chown it, or run this again with --cfg-owner`,
      )
    }
  } else {
    say(`Its cfg needs, in [oxd]:  id = ${oxd_id}`)
  }
  say()
  sayForOp(site)
  if (jwks) sayJson(jwks)
}

/** What must be entered at the OP, to the letter. */
export function sayForOp(site: Omit<Added, 'made'>): void {
  const { client_id, op_host, post_logout_redirect_uri, certificate_subject, jwks } = site
  const client = `the client ${client_id} (${site.auth_method})`
  say(
    site.registered_by === 'relyd'
      ? `At ${op_host}, relyd registered ${client} with:`
      : `At ${op_host}, ${client} must have:`,
  )
  for (const uri of site.redirect_uris) say(`  redirect URI              ${uri}`)
  if (post_logout_redirect_uri) say(`  post-logout redirect URI  ${post_logout_redirect_uri}`)
  if (certificate_subject) say(`  certificate's subject     ${certificate_subject}`)
  if (jwks) say('  public key (JWKS):')
}
