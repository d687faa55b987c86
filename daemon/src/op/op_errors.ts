/** Turns what openid-client throws into the error codes that sites know. */
import { ClientError, ResponseBodyError, WWWAuthenticateChallengeError } from 'openid-client'
import { bounded, CommandError } from '../errors.js'

/**
 * @param spec the section that says what the OP's answer should have been
 * @returns the error for the site. It carries what the OP said as `error` and `error_description`,
 * bounded; other text of the OP and the values that were compared stay in `cause`.
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

function opError(
  cause: Error,
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

function fromClientError(error: ClientError): CommandError {
  if (error.code === 'OAUTH_TIMEOUT' || error.code === 'OAUTH_ABORT') {
    return new CommandError('op_unreachable', 'the OP did not answer in time', { cause: error })
  }
  // openid-client's sentences are its own and name members only, never values.
  const inner = error.cause instanceof Error ? error.cause : error
  return new CommandError(
    'invalid_op_response',
    `the OP's answer is not what its specification allows: ${bounded(inner.message)}`,
    { cause: error },
  )
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
