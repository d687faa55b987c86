#!/usr/bin/env node
/** The command `relyd`: arguments, signals and exit codes. */
import { Command } from 'commander'
import { systemClock } from './clock.js'
import { realmsOf, type TlsConfig } from './config/config.js'
import { loadConfig } from './config/load.js'
import { startDaemon } from './daemon.js'
import { createLog } from './log.js'
import { readTlsFiles } from './server/tls_files.js'
import { StartError } from './start_error.js'
import { StoreError } from './store/errors.js'
import { version } from './version.js'

const DEFAULT_CONFIG = '/etc/relyd/relyd.cfg'

const program = new Command('relyd')
  .description('RELYing-party Daemon: OpenID Connect for websites, over a local socket')
  .version(version)
  .showHelpAfterError('(relyd --help shows all commands)')

program
  .command('serve')
  .description('run the daemon until SIGTERM or SIGINT')
  .option('-c, --config <file>', 'its configuration', DEFAULT_CONFIG)
  .action(async ({ config: path }: { config: string }) => {
    const config = loadConfig(path)
    const daemon = await startDaemon(config, createLog(config.daemon.log_level))
    let stopping = false
    const stop = () => {
      // A second signal is an operator who does not want to wait.
      if (stopping) process.exit(1)
      stopping = true
      daemon.stop().then(() => process.exit(0), fail)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })

program
  .command('check-config')
  .description('read the configuration as `serve` does, and say what it comes to')
  .option('-c, --config <file>', 'the configuration', DEFAULT_CONFIG)
  .action(({ config: path }: { config: string }) => {
    const { daemon, listeners, realms } = loadConfig(path)
    for (const listener of listeners) {
      const { name, address, tls } = listener
      const served = [...realmsOf(listener)].map((realm) => {
        const tokens = realms.get(realm)?.tokens === 'daemon' ? ', tokens stay in the daemon' : ''
        return `realm ${realm}${tokens}`
      })
      console.log(`[listener ${name}] ${[address.text, ...served].join(', ')}`)
      if (tls) describeTls(name, tls)
    }
    console.log(`database ${daemon.database}`)
    console.log(`key file ${daemon.key_file}`)
    if (daemon.insecure_op_hosts?.length) {
      console.log(`UNSAFE: plain http to OPs at ${daemon.insecure_op_hosts.join(', ')}`)
    }
    console.log(`${path} is good`)
  })

function describeTls(listener: string, tls: TlsConfig): void {
  const { names, valid_until, warnings } = readTlsFiles(listener, tls, systemClock())
  console.log(`  TLS certificate ${tls.certificate} (${names}), valid until ${valid_until}`)
  console.log(`  TLS clients of ${tls.client_ca}`)
  for (const [name, realm] of tls.realms ?? []) console.log(`  TLS client ${name}: realm ${realm}`)
  for (const warning of warnings) console.log(`  WARNING: ${warning}`)
}

program.parseAsync().catch(fail)

/** Configuration and surroundings are told in one line; anything else is a fault with its stack. */
function fail(error: unknown): void {
  const expected = error instanceof StartError || error instanceof StoreError
  console.error(expected ? `relyd: ${error.message}` : error)
  process.exit(1)
}
