/** Turns what openid-client throws into the error codes that sites know. */
import { ClientError, ResponseBodyError, WWWAuthenticateChallengeError } from 'openid-client'
import { bounded, boundedIn, CommandError } from '../errors.js'
import { isObject } from '../is_object.js'
import { insideObject } from './inside_object.js'

/** Codes that whatever a site's client asks of an OP can end with, before its answer is looked at. */
export const clientErrors = [
  'no_connect_discovery_response',
  'invalid_op_metadata',
  'op_host_not_allowed',
  'op_unreachable',
  'no_client_assertion',
  'op_error',
] as const

/**
 * @param spec the section that says what the OP's answer should have been
 * @returns the error for the site. It carries what the OP said as `error` and `error_description`, or
 * the member that was wrong, bounded; other text of the OP and its tokens stay in `cause`.
 */
export async function asCommandError(error: unknown, spec: string): Promise<CommandError> {
  const made = await commandErrorOf(error)
  return made.code === 'invalid_op_response' && made.spec === undefined ? made.with({ spec }) : made
}

async function commandErrorOf(error: unknown): Promise<CommandError> {
  const known = findInCauses(error, (one) => one instanceof CommandError)
  if (known) return known as CommandError
  if (error instanceof ResponseBodyError) {
    return opError(error, error.error, error.error_description, error.status)
  }
  if (error instanceof WWWAuthenticateChallengeError) return fromChallenge(error)
  if (error instanceof ClientError) return fromClientError(error)
  // Not the OP's doing: the dispatcher answers `internal_error` and logs it.
  throw error
}

/** RFC 6749 5.2: an OP's own words, whatever it answered them with. */
export function opError(
  cause: unknown,
  code: unknown,
  description: unknown,
  http_status?: number,
): CommandError {
  const error = bounded(code) ?? 'unknown'
  const error_description = bounded(description)
  const said = error_description ? `${error}: ${error_description}` : error
  return new CommandError('op_error', `the OP answered ${said}`, {
    details: {
      error,
      ...(error_description !== undefined && { error_description }),
      ...(http_status !== undefined && { http_status }),
    },
    cause,
  })
}

/** RFC 6749 5.2: a 401 has the error in its body; RFC 6750 3: in the challenge. */
async function fromChallenge(error: WWWAuthenticateChallengeError): Promise<CommandError> {
  const challenge = error.cause[0]?.parameters
  const body: unknown = await error.response.json().catch(() => undefined)
  const said = { ...challenge, ...(typeof body === 'object' && body) } as Record<string, unknown>
  return opError(error, said['error'], said['error_description'], error.status)
}

async function fromClientError(error: ClientError): Promise<CommandError> {
  if (error.code === 'OAUTH_TIMEOUT' || error.code === 'OAUTH_ABORT') {
    return new CommandError('op_unreachable', 'the OP did not answer in time', { cause: error })
  }
  const answer = findInCauses(error, (one) => one instanceof Response) as Response | undefined
  const body = answer ? await bodyOf(answer) : insideObject(findInCauses(error, hasBody), 'body')
  // Some OPs say what went wrong with a status that says that all went well.
  const code = insideObject(body, 'error')
  if (typeof code === 'string' && code !== '') {
    return opError(error, code, insideObject(body, 'error_description'), answer?.status ?? 200)
  }
  // openid-client's sentences are its own and name members only, never values.
  const inner = error.cause instanceof Error ? error.cause : error
  const { message } = inner
  const isStatus = answer !== undefined && error.code === 'OAUTH_RESPONSE_IS_NOT_CONFORM'
  const why = isStatus ? `it came with the status ${answer.status}` : bounded(message)
  return new CommandError(
    'invalid_op_response',
    `the OP's answer is not what its specification allows: ${why}`,
    {
      details: answer ? { http_status: answer.status } : memberDetails(memberIn(message), body),
      cause: error,
    },
  )
}

function hasBody(one: unknown): boolean {
  return isObject(one) && isObject(one['body'])
}

async function bodyOf(answer: Response): Promise<unknown> {
  return answer.bodyUsed ? undefined : answer.json().catch(() => undefined)
}

/** Which member openid-client complains of: `"response" body "scope" property must be a string`. */
function memberIn(message: string): string | undefined {
  return /["`](\w+)["`] (?:property|value)/.exec(message)?.[1]
}

/** Members whose value nobody else may see, even where it is of the wrong type. */
const SECRET = /token$|^code$|secret$|^jwks$/

/** Evidence of an answer's member that is not as it must be. */
export function memberDetails(
  member: string | undefined,
  answer: unknown,
): Record<string, unknown> | undefined {
  if (member === undefined) return undefined
  const received = SECRET.test(member) ? undefined : insideObject(answer, member)
  return { member, ...(received !== undefined && { received: boundedIn(received, 100, 2) }) }
}

/** Walks `cause` from the outside in; a handful of links at most. */
function findInCauses(error: unknown, wanted: (one: unknown) => boolean): unknown {
  let one = error
  for (let depth = 0; depth < 8 && typeof one === 'object' && one !== null; depth += 1) {
    if (wanted(one)) return one
    one = (one as { cause?: unknown }).cause
  }
  return undefined
}
