/** How a command of the operator is declared: like a site's, for the admin socket. */
import type { Fields, Values } from '../command.js'
import type { DaemonConfig } from '../config/config.js'
import type { Realm, Services } from '../context.js'
import type { CommandErrorOptions, CommonErrorCode, ErrorCode } from '../errors.js'

/** What an admin command may reach: everything. */
export interface AdminServices extends Services {
  /** Those that a listener serves, by their names. */
  realms: ReadonlyMap<string, Realm>
  daemon: RunningDaemon
}

/** The daemon as it runs. */
export interface RunningDaemon {
  /** Absolute. */
  config_path: string
  options: DaemonConfig
  started_at: number
  /** Version of the database's schema. */
  schema: number
  /** The key that encrypts now. */
  key_id(): string
  listeners(): { name: string; address: string; realms: string[]; connections: number }[]
}

export interface AdminContext<E extends ErrorCode> extends AdminServices {
  /** Answers the caller with an error that the command declares. */
  refuse(code: E | CommonErrorCode, description: string, options?: CommandErrorOptions): never
}

/** An admin command whole. */
export interface AdminCommandSpec<P extends Fields, R extends Fields, E extends ErrorCode> {
  doc: string
  spec: readonly string[]
  params: P
  result: R
  /** The codes it answers beyond the common ones. */
  errors: readonly E[]
  run(context: AdminContext<E>, params: Values<P>): Promise<Values<R>>
}

/** One of any shape, as the dispatcher and the generators see it. */
export interface AdminCommand {
  doc: string
  spec: readonly string[]
  params: Fields
  result: Fields
  errors: readonly ErrorCode[]
  run(context: AdminContext<ErrorCode>, params: never): Promise<object>
}

export function adminCommand<P extends Fields, R extends Fields, const E extends ErrorCode>(
  spec: AdminCommandSpec<P, R, E>,
): AdminCommandSpec<P, R, E> {
  return spec
}
