/** Checks of an authorization response before anything in it is used: whose it is, and what it brings. */
import { STRING_LENGTH } from '../command.js'
import { bounded, CommandError } from '../errors.js'
import type { Login } from '../store/store.js'
import { authorizationError } from './authorization_errors.js'
import type { Came } from './callback.js'
import { LONGEST_TOKEN } from './jwt_parts.js'
import type { Provider } from './provider.js'
import { brings, defaultMode, type ResponseType } from './response_type.js'
import { LONGEST } from './token_answer.js'
import { isAccessToken } from './token_text.js'

/** What a response of the login's type brings, and nothing else. */
export interface AuthorizationResponse {
  code?: string
  id_token?: string
  /** With what the OP said of it. */
  access?: { access_token: string; expires_in?: number; scope?: string }
}

/**
 * OIDC Core 3.1.2.7, 3.2.2.8, 3.3.2.8, RFC 9207 2.4.
 *
 * @param came undefined where only parts of the response are known
 * @throws CommandError `invalid_issuer`, `op_error`, `invalid_op_response`, `no_id_token`
 */
export function checkResponse(
  { issuer, metadata }: Provider,
  login: Login,
  response: URLSearchParams,
  came: Came | undefined,
): AuthorizationResponse {
  // Nobody asked for a response packed into a JWT (JARM), whose parameters would be elsewhere.
  if (response.has('response')) throw unexpected('response', login)
  const type = login.secrets.response_type ?? 'code'
  // RFC 9207 4: where an ID Token comes along, its `iss` says the same, and OPs leave this one out.
  const isTold =
    brings(type, 'id_token') && Boolean(response.get('id_token')) && !response.has('error')
  const isDue = metadata.authorization_response_iss_parameter_supported === true && !isTold
  checkIssuer(issuer, isDue, response)
  // The store found the login by it; compared again, as all else hangs on it (RFC 6749 10.12).
  if (response.get('state') !== login.state) {
    throw new CommandError('invalid_state', "the response's state is not this login's")
  }
  if (response.has('error')) throw authorizationError(response)
  checkMode(login, type, came)
  return membersOf(response, login, type)
}

/** RFC 9207 2.4: an answer of another OP must not be taken for this one's (mix-up). */
function checkIssuer(issuer: string, isDue: boolean, response: URLSearchParams): void {
  const received = response.get('iss')
  if (received === issuer) return
  if (received === null && !isDue) return
  throw new CommandError(
    'invalid_issuer',
    received === null
      ? 'the callback lacks `iss`, which this OP sends with every answer; pass the whole callback'
      : 'the callback names another OP than the one this login was sent to',
    {
      details: {
        parameter: 'iss',
        expected: bounded(issuer),
        ...(received !== null && { received: bounded(received) }),
      },
    },
  )
}

/**
 * A response with tokens comes as it was asked for: in a query they would be in logs, and one that is
 * brought another way was not made by the OP for this login. A code, of no use by itself, may come
 * as the OP likes, as some know one way only.
 */
function checkMode(login: Login, type: ResponseType, came: Came | undefined): void {
  if (type === 'code' || came === undefined) return
  const expected = login.secrets.response_mode ?? defaultMode(type)
  // A page posts its fragment as an OP posts a form: in the text there is no difference.
  if (came === 'text' || came === expected) return
  throw new CommandError(
    'invalid_op_response',
    `the response came in the ${came}, and was asked for as ${expected}`,
    {
      details: {
        parameter: 'response_mode',
        expected,
        received: came,
      },
      spec: 'OAuth Response Types 5',
    },
  )
}

function membersOf(
  response: URLSearchParams,
  login: Login,
  type: ResponseType,
): AuthorizationResponse {
  const take = (name: string, what: 'code' | 'id_token' | 'token') => {
    const value = response.get(name)
    if (!brings(type, what)) {
      if (value !== null) throw unexpected(name, login)
      return undefined
    }
    if (!value) throw missing(name, type)
    if (value.length > LONGEST_TOKEN) {
      throw refused(`the response's ${name} has more than ${LONGEST_TOKEN} characters`, name, type)
    }
    return value
  }
  // RFC 6749 4.2.2: never through a browser, whatever was asked for.
  if (response.has('refresh_token')) throw unexpected('refresh_token', login)
  const code = take('code', 'code')
  const id_token = take('id_token', 'id_token')
  const access_token = take('access_token', 'token')
  if (access_token !== undefined && !isAccessToken(access_token)) {
    const why = "the response's access_token has characters that no token may have"
    throw refused(why, 'access_token', type)
  }
  return {
    ...(code !== undefined && { code }),
    ...(id_token !== undefined && { id_token }),
    ...(access_token !== undefined && { access: accessOf(access_token, response, type) }),
  }
}

/** OIDC Core 3.2.2.5, RFC 6749 4.2.2, 7.1. */
function accessOf(access_token: string, response: URLSearchParams, type: ResponseType) {
  const token_type = response.get('token_type')
  if (token_type?.toLowerCase() !== 'bearer') {
    throw refused(
      'the OP issued a token that is not of type Bearer',
      'token_type',
      type,
      token_type,
    )
  }
  const expires_in = response.get('expires_in')
  if (expires_in !== null && !/^\d{1,15}$/.test(expires_in)) {
    throw refused("the token's expires_in is no number of seconds", 'expires_in', type, expires_in)
  }
  const scope = response.get('scope')
  if (scope !== null && scope.length > STRING_LENGTH) {
    throw refused(`the OP granted a scope of more than ${STRING_LENGTH} characters`, 'scope', type)
  }
  return {
    access_token,
    ...(expires_in !== null && { expires_in: Math.min(Number(expires_in), LONGEST) }),
    ...(scope && { scope }),
  }
}

function unexpected(parameter: string, { secrets }: Login): CommandError {
  const type = secrets.response_type ?? 'code'
  return refused(`the response brings ${parameter}, which nobody asked for`, parameter, type)
}

function missing(parameter: string, type: ResponseType): CommandError {
  const why = `the response lacks ${parameter}, which was asked for`
  if (parameter !== 'id_token') return refused(why, parameter, type)
  return new CommandError('no_id_token', why, { details: { parameter, response_type: type } })
}

function refused(
  why: string,
  parameter: string,
  response_type: ResponseType,
  received?: string | null,
): CommandError {
  return new CommandError('invalid_op_response', why, {
    details: {
      parameter,
      response_type,
      ...(received && { received: bounded(received, 100) }),
    },
    spec: sectionOf(response_type),
  })
}

/** What a response of this type has to be. */
function sectionOf(type: ResponseType): string {
  if (type === 'code') return 'OIDC Core 3.1.2.5'
  return brings(type, 'code') ? 'OIDC Core 3.3.2.5' : 'OIDC Core 3.2.2.5'
}
