/** Takes a changed relyd.cfg over while the daemon runs (SIGHUP), or says what is wrong with it and changes nothing. */
import type { Config } from './config/config.js'
import { loadWholeConfig } from './config/load.js'
import { type Change, planReload } from './config/reload.js'
import { describeFault } from './faults.js'
import type { InForce } from './in_force.js'
import type { Log } from './log.js'
import type { Server } from './server/server.js'
import { StartError } from './start_error.js'
import { StoreError } from './store/errors.js'
import { refuseSharedFolder } from './store/key_file.js'

/** What a reload came to. */
export type Reloaded =
  | { changed: Record<string, Change>; certificates: string[]; needs_restart: string[] }
  | { refused: string }

/** What a reload works on. */
export interface Reloading {
  in_force: InForce
  server: Server
  log: Log
}

/** Nothing runs in between: a command sees all of it or nothing. */
export function reload({ in_force, server, log }: Reloading): Reloaded {
  const { path } = in_force.config
  let read: Config
  let renewals: Map<string, () => void>
  try {
    read = loadWholeConfig(path)
    // What the next start would refuse is refused now, while the file is fresh in mind.
    refuseSharedFolder(read.daemon.database, read.daemon.key_file)
    renewals = server.rereadTls()
  } catch (error) {
    const foreseen = error instanceof StartError || error instanceof StoreError
    const refused = foreseen ? error.message : describeFault(error).stack
    log.error({ error: refused }, 'not reloaded; the configuration in force stays')
    return { refused }
  }
  const { config, changed, needs_restart } = planReload(in_force.config, read)
  const certificates = [...renewals.keys()]
  const tell = () => {
    const what = {
      config: path,
      changed,
      ...(certificates.length > 0 && { certificates }),
      ...(needs_restart.length > 0 && { needs_restart }),
    }
    if (needs_restart.length === 0) log.info(what, 'reloaded')
    else log.warn(what, 'reloaded, but for options that keep their old values until a restart')
  }
  const { log_level } = config.daemon
  // Told where either level shows it.
  const told = log.isLevelEnabled('info')
  if (told) tell()
  log.level = log_level
  if (!told) tell()
  in_force.change(config)
  server.change(config.listeners)
  for (const renew of renewals.values()) renew()
  return { changed, certificates, needs_restart }
}
