/** relyd.cfg as the daemon uses it: read, checked and complete. */
import type { RealmPolicy } from '../context.js'
import type { OptionValues } from './option.js'
import type { daemonOptions, listenerOptions } from './options.js'

export type DaemonConfig = OptionValues<typeof daemonOptions>

export type ListenerConfig = { name: string } & OptionValues<typeof listenerOptions>

export interface Config {
  path: string
  daemon: DaemonConfig
  listeners: ListenerConfig[]
  /** The policies of all realms that a listener serves. */
  realms: Map<string, RealmPolicy>
}
