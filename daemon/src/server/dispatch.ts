/** Runs one request: looks the command up, checks its parameters, has it run, and tells the log. */
import { nearestName } from '@relyd/sdk/ini_file'
import type { Fields } from '../command.js'
import {
  bounded,
  boundedIn,
  CommandError,
  type CommandErrorOptions,
  type ErrorCode,
} from '../errors.js'
import type { EventHub, Subscriber } from '../events.js'
import { describeFault } from '../faults.js'
import type { Log } from '../log.js'
import type { CommandMetrics } from '../metrics/command_metrics.js'
import { type OpCalls, onBehalfOf } from '../on_behalf.js'
import { errorReply, type Reply, type Request, type RequestId } from './envelope.js'
import type { Recorder } from './record.js'
import { requestIds } from './request_id.js'
import { type NoteSecrets, noteSecretsOf, shownParams, shownSite } from './secrets.js'
import { compileParams, type Validate, withoutNulls } from './validate.js'

/** The connection that a request came on. */
export interface Caller extends Subscriber {
  /** @throws CommandError for a reply that cannot be sent */
  encode(envelope: object): Buffer
}

/** Runs the requests of a realm, or the operator's. */
export interface Dispatch {
  realm: string
  /** Who gets events; a connection that ends must be forgotten there. */
  events: Pick<EventHub, 'has' | 'forget'>
  /** Whose quotas a request uses, and among whose frames the connection's next one waits its turn. */
  accountOf(request: Request): string
  /** @returns the number by which the log will know what comes next */
  nextRequestId(): string
  /**
   * Answers every request, failures included.
   *
   * @param caller which the command may subscribe
   * @returns the reply as the caller reads it
   */
  run(request: Request, request_id: string, account: string, caller: Caller): Promise<Buffer>
  /** Answers what is no request that could be run. */
  refuse(id: RequestId, error: CommandError, request_id: string): object
  /** The same realm as clients of the oxd dialect see it; absent where there is no such thing. */
  oxd?: OxdDispatch | undefined
}

export interface OxdDispatch extends Dispatch {
  /** Whether commands are run with a protection_access_token only. */
  readonly isProtected: boolean
}

/** A table of commands, each with what was made of its declaration. */
export type Rows<C> = ReadonlyMap<string, Row<C>>

interface Row<C> {
  command: C
  validate: Validate
  noteParams: NoteSecrets
  noteResult: NoteSecrets
}

/** Done once for a table. */
export function rowsOf<C extends { params: Fields; result: Fields }>(
  commands: Record<string, C>,
): Rows<C> {
  const rows = Object.entries(commands).map(([name, command]): [string, Row<C>] => [
    name,
    {
      command,
      validate: compileParams(command.params),
      noteParams: noteSecretsOf(command.params),
      noteResult: noteSecretsOf(command.result),
    },
  ])
  return new Map(rows)
}

export interface DispatchOptions<C> {
  /** As the log names it. */
  realm: string
  events: Dispatch['events']
  log: Log
  metrics: CommandMetrics
  rows: Rows<C>
  record?: Recorder | undefined
  accountOf: Dispatch['accountOf']
  /**
   * Takes a place for a request. @returns how it is given back
   * @throws CommandError `quota_exceeded`
   */
  enter(account: string): () => void
  /** What of the parameters is checked and run; by default all that is not null. */
  read?(command: C, request: Request): Record<string, unknown>
  /** What becomes of a reply on the wire; by default it stays as it is. */
  shape?(reply: Reply, command?: string): object
  /** Runs a command whose parameters fit its declaration. */
  execute(command: C, params: Record<string, unknown>, caller: Subscriber): Promise<object>
}

/** Longest string in an error that crosses the socket. */
const ERROR_TEXT = 1000

