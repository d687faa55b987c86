/** `relyd serve`: the daemon itself, until a signal ends it. */
import type { Command } from 'commander'
import { loadConfig } from '../config/load.js'
import { guardFailures } from '../crash.js'
import { openLog } from '../log.js'
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

async function serve(path: string): Promise<void> {
  const hang_ups = hearHangUps()
  const config = loadConfig(path)
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
