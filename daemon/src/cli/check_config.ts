/** `relyd check-config`: what a configuration comes to, read by the loader that the daemon uses. */
import type { Command } from 'commander'
import { systemClock } from '../clock.js'
import { type Config, realmsOf, type TlsConfig } from '../config/config.js'
import { loadConfig } from '../config/load.js'
import { readTlsFiles } from '../server/tls_files.js'
import { type ConfigOption, withConfig } from './options.js'
import { say } from './output.js'

export function addCheckConfig(program: Command): void {
  withConfig(program.command('check-config'))
    .description('read the configuration as `serve` does, and say what it comes to')
    .action(({ config }: ConfigOption) => describeConfig(loadConfig(config)))
}

function describeConfig({ path, daemon, listeners, realms }: Config): void {
  for (const listener of listeners) {
    const { name, address, tls } = listener
    const served = [...realmsOf(listener)].map((realm) => {
      const tokens = realms.get(realm)?.tokens === 'daemon' ? ', tokens stay in the daemon' : ''
      return `realm ${realm}${tokens}`
    })
    say(`[listener ${name}] ${[address.text, ...served].join(', ')}`)
    if (tls) describeTls(name, tls)
  }
  say(`admin socket ${daemon.admin_socket}`)
  say(`database ${daemon.database}`)
  say(`key file ${daemon.key_file}`)
  if (daemon.insecure_op_hosts?.length) {
    say(`UNSAFE: plain http to OPs at ${daemon.insecure_op_hosts.join(', ')}`)
  }
  say(`${path} is good`)
}

function describeTls(listener: string, tls: TlsConfig): void {
  const { names, valid_until, warnings } = readTlsFiles(listener, tls, systemClock())
  say(`  TLS certificate ${tls.certificate} (${names}), valid until ${valid_until}`)
  say(`  TLS clients of ${tls.client_ca}`)
  for (const [name, realm] of tls.realms ?? []) say(`  TLS client ${name}: realm ${realm}`)
  for (const warning of warnings) say(`  WARNING: ${warning}`)
}
