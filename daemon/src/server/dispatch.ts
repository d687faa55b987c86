/** Runs one request: looks the command up, checks its parameters and its site, and tells the log. */
import { nearestName } from '@relyd/sdk/ini_file'
import type { Command } from '../command.js'
import { commands } from '../commands/index.js'
import type { Context, Realm, Services } from '../context.js'
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
import { type OpCalls, onBehalfOf } from '../on_behalf.js'
import { quotaExceeded } from '../quota.js'
import { errorReply, type Reply, type Request, type RequestId } from './envelope.js'
import type { Recorder } from './record.js'
import { requestIds } from './request_id.js'
import { type NoteSecrets, noteSecretsOf, shownParams, shownSite } from './secrets.js'
import { compileParams, type Validate, withoutNulls } from './validate.js'

/** Runs the requests of a realm. */
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
   * @param caller the connection, which the command may subscribe
   */
  run(request: Request, request_id: string, account: string, caller: Subscriber): Promise<Reply>
  /** Answers what is no request that could be run, or a reply that could not be sent. */
  refuse(id: RequestId, error: CommandError, request_id: string): Reply
}

/** What all requests of a realm share. */
type RealmContext = Omit<Context<ErrorCode>, 'caller'>

interface Row {
  command: Command
  validate: Validate
  noteParams: NoteSecrets
  noteResult: NoteSecrets
}

const rows = new Map<string, Row>(
  Object.entries(commands).map(([name, command]) => [
    name,
    {
      command,
      validate: compileParams(command.params),
      noteParams: noteSecretsOf(command.params),
      noteResult: noteSecretsOf(command.result),
    },
  ]),
)

/** Longest string in an error that crosses the socket. */
const ERROR_TEXT = 1000

export function createDispatch(services: Services, realm: Realm, record?: Recorder): Dispatch {
  const { log } = services
  const context: RealmContext = { ...services, realm, op: realm.op, refuse }
  const verbose = log.isLevelEnabled('debug')
  const nextRequestId = requestIds()
  const answer = async (
    request: Request,
    request_id: string,
    account: string,
    caller: Subscriber,
    calls: OpCalls,
  ): Promise<Reply> => {
    const started = performance.now()
    const level = realm.requests.enter(account)
    let reply: Reply
    if (verbose) logParams(request, log)
    try {
      if (level) throw quotaExceeded(realm, { quota: 'requests', level })
      const data = await run({ ...context, caller }, request)
      reply = { id: request.id, status: 'ok', data }
    } catch (error) {
      reply = errorReply(request.id, asReported(error, request_id, log), request_id)
    } finally {
      if (!level) realm.requests.leave(account)
    }
    record?.(request.command, reply)
    log.info(
      {
        command: rows.has(request.command) ? request.command : 'unknown',
        realm: realm.name,
        site: siteOf(request, reply),
        outcome: reply.status === 'ok' ? 'ok' : reply.data.error,
        ms: round(performance.now() - started),
        ...(calls.count > 0 && { op_calls: calls.count, op_ms: round(calls.ms) }),
      },
      'command',
    )
    return reply
  }
  return {
    realm: realm.name,
    events: services.events,
    accountOf: (request) => accountOf(context, request),
    nextRequestId,
    run(request, request_id, account, caller) {
      const calls: OpCalls = { count: 0, ms: 0 }
      return onBehalfOf({ request_id, site: account, calls }, () =>
        answer(request, request_id, account, caller, calls),
      )
    },
    refuse(id, error, request_id) {
      log.info({ request_id, realm: realm.name, outcome: error.code }, 'refused')
      return errorReply(id, error, request_id)
    },
  }
}

/**
 * Whose quotas and turns a request uses: its site's, if there is such a site. All other requests of
 * the realm share one account, or whoever makes ids up would have as many as he likes.
 */
function accountOf({ sites, realm }: RealmContext, { params }: Request): string {
  const { oxd_id } = params
  return typeof oxd_id === 'string' && sites.wasKnown(oxd_id, realm.name) ? oxd_id : ''
}

async function run(context: Context<ErrorCode>, request: Request): Promise<object> {
  const row = rows.get(request.command)
  if (!row) throw unknownCommand(request.command)
  row.noteParams(request.params)
  const params = withoutNulls(request.params)
  row.validate(params)
  const site = 'oxd_id' in row.command.params ? await siteFor(context, params) : undefined
  const result = await row.command.run(context, site as never, params as never)
  row.noteResult(result as Record<string, unknown>)
  return result
}

async function siteFor(
  { sites, realm }: Context<ErrorCode>,
  params: Record<string, unknown>,
): Promise<object> {
  const site = await sites.get(params['oxd_id'] as string, realm.name)
  // The same words whether the id is another realm's or nobody's.
  if (!site) throw new CommandError('invalid_oxd_id', 'no site of this realm has this oxd_id')
  return site
}

function refuse(code: ErrorCode, description: string, options?: CommandErrorOptions): never {
  throw new CommandError(code, description, options)
}

function unknownCommand(name: string): CommandError {
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
    const { code, message, details, retryable } = error
    return new CommandError(code, bounded(message, ERROR_TEXT), {
      ...(details && { details: boundedIn(details, ERROR_TEXT) as typeof details }),
      retryable,
    })
  }
  log.error(describeFault(error), 'failed')
  const words = `the daemon failed; its log knows why, at request_id ${request_id}`
  return new CommandError('internal_error', words, { cause: error })
}

function siteOf({ params }: Request, reply: Reply): string | undefined {
  const made = reply.status === 'ok' && 'oxd_id' in reply.data ? reply.data.oxd_id : undefined
  return shownSite(params['oxd_id'] ?? made)
}

function logParams({ command, params }: Request, log: Log): void {
  const row = rows.get(command)
  if (row) log.debug({ command, params: shownParams(row.command.params, params) }, 'request')
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}
