/** What can go wrong with a login, as it is told to people. */
import { CommandError, ProtocolError, TransportError } from '../errors.js'

/**
 * - `login_required`: a form or a frame needs a login first; its content was not kept.
 * - `login_over`: the callback was used before, expired, or is none.
 * - `other_browser`: the login's cookie is missing: another browser began it, or the cookie was lost.
 * - `login_cancelled`: the End-User said no at the OP.
 * - `login_interactive`: the OP will not go on without showing something: a login with prompt=none ends so.
 * - `login_too_weak`: the login was not made as strongly as its `require_acr` demands.
 * - `login_refused`: the site's `on_login` answered false.
 * - `login_failed`: the OP, or relyd, refused for any other reason.
 * - `op_unavailable`, `relyd_unavailable`: nothing can be said now; later it may go well.
 * - `logout_incomplete`: the browser has forgotten its session, but relyd could not be told.
 * - `from_elsewhere`: another site's page asked for a logout; nothing was done.
 * - `method_not_allowed`: the address does not take such requests.
 */
export type TroubleCode =
  | 'login_required'
  | 'login_over'
  | 'other_browser'
  | 'login_cancelled'
  | 'login_interactive'
  | 'login_too_weak'
  | 'login_refused'
  | 'login_failed'
  | 'op_unavailable'
  | 'relyd_unavailable'
  | 'logout_incomplete'
  | 'from_elsewhere'
  | 'method_not_allowed'

/** Something that went wrong, and what the plain page says of it. */
export interface Trouble {
  /** What went wrong; decide by it. */
  code: TroubleCode
  /** The HTTP status that fits. */
  status: number
  /** A heading for people. */
  title: string
  /** A sentence or two for people. */
  text: string
  /** Where a new login starts, as a path with a query; absent where none would help. */
  login_path?: string
  /** Headers that belong to the status, such as `Retry-After` (RFC 9110 10.2.3). */
  headers: Record<string, string>
  /** Finds what relyd refused in its log. The plain pages show it where only others can help. */
  request_id?: string
  /** What relyd, or the way to it, answered. For logs: it may hold an OP's words. */
  error?: Error
}

/** What is known beside the code. */
export interface TroubleContext {
  login_path?: string | undefined
  headers?: Record<string, string> | undefined
  error?: Error | undefined
}

const RETRY = { 'retry-after': '5' }

const texts: Record<TroubleCode, [status: number, title: string, text: string]> = {
  login_required: [
    401,
    'Please log in first',
    'You are not logged in, or no longer. What you sent was not kept: log in, and send it again.',
  ],
  login_over: [
    400,
    'This login is over',
    'It was finished before, or it took too long. Going back or reloading can lead here. A new login takes a moment.',
  ],
  other_browser: [
    400,
    'This login began elsewhere',
    'The cookie that belongs to it is missing here. Perhaps your browser lost it, or the login began in another browser, or a link of somebody else’s led you here. Nobody was logged in. Start again in this browser.',
  ],
  login_cancelled: [
    403,
    'You cancelled the login',
    'Nothing happened, and this website has learned nothing about you.',
  ],
  login_interactive: [
    403,
    'The login service has a question',
    'It cannot log you in without showing you something first. Log in, and you will see it.',
  ],
  login_too_weak: [
    403,
    'This needs a stronger login',
    'The login service let you in with less than this website asks for here, such as a password alone. Log in again, in a safer way.',
  ],
  login_refused: [
    403,
    'You cannot log in here',
    'You are known to the login service, but this website did not let you in.',
  ],
  login_failed: [
    502,
    'The login did not work',
    'The login service or this website refused to go on. If it happens again, please tell those who run this website.',
  ],
  op_unavailable: [
    502,
    'The login service does not answer',
    'It may be back in a moment. Nothing is lost.',
  ],
  relyd_unavailable: [
    503,
    'Logging in is not possible right now',
    'A part of this website does not answer. It may be back in a moment.',
  ],
  logout_incomplete: [
    503,
    'You are logged out in this browser',
    'The rest of the logout did not work: the login service may still know you. Close this browser if others use it.',
  ],
  from_elsewhere: [
    403,
    'This request came from another website',
    'Nothing was done. If it was you, log out on our own page.',
  ],
  method_not_allowed: [405, 'That is not what this address is for', 'Nothing was done.'],
}

export function trouble(code: TroubleCode, context: TroubleContext = {}): Trouble {
  const [status, title, text] = texts[code]
  const { login_path, error, headers } = context
  const request_id = error instanceof CommandError ? error.request_id : undefined
  return {
    code,
    status,
    title,
    text,
    headers: { ...(status >= 502 && code !== 'login_failed' && RETRY), ...headers },
    ...(login_path !== undefined && { login_path }),
    ...(request_id !== undefined && { request_id }),
    ...(error !== undefined && { error }),
  }
}

/**
 * @param login_path where to start again
 * @throws `error` itself, if it is of the site's own making, such as a cfg that is wrong
 */
export function troubleOf(error: unknown, login_path: string): Trouble {
  if (!isRefusal(error)) throw error
  const code = codeOf(error)
  const context = { error, login_path }
  // The OP did nothing wrong where relyd does not know the site, or a parameter.
  return code === 'login_failed' && !ofTheOp(error)
    ? { ...trouble(code, context), status: 500 }
    : trouble(code, context)
}

/** Whether relyd, the way to it, or the OP is what went wrong. */
export function isRefusal(error: unknown): error is Refusal {
  return [CommandError, TransportError, ProtocolError].some((one) => error instanceof one)
}

type Refusal = CommandError | TransportError | ProtocolError

function codeOf(error: Refusal): TroubleCode {
  if (error instanceof ProtocolError) return 'relyd_unavailable'
  switch (error.code) {
    case 'invalid_state':
      return 'login_over'
    case 'invalid_binding':
      return 'other_browser'
    case 'invalid_id_token_bad_acr':
      return 'login_too_weak'
    case 'op_unreachable':
    case 'no_connect_discovery_response':
      return 'op_unavailable'
    case 'op_error':
      return codeOfOp(error.details)
    case 'invalid_request':
      // No state in it, or two: nobody's callback.
      return error.details?.['field'] === 'callback' ? 'login_over' : 'login_failed'
    default:
      return error instanceof TransportError || error.retryable || isForLater(error)
        ? 'relyd_unavailable'
        : 'login_failed'
  }
}

/** The login is over, and the same one can go well when somebody else has done something. */
function isForLater({ details }: CommandError): boolean {
  return details?.['login_retry'] === 'later'
}

/** RFC 6749 4.1.2.1, OIDC Core 3.1.2.6. */
function codeOfOp(details: Record<string, unknown> | undefined): TroubleCode {
  switch (details?.['error']) {
    case 'access_denied':
      return 'login_cancelled'
    case 'temporarily_unavailable':
      return 'op_unavailable'
    default:
      return details?.['login_retry'] === 'with_end_user' ? 'login_interactive' : 'login_failed'
  }
}

function ofTheOp(error: Refusal): boolean {
  return (
    error instanceof CommandError &&
    /^(?:op_error|no_id_token|invalid_(?:op_|issuer|id_token|access_token|authorization_code|user_info))/.test(
      error.code,
    )
  )
}
