/** Where the daemon's keys lie: relyd.cfg does not say it where its unit brings them as a credential. */
import { existsSync, realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Config } from '../config/config.js'
import { loadConfig } from '../config/load.js'
import { daemonOptions } from '../config/options.js'
import { type InstalledUnits, installedUnits } from '../service/installed_units.js'
import type { KeyPlace } from '../store/key_admin.js'
import type { ConfigOption } from './options.js'

/** What {@link withKeyFile} adds. */
export interface KeyFileOption {
  keyFile?: string
}

export function withKeyFile(command: Command): Command {
  return command.option(
    '--key-file <file>',
    'the file of keys, if not that of relyd.cfg or its unit',
  )
}

/** The database of a configuration, and its keys. */
export function placeOf({ config: path, keyFile }: ConfigOption & KeyFileOption): KeyPlace {
  const config = loadConfig(path)
  return { database: config.daemon.database, key_file: keyFileOf(config, keyFile) }
}

/**
 * As the daemon finds it: what relyd.cfg names counts before what the unit brings, and that before
 * the default.
 *
 * @param given by the operator, for this once
 */
export function keyFileOf(
  { path, daemon: { state_directory, key_file } }: Config,
  given: string | undefined,
  units: InstalledUnits = installedUnits('/'),
): string {
  if (given !== undefined) return resolve(given)
  if (key_file !== resolve(state_directory, daemonOptions.key_file.default)) return key_file
  const { config, key_file: brought } = units
  if (config === undefined || brought === undefined || !isSame(config, path)) return key_file
  return existsSync(brought) || !existsSync(key_file) ? brought : key_file
}

/** Whether the daemon has a copy of this file, of when it was started. */
export function isBroughtByUnit(key_file: string): boolean {
  return installedUnits('/').key_file === key_file
}

/** The unit of another relyd.cfg says nothing of this one's keys. */
function isSame(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other)
  } catch {
    return false
  }
}
