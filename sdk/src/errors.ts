/** The SDK's errors: the daemon refused, could not be reached, was not understood, or the cfg is wrong. */

/**
 * The daemon understood a command and refused it, or the OpenID Provider did.
 *
 * `message` is the reply's `error_description`, written for people; decide by `code`.
 */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  /** The error's name on the wire, such as `invalid_state`. */
  readonly code: string
  /** The command that was refused. */
  readonly command: string
  /**
   * Finds the request in the daemon's log: log it, and tell it to who runs relyd. Absent in the
   * replies of older daemons.
   */
  readonly request_id: string | undefined
  /** What the daemon tells beyond the description, if anything. */
  readonly details: Record<string, unknown> | undefined
  /** Whether the same command may succeed later, unchanged. */
  readonly retryable: boolean
  /** The section of the specification by which it was refused, such as `OIDC Core 3.1.3.7`. */
  readonly spec: string | undefined

  constructor(
    command: string,
    refusal: {
      error: string
      error_description: string
      request_id?: string | undefined
      details?: Record<string, unknown> | undefined
      retryable: boolean
      spec?: string | undefined
    },
  ) {
    super(refusal.error_description)
    this.code = refusal.error
    this.command = command
    this.request_id = refusal.request_id
    this.details = refusal.details
    this.retryable = refusal.retryable
    this.spec = refusal.spec
  }
}

/**
 * What went wrong on the way: `ERR_UNREACHABLE` no connection could be opened; `ERR_CLOSED` the
 * connection, or the client, was closed; `ERR_TIMEOUT` no reply in time; `ERR_ABORTED` the caller's
 * AbortSignal fired; `ERR_BUSY` more calls wait for their replies than the client keeps (64 MiB).
 */
export type TransportErrorCode =
  | 'ERR_UNREACHABLE'
  | 'ERR_CLOSED'
  | 'ERR_TIMEOUT'
  | 'ERR_ABORTED'
  | 'ERR_BUSY'

/** The daemon could not be reached, or its reply did not arrive. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  /** What went wrong. */
  readonly code: TransportErrorCode
  /**
   * `not_executed`: the daemon never got the command, which may be sent again.
   * `unknown`: it may have been executed, in part or in whole.
   */
  readonly outcome: 'not_executed' | 'unknown'

  constructor(
    code: TransportErrorCode,
    message: string,
    outcome: TransportError['outcome'],
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.outcome = outcome
  }
}

/** The two sides do not speak the same protocol: something was sent that cannot be read, or cannot be sent. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

/**
 * A site's configuration is wrong; the message starts with the cfg's path and the line, or the
 * environment variable, and says what to change.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** The cfg. */
  readonly path: string
  /** Line in the file, counted from 1; undefined when the error is about no single line. */
  readonly line: number | undefined
  /** The environment variable that the value came from instead of the file. */
  readonly variable: string | undefined

  /** @param place a line, or the name of an environment variable */
  constructor(path: string, place: number | string | undefined, message: string, cause?: unknown) {
    super(`${atPlace(path, place)} ${message}`, cause === undefined ? undefined : { cause })
    this.path = path
    this.line = typeof place === 'number' ? place : undefined
    this.variable = typeof place === 'string' ? place : undefined
  }
}

/** `path:`, `path:line:` or `path: VARIABLE:`, for the beginning of a message. */
export function atPlace(path: string, place: number | string | undefined): string {
  switch (typeof place) {
    case 'number':
      return `${path}:${place}:`
    case 'string':
      return `${path}: ${place}:`
    default:
      return `${path}:`
  }
}
