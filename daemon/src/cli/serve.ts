/** `relyd serve`: the daemon itself, until a signal ends it. */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Command } from 'commander'
import { ownerOf } from '../as_owner.js'
import { loadWholeConfig } from '../config/load.js'
import { guardFailures } from '../crash.js'
import { openLog } from '../log.js'
import { StartError } from '../start_error.js'
import { withExamples } from './examples.js'
import { fail } from './fail.js'
import { hearHangUps } from './hang_up.js'
import { type ConfigOption, withConfig } from './options.js'

export function addServe(program: Command): void {
  withExamples(
    withConfig(program.command('serve')).description(
      'run the daemon until SIGTERM or SIGINT; SIGHUP reloads its configuration',
    ),
    ['relyd serve --config relyd.cfg', 'in a terminal, to try a configuration'],
  ).action(({ config }: ConfigOption) => serve(config))
}

/** A daemon does not lay its rights down for each file, as commands of root do. */
function refuseForeignState(database: string): void {
  const owner = existsSync(dirname(database)) ? ownerOf(database) : undefined
  if (!owner) return
  throw new StartError(
    `${owner.folder} belongs to ${owner.name}, and root shall not work in it: run the daemon as that ` +
      'user, as the unit does (systemctl start relyd)',
  )
}

async function serve(path: string): Promise<void> {
  const hang_ups = hearHangUps()
  const config = loadWholeConfig(path)
  refuseForeignState(config.daemon.database)
  const log = await openLog(config.daemon.log_level, config.daemon.log_format)
  guardFailures(log)
  // Only here, for it brings most of the program with it, and the other commands are quick.
  const { startDaemon } = await import('../daemon.js')
  const daemon = await startDaemon(config, log)
  hang_ups.answer(() => daemon.reload())
  let stopping = false
  const stop = () => {
    // A second signal is an operator who does not want to wait.
    if (stopping) process.exit(1)
    stopping = true
    hang_ups.answer(() => log.warn('not reloaded, as the daemon is stopping'))
    daemon.stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}