export function createDispatch<C extends { params: Fields; result: Fields }>({
  realm,
  events,
  log,
  metrics,
  rows,
  record,
  accountOf,
  enter,
  read = (_, { params }) => withoutNulls(params),
  shape = (reply) => reply,
  execute,
}: DispatchOptions<C>): Dispatch {
  async function answer(request: Request, caller: Subscriber): Promise<object> {
    const row = rows.get(request.command)
    if (!row) throw unknownCommand(request.command, rows)
    row.noteParams(request.params)
    const params = read(row.command, request)
    row.validate(params)
    const result = await execute(row.command, params, caller)
    row.noteResult(result as Record<string, unknown>)
    return result
  }

  function logParams({ command, params }: Request): void {
    const row = rows.get(command)
    if (row) log.debug({ command, params: shownParams(row.command.params, params) }, 'request')
  }

  async function run(
    request: Request,
    request_id: string,
    account: string,
    caller: Caller,
    calls: OpCalls,
  ): Promise<Buffer> {
    const refusal = (error: unknown): Reply => {
      const reported = asReported(error, request_id, log)
      metrics.quota(reported)
      return errorReply(request.id, reported, request_id)
    }
    const started = performance.now()
    let leave: (() => void) | undefined
    let reply: Reply
    if (log.isLevelEnabled('debug')) logParams(request)
    try {
      leave = enter(account)
      const data = await answer(request, caller)
      reply = { id: request.id, status: 'ok', data }
    } catch (error) {
      reply = refusal(error)
    } finally {
      leave?.()
    }
    let frame: Buffer
    try {
      frame = caller.encode(shape(reply, request.command))
    } catch (error) {
      reply = refusal(error)
      frame = caller.encode(shape(reply, request.command))
    }
    record?.(request.command, reply)
    const command = rows.has(request.command) ? request.command : 'unknown'
    const outcome = reply.status === 'ok' ? 'ok' : reply.data.error
    const ms = performance.now() - started
    metrics.answered(command, outcome, ms)
    log.info(
      {
        command,
        realm,
        site: siteOf(request, reply),
        outcome,
        op_error: opErrorOf(reply),
        ms: round(ms),
        ...(calls.count > 0 && { op_calls: calls.count, op_ms: round(calls.ms) }),
      },
      'command',
    )
    return frame
  }
  return {
    realm,
    events,
    accountOf,
    nextRequestId: requestIds(),
    run(request, request_id, account, caller) {
      const calls: OpCalls = { count: 0, ms: 0 }
      return onBehalfOf({ request_id, site: account, calls }, () =>
        run(request, request_id, account, caller, calls),
      )
    },
    refuse(id, error, request_id) {
      metrics.refused(error.code)
      metrics.quota(error)
      log.info({ request_id, realm, outcome: error.code }, 'refused')
      return shape(errorReply(id, error, request_id))
    },
  }
}

/** How a handler answers with an error that its command declares. */
export function refuse(code: ErrorCode, description: string, options?: CommandErrorOptions): never {
  throw new CommandError(code, description, options)
}

function unknownCommand(name: string, rows: Rows<unknown>): CommandError {
  const near = nearestName(name, [...rows.keys()])
  return new CommandError(
    'unsupported_operation',
    near ? `there is no such command; did you mean ${near}?` : 'there is no such command',
  )
}

/**
 * What was not foreseen is told to the log only; the caller gets a number to ask the operator with.
 * What is told to the caller may quote others, an OP above all: it is bounded, and without secrets.
 */
function asReported(error: unknown, request_id: string, log: Log): CommandError {
  if (error instanceof CommandError) {
    const { code, message, details, retryable, spec } = error
    return new CommandError(code, bounded(message, ERROR_TEXT), {
      ...(details && { details: boundedIn(details, ERROR_TEXT) as typeof details }),
      retryable,
      spec,
    })
  }
  log.error(describeFault(error), 'failed')
  const words = `the daemon failed; its log knows why, at request_id ${request_id}`
  return new CommandError('internal_error', words, { cause: error })
}

/** RFC 6749 5.2: the code that an OP answered. A text that is no code may be anything, and is left out. */
function opErrorOf(reply: Reply): string | undefined {
  const error = reply.status === 'ok' ? undefined : reply.data.details?.['error']
  return typeof error === 'string' && /^[\w.-]{1,64}$/.test(error) ? error : undefined
}

function siteOf({ params }: Request, reply: Reply): string | undefined {
  const made = reply.status === 'ok' && 'oxd_id' in reply.data ? reply.data.oxd_id : undefined
  return shownSite(params['oxd_id'] ?? made)
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}
