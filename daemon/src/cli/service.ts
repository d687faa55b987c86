/** `relyd service`: relyd as a service of systemd, laid down and taken away. */
import type { Command } from 'commander'
import type { SocketOwner } from '../service/header.js'
import type { Programs } from '../service/units.js'
import { StartError } from '../start_error.js'
import { withExamples } from './examples.js'
import { wrongUsage } from './exit_codes.js'
import { say } from './output.js'
import { collect } from './site_options.js'

interface ServiceOptions {
  root?: string
  dryRun?: boolean
}

export function addService(program: Command): void {
  const service = program
    .command('service')
    .description('relyd as a service of systemd: install, uninstall')
  const subcommand = (name: string, description: string) =>
    service
      .command(name)
      .description(description)
      .option('--root <folder>', 'the root of an image, instead of this host; nothing is run then')
      .option('--dry-run', 'say what would be done, and do nothing')
  withExamples(
    subcommand(
      'install',
      'lay down units, user, configuration and key; run again, it brings them up to date',
    )
      .option(
        '--socket <listener:user[:group]>',
        'a socket of its own for a website, which only this user may open; may be repeated',
        collect,
      )
      .option('--node <path>', 'the node that the unit runs, instead of this one')
      .option('--relyd <path>', 'the relyd that the unit runs, instead of this one'),
    ['sudo relyd service install', 'units, user, configuration and key, on a host with systemd'],
    [
      'sudo relyd service install --socket shop:www-shop --socket blog:www-blog',
      'a socket for each of several websites',
    ],
    ['relyd service install --root ./image', "below an image's root"],
  ).action(install)
  withExamples(
    subcommand(
      'uninstall',
      'take away what install laid down; configuration, key and state stay',
    ).option(
      '--purge',
      'remove configuration, key and state too: all sites and sessions, for good',
    ),
    ['sudo relyd service uninstall --dry-run', 'what would go'],
  ).action(async (options: ServiceOptions & { purge?: boolean }) => {
    const { uninstallService } = await import('../service/uninstall.js')
    uninstallService({ ...options, say })
  })
}

async function install({
  socket = [],
  ...options
}: ServiceOptions & Partial<Programs> & { socket?: string[] }): Promise<void> {
  const { installService } = await import('../service/install.js')
  const { socketOwner } = await import('../service/header.js')
  let sockets: SocketOwner[]
  try {
    sockets = socket.map(socketOwner)
  } catch (error) {
    throw error instanceof StartError ? wrongUsage(error.message) : error
  }
  installService({ ...options, sockets, say })
}
