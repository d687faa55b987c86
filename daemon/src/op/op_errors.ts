/** Turns what openid-client throws into the error codes that sites know. */
import { ClientError, ResponseBodyError, WWWAuthenticateChallengeError } from 'openid-client'
import { bounded, CommandError, type ErrorCode } from '../errors.js'

/** Claims whose comparison with what was expected can fail, by the code that says so. */
const claimCodes: Record<string, ErrorCode> = {
  nonce: 'invalid_id_token_bad_nonce',
  aud: 'invalid_id_token_bad_audience',
  azp: 'invalid_id_token_bad_audience',
  iss: 'invalid_id_token_bad_issuer',
  auth_time: 'invalid_id_token_bad_auth_time',
  exp: 'invalid_id_token_expired',
  nbf: 'invalid_id_token_expired',
  iat: 'invalid_id_token_expired',
}

/**
 * @returns the error for the site. It carries what the OP said as `error` and `error_description`,
 * bounded; other text of the OP and the values that were compared stay in `cause`.
 */
export async function asCommandError(error: unknown): Promise<CommandError> {
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
  const evidence = findInCauses(error, (one) => isEvidence(one)) as Evidence | undefined
  switch (error.code) {
    case 'OAUTH_TIMEOUT':
    case 'OAUTH_ABORT':
      return new CommandError('op_unreachable', 'the OP did not answer in time', { cause: error })
    case 'OAUTH_JWT_CLAIM_COMPARISON_FAILED':
    case 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED': {
      const claim = evidence?.claim ?? ''
      return new CommandError(
        claimCodes[claim] ?? 'invalid_id_token',
        `the ID Token's claim ${claim || '(unknown)'} is not what this login requires`,
        { cause: error },
      )
    }
    case 'OAUTH_INVALID_RESPONSE':
      return fromInvalidResponse(error, evidence)
    case 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED':
      return new CommandError('invalid_user_info', "UserInfo's sub is not the login's", {
        cause: error,
      })
    default:
      return fromOther(error)
  }
}

/** What openid-client cannot read of a JWT: not three parts, not JSON, encrypted, a `crit` header. */
function fromOther(error: ClientError): CommandError {
  const inner = error.cause instanceof Error ? error.cause : error
  return describe(
    error,
    /\bJW[TE]\b/.test(inner.message) ? 'invalid_id_token' : 'invalid_op_response',
  )
}

/** openid-client has one code for these; what it holds up as evidence tells them apart. */
function fromInvalidResponse(error: ClientError, evidence: Evidence = {}): CommandError {
  if (evidence.header) return describe(error, 'invalid_id_token_bad_signature')
  if (evidence.claims) return describe(error, 'invalid_id_token')
  return fromOther(error)
}

/** openid-client's sentences are its own and name members only, never values. */
function describe(error: ClientError, code: ErrorCode): CommandError {
  const inner = error.cause instanceof Error ? error.cause : error
  return new CommandError(
    code,
    `the OP's answer is not what its specification allows: ${bounded(inner.message)}`,
    { cause: error },
  )
}

interface Evidence {
  claim?: string
  claims?: object
  header?: object
  body?: object
}

function isEvidence(one: unknown): boolean {
  const signs = ['claim', 'claims', 'header', 'body']
  return !(one instanceof Error) && signs.some((name) => name in (one as object))
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
