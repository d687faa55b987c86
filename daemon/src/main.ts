#!/usr/bin/env node
/** The command `relyd`: arguments, signals and exit codes. */
import { Command } from 'commander'
import { systemClock } from './clock.js'
import { realmsOf, type TlsConfig } from './config/config.js'
import { loadConfig } from './config/load.js'
import { guardFailures, guardOutput } from './crash.js'
import { bounded } from './errors.js'
import { describeFault } from './faults.js'
import { addKey, type KeyOptions, listKeys, retireKey } from './key_command.js'
import { createLog } from './log.js'
import { readTlsFiles } from './server/tls_files.js'
import { StartError } from './start_error.js'
import { StoreError } from './store/errors.js'
import { version } from './version.js'

const DEFAULT_CONFIG = '/etc/relyd/relyd.cfg'

/** Longest line for the terminal; what it quotes of a file or a path may be anything. */
const LINE = 2000

guardOutput()

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
    const log = createLog(config.daemon.log_level)
    guardFailures(log)
    // Only here, for it brings most of the program with it, and the other commands are quick.
    const { startDaemon } = await import('./daemon.js')
    const daemon = await startDaemon(config, log)
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
      say(`[listener ${name}] ${[address.text, ...served].join(', ')}`)
      if (tls) describeTls(name, tls)
    }
    say(`database ${daemon.database}`)
    say(`key file ${daemon.key_file}`)
    if (daemon.insecure_op_hosts?.length) {
      say(`UNSAFE: plain http to OPs at ${daemon.insecure_op_hosts.join(', ')}`)
    }
    say(`${path} is good`)
  })

const key = program
  .command('key')
  .description('the keys that encrypt secrets in the database: show, add, retire')

function keyCommand(name: string, description: string): Command {
  return key
    .command(name)
    .description(description)
    .option('-c, --config <file>', "the daemon's configuration", DEFAULT_CONFIG)
    .option(
      '--key-file <file>',
      'the file of keys, where the daemon gets it as a systemd credential (LoadCredential=)',
    )
}

keyCommand('list', 'show the keys, and how many rows are encrypted with each')
  .option('--json', 'for programs')
  .action((options: KeyOptions & { json?: true }) => listKeys(options))

keyCommand(
  'add',
  'add a new key, which encrypts from then on; makes the file if there is none',
).action((options: KeyOptions) => addKey(options))

keyCommand('retire', 'remove a key with which nothing is encrypted any more')
  .argument('<id>', 'the key, as `relyd key list` shows it')
  .action((id: string, options: KeyOptions) => retireKey(id, options))

function describeTls(listener: string, tls: TlsConfig): void {
  const { names, valid_until, warnings } = readTlsFiles(listener, tls, systemClock())
  say(`  TLS certificate ${tls.certificate} (${names}), valid until ${valid_until}`)
  say(`  TLS clients of ${tls.client_ca}`)
  for (const [name, realm] of tls.realms ?? []) say(`  TLS client ${name}: realm ${realm}`)
  for (const warning of warnings) say(`  WARNING: ${warning}`)
}

program.parseAsync().catch(fail)

function say(line: string): void {
  console.log(bounded(line, LINE))
}

/** Configuration and surroundings are told in one line; anything else is a fault with its stack. */
function fail(error: unknown): void {
  if (error instanceof StartError || error instanceof StoreError) {
    console.error(bounded(`relyd: ${error.message}`, LINE))
  } else {
    const { stack, causes = [] } = describeFault(error)
    for (const text of [stack, ...causes]) {
      for (const line of text.split('\n')) console.error(bounded(line, LINE))
    }
  }
  process.exit(1)
}
