/** What the checks look at: read once, by whoever needs it first. */
import type { Seconds } from '../clock.js'
import type { Config } from '../config/config.js'
import type { InstalledUnits } from '../service/installed_units.js'
import type { Running } from './ask_daemon.js'
import type { Finding } from './finding.js'
import type { Person } from './person.js'
import type { StoreView } from './store_view.js'

export interface World {
  config: Config
  /** Where the keys are, as the unit says it where relyd.cfg does not. */
  key_file: string
  now: Seconds
  /** The running daemon, if there is one that may be asked. */
  daemon: Promise<Running>
  /** What the database says. */
  store: Promise<StoreView>
  /** The daemon's user, running or not; undefined where nothing tells. */
  daemon_user: Promise<Person | undefined>
  /** The websites' users that were asked for. */
  users: readonly string[]
  /** OPs that were asked for. */
  ops: readonly string[]
  /** What systemd has of relyd. */
  units: InstalledUnits
  /** Fires when no more time is left. */
  signal: AbortSignal
}

/** Looks at one thing. */
export type Check = (world: World) => Promise<Finding[]>
