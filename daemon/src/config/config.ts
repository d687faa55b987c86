/** relyd.cfg as the daemon uses it: read, checked and complete. */
import type { RealmPolicy } from '../context.js'
import type { OpOptionsByHost } from '../op/op_options.js'
import type { OptionValues } from './option.js'
import type { daemonOptions, listenerOptions, tlsOptions } from './options.js'

export type DaemonConfig = OptionValues<typeof daemonOptions>

export type ListenerConfig = { name: string; tls: TlsConfig | undefined } & Omit<
  OptionValues<typeof listenerOptions>,
  keyof typeof tlsOptions
>

/** TLS of a TCP listener: whole paths of its files, and whom it lets in. */
export interface TlsConfig {
  certificate: string
  key: string
  client_ca: string
  /** The realm of each certificate's name, in lower case; absent, all are of the listener's realm. */
  realms: ReadonlyMap<string, string> | undefined
}

/** What the operator's socket has for name and realm, so that no section may. */
export const ADMIN = 'admin'

/** The realms that a listener serves. */
export function realmsOf({ realm, tls }: ListenerConfig): Set<string> {
  return new Set(tls?.realms ? tls.realms.values() : [realm])
}

export interface Config {
  path: string
  daemon: DaemonConfig
  listeners: ListenerConfig[]
  /** The operator's socket, as if it were a listener. */
  admin_listener: ListenerConfig
  /** The policies of all realms that a listener serves. */
  realms: Map<string, RealmPolicy>
  /** What is special about OPs, by op_host. */
  ops: OpOptionsByHost
  /** The same as the file gives it, by sections' headers (`realm shop`): what a reload compares. */
  values: ReadonlyMap<string, SectionValues>
}

/** The values of a section by its options' names. */
export type SectionValues = Readonly<Record<string, unknown>>
