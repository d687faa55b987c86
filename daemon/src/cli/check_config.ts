/** `relyd check-config`: what a configuration comes to, read by the loader that the daemon uses. */
import type { Command } from 'commander'
import { systemClock } from '../clock.js'
import { type Config, realmsOf, type TlsConfig } from '../config/config.js'
import { loadWholeConfig } from '../config/load.js'
import { oxdTerms } from '../config/oxd_realm.js'
import type { RealmPolicy } from '../context.js'
import type { OpOptions } from '../op/op_options.js'
import { readTlsFiles } from '../server/tls_files.js'
import { refuseSharedFolder } from '../store/key_file.js'
import { withExamples } from './examples.js'
import { keyFileOf } from './key_place.js'
import { type ConfigOption, withConfig } from './options.js'
import { say } from './output.js'

export function addCheckConfig(program: Command): void {
  withExamples(
    withConfig(program.command('check-config')).description(
      'read the configuration as `serve` does, and say what it comes to',
    ),
    ['relyd check-config --config /etc/relyd/relyd.cfg', 'before a restart'],
  ).action(({ config }: ConfigOption) => describeConfig(loadWholeConfig(config)))
}

function describeConfig(config: Config): void {
  const { path, daemon, listeners, realms, ops } = config
  const key_file = keyFileOf(config, undefined)
  // What `serve` refuses when it opens them.
  refuseSharedFolder(daemon.database, key_file)
  for (const listener of listeners) {
    const { name, address, tls } = listener
    const served = [...realmsOf(listener)].map((realm) => {
      const policy = realms.get(realm)
      const tokens = policy?.tokens === 'daemon' ? ', tokens stay in the daemon' : ''
      const front = policy?.front_channel_access_tokens
        ? ', UNSAFE: access tokens may pass through browsers'
        : ''
      const oxd = policy?.oxd_clients === undefined ? '' : `, oxd clients (${policy.oxd_clients})`
      return `realm ${realm}${tokens}${oxd}${front}`
    })
    say(`[listener ${name}] ${[address.text, ...served].join(', ')}`)
    if (tls) describeTls(name, tls)
  }
  for (const realm of realms.values()) describeOxdClients(config, realm)
  for (const op of ops.values()) describeOp(op)
  say(`admin socket ${daemon.admin_socket}`)
  say(`database ${daemon.database}`)
  say(`key file ${key_file}`)
  if (daemon.insecure_op_hosts?.length) {
    say(`UNSAFE: plain http to OPs at ${daemon.insecure_op_hosts.join(', ')}`)
  }
  say(`${path} is good`)
}

/** What these clients know nothing of: it should be seen. */
function describeOxdClients(config: Config, realm: RealmPolicy): void {
  if (realm.oxd_clients === undefined) return
  say(`[realm ${realm.name}] oxd clients, answered as by oxD ${realm.oxd_clients}`)
  for (const line of oxdTerms(config, realm)) say(`  ${line}`)
}

/** Each option as it is understood: an exception from the specifications should be seen. */
function describeOp({ name, static: given, ...options }: OpOptions): void {
  say(`[op ${name}] ${options.op_host}`)
  for (const [option, value] of Object.entries(options)) {
    if (option === 'op_host' || value === undefined) continue
    const text = typeof value === 'object' && !Array.isArray(value) ? pairs(value) : String(value)
    say(`  ${option}: ${text}`)
  }
  if (given) {
    const keys = given.jwks
      ? `${given.jwks.keys.length} keys`
      : `keys at ${given.metadata.jwks_uri}`
    say(`  metadata of ${given.metadata.issuer}, ${keys}`)
  }
}

function pairs(values: object): string {
  return Object.entries(values)
    .map((pair) => pair.join('='))
    .join(' ')
}

function describeTls(listener: string, tls: TlsConfig): void {
  const { names, valid_until, warnings } = readTlsFiles(listener, tls, systemClock())
  say(`  TLS certificate ${tls.certificate} (${names}), valid until ${valid_until}`)
  say(`  TLS clients of ${tls.client_ca}`)
  for (const [name, realm] of tls.realms ?? []) say(`  TLS client ${name}: realm ${realm}`)
  for (const warning of warnings) say(`  WARNING: ${warning}`)
}
