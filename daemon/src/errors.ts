/** Every error code that can cross the socket, told once, and the error that carries one. */
import { live } from './live_secrets.js'
import { OBEYED } from './obeyed.js'

export interface ErrorSpec {
  /** What happened, and what to do about it. */
  doc: string
  spec?: string
  /** Whether the same command, sent again later, may succeed. */
  retryable: boolean
  /** Whether any command may answer it, so that none declares it. */
  common?: true
}

export const errors = {
  // Any command.
  internal_error: {
    doc: 'The daemon failed in a way it did not foresee; the `request_id` finds the cause in its log.',
    retryable: false,
    common: true,
  },
  invalid_request: {
    doc: 'A parameter is missing, unknown, malformed or does not fit another; the description names it and the cure.',
    retryable: false,
    common: true,
  },
  unsupported_operation: {
    doc: 'There is no such command; the description names the nearest one.',
    retryable: false,
    common: true,
  },
  invalid_frame: {
    doc: 'The bytes were not a message of the dialect: not JSON or msgpack, nested too deeply, or without a command.',
    retryable: false,
    common: true,
  },
  frame_too_large: {
    doc: "A frame exceeded the limit of 1 MiB. If it was the caller's, the connection is closed once what ran before is answered; if it would have been the reply, only that is lost.",
    retryable: false,
    common: true,
  },
  shutting_down: {
    doc: 'The daemon is stopping and did not run the command. Connect again and resend it.',
    retryable: true,
    common: true,
  },
  quota_exceeded: {
    doc: 'A limit of this site, realm or listener is reached. `details.quota` names it, and `details.option` the option of relyd.cfg that sets it. Other sites are not touched by it.',
    retryable: true,
    common: true,
  },

  // Sites.
  invalid_oxd_id: {
    doc: 'No site of this realm has this oxd_id. Register the site again, or use the socket it was registered through.',
    retryable: false,
  },
  invalid_op_host: {
    doc: 'op_host is not the https address of an OP that this daemon may call, or none was given and the daemon has no default OP.',
    spec: 'OIDC Discovery 4',
    retryable: false,
  },
  op_host_not_allowed: {
    doc: "The daemon's address policy refuses the OP's host, or a host that its metadata names: its address is not a public one. Nothing was sent there. The operator may list the host in `allowed_op_hosts` of the realm.",
    retryable: false,
  },
  no_connect_discovery_response: {
    doc: "The OP's metadata could not be fetched, and no earlier copy is known. Check op_host, or try again when the OP is up.",
    spec: 'OIDC Discovery 4.2',
    retryable: true,
  },
  invalid_op_metadata: {
    doc: "The OP's metadata cannot be used: another issuer, a missing endpoint, or one that is not https. `details.member` names what is wrong.",
    spec: 'OIDC Discovery 4.3',
    retryable: false,
  },
  webfinger_not_allowed: {
    doc: 'The operator has not allowed sites of this realm to find OPs by WebFinger (`webfinger = yes`). Name the OP in op_host.',
    retryable: false,
  },
  no_issuer_found: {
    doc: "The identifier's host names no OP by WebFinger, or none that can be used. Ask the End-User for the OP's address, or offer the OPs that the site knows.",
    spec: 'OIDC Discovery 2',
    retryable: false,
  },
  invalid_authorization_redirect_uri: {
    doc: "A redirect URI is not an absolute http(s) URL without fragment, or another OP's sites have it too and neither OP names itself in its responses (`iss`): give each OP its own, as with `{op}`.",
    spec: 'RFC 6749 3.1.2',
    retryable: false,
  },
  registration_in_progress: {
    doc: 'Another caller is registering with the same idempotency_key. Try again: the answer will be its oxd_id.',
    retryable: true,
  },
  idempotency_key_reused: {
    doc: 'The idempotency_key stands for a registration with other parameters. Use a new key to register anew.',
    retryable: false,
  },
  no_such_site: {
    doc: 'No site, or more than one, is meant by what the operator gave as its name or oxd_id; the description lists those that could be.',
    retryable: false,
  },
  site_exists: {
    doc: 'The realm has a site of this name already, which differs from what was asked for; `relyd sites update` changes it.',
    retryable: false,
  },
  site_changed: {
    doc: 'Somebody else changed or removed the site meanwhile. Look at it and try again.',
    retryable: true,
  },
  site_has_sessions: {
    doc: 'The site has sessions, which would end with it (`details.sessions` says how many); `relyd sites remove --yes`, or `end_sessions`, removes it all the same.',
    retryable: false,
  },
  invalid_registration_client_url: {
    doc: 'The OP gave no usable registration_client_uri and registration access token when it registered the site, so that the registration can be neither read nor changed; or its operator issued the client. Remove the site and register it anew, if need be.',
    spec: 'RFC 7592 3',
    retryable: false,
  },
  registration_access_denied: {
    doc: "The OP does not accept the site's registration access token: the client was removed there, or the token was revoked. Remove the site and register it anew.",
    spec: 'RFC 7592 2.1',
    retryable: false,
  },
  remove_site_failed: {
    doc: 'The OP did not remove the registration, so the site was kept: try again when the OP answers. Or the operator added the site, who alone can remove it (then not retryable).',
    spec: 'RFC 7592 2.3',
    retryable: true,
  },

  // What an OP answers.
  op_unreachable: {
    doc: 'The OP did not answer: no connection, a timeout, an answer that is too long, or a 5xx status. At a callback the login is over with it: not retryable, and `details.login_retry` says `later`.',
    retryable: true,
  },
  op_error: {
    doc: "The OP answered with an OAuth error; `details.error` and `details.error_description` are the OP's. Where it answered a login, `details.login_retry` says whether another one can go well: `later`, `with_end_user` (start it without prompt=none), or `no`. An OP that says `error` with the status 200 is told so as well.",
    spec: 'RFC 6749 5.2',
    retryable: false,
  },
  invalid_op_response: {
    doc: 'The OP answered with something its specification does not allow. `details` names the member and what it was, or the HTTP status.',
    retryable: false,
  },
  no_client_assertion: {
    doc: "The file from which the daemon takes this site's client assertion is missing, cannot be read, or holds one that has expired; the OP was not asked. The daemon's log names it, at the `request_id`. See to what renews it.",
    spec: 'RFC 7523 2.2',
    retryable: true,
  },

  // Logins.
  invalid_state: {
    doc: 'No login of this site waits for this state: it expired, was completed before, or is not ours. Start the login again.',
    spec: 'RFC 6749 10.12',
    retryable: false,
  },
  invalid_binding: {
    doc: 'The callback came without the binding of the browser that started this login: its cookie was lost, or the link came from elsewhere. Start the login again in this browser.',
    spec: 'RFC 6749 10.12',
    retryable: false,
  },
  invalid_issuer: {
    doc: "The callback lacks `iss`, it names another OP than the login was sent to, or it came to another address than this login's redirect URI.",
    spec: 'RFC 9207 2.4',
    retryable: false,
  },
  no_id_token: {
    doc: 'The OP answered without an ID Token.',
    spec: 'OIDC Core 3.1.3.3',
    retryable: false,
  },
  invalid_id_token: {
    doc: 'The ID Token is malformed, or lacks a claim that it must have.',
    spec: 'OIDC Core 3.1.3.7',
    retryable: false,
  },
  invalid_id_token_bad_nonce: {
    doc: "The ID Token's nonce is not this login's.",
    spec: 'OIDC Core 3.1.3.7',
    retryable: false,
  },
  invalid_id_token_bad_audience: {
    doc: 'The ID Token was not issued for this client alone.',
    spec: 'OIDC Core 3.1.3.7',
    retryable: false,
  },
  invalid_id_token_bad_issuer: {
    doc: "The ID Token's issuer is not the OP's.",
    spec: 'OIDC Core 3.1.3.7',
    retryable: false,
  },
  invalid_id_token_bad_sub: {
    doc: "The ID Token is another End-User's than the one that was asked for. If it came with refreshed tokens, nothing of the answer was used, and the session has ended: log in again.",
    spec: 'OIDC Core 12.2',
    retryable: false,
  },
  invalid_id_token_bad_signature: {
    doc: 'The ID Token is not signed by a key of the OP with the algorithm of the registration.',
    spec: 'OIDC Core 3.1.3.7',
    retryable: false,
  },
  invalid_id_token_expired: {
    doc: 'The ID Token has expired, or was issued in the future. Check the clocks.',
    spec: 'OIDC Core 3.1.3.7',
    retryable: false,
  },
  invalid_id_token_bad_auth_time: {
    doc: 'The End-User authenticated longer ago than max_age allows, or the OP did not say when.',
    spec: 'OIDC Core 3.1.3.7',
    retryable: false,
  },
  invalid_id_token_bad_acr: {
    doc: 'The End-User did not authenticate in one of the ways that the login requires (acr). Start a login again, or require less.',
    spec: 'OIDC Core 5.5.1.1',
    retryable: false,
  },
  invalid_access_token_bad_hash: {
    doc: 'The access token is not the one that the ID Token was issued with (at_hash).',
    spec: 'OIDC Core 3.1.3.8',
    retryable: false,
  },
  invalid_authorization_code_bad_hash: {
    doc: 'The code (c_hash) or the state (s_hash) is not the one that the ID Token was issued with.',
    spec: 'OIDC Core 3.3.2.10',
    retryable: false,
  },

  // Protection of commands (protect_commands_with_access_token).
  blank_protection_access_token: {
    doc: 'The realm wants a protection_access_token with this command. Get one with get_client_token.',
    spec: 'RFC 6750 2',
    retryable: false,
  },
  inactive_protection_access_token: {
    doc: 'The OP says that the protection_access_token is not good, or no longer. Get a new one with get_client_token.',
    spec: 'RFC 7662 2.2',
    retryable: false,
  },
  invalid_protection_access_token: {
    doc: 'The protection_access_token was issued to another client than the setup client of this site; at register_site, to none that is a setup client of this realm at this OP.',
    spec: 'RFC 7662 2.2',
    retryable: false,
  },
  protection_access_token_insufficient_scope: {
    doc: 'The setup client was registered with the scope oxd, and the protection_access_token does not have it. Ask get_client_token for it.',
    spec: 'RFC 6750 3.1',
    retryable: false,
  },
  no_setup_client_for_oxd_id: {
    doc: 'The site has no setup client, or no longer, whose tokens would protect it: it was registered without a protection_access_token. Make one with setup_client.',
    retryable: false,
  },
  invalid_introspection_response: {
    doc: 'The OP does not say to which client the protection_access_token was issued (`client_id`), so that nobody can tell whose it is.',
    spec: 'RFC 7662 2.2',
    retryable: false,
  },

  // Sessions.
  invalid_session_id: {
    doc: 'No session of this site has this session_id: it expired or was ended. Log in again.',
    retryable: false,
  },
  no_refresh_token: {
    doc: 'The access token of the session has expired or was revoked, or there never was one (response_type id_token), and the OP gave no refresh token with it (a site asks for one by the scope offline_access). Log in again.',
    spec: 'OIDC Core 11',
    retryable: false,
  },
  refresh_token_rejected: {
    doc: 'The OP no longer accepts the refresh token (invalid_grant): it expired, was revoked or was used by somebody else. It will not be tried again. Log in again.',
    spec: 'RFC 6749 5.2',
    retryable: false,
  },
  refresh_in_progress: {
    doc: "Another daemon has been refreshing this session's tokens for too long. Try again.",
    retryable: true,
  },
  tokens_kept_by_daemon: {
    doc: "The daemon keeps this site's tokens (`tokens = daemon`), so that whoever has one did not get it from a login of this site. Use the session_id.",
    retryable: false,
  },
  no_revocation_endpoint_at_op: {
    doc: "The OP's metadata names no revocation_endpoint: its tokens are good until they expire.",
    spec: 'RFC 7009 2',
    retryable: false,
  },
  no_introspection_endpoint_at_op: {
    doc: "The OP's metadata names no introspection_endpoint: nobody but the OP can tell what an access token is worth.",
    spec: 'RFC 7662 2',
    retryable: false,
  },
  unknown_access_token: {
    doc: 'The access token did not come from a login of this site that is still remembered, so that UserInfo could not be told from that of another End-User.',
    spec: 'OIDC Core 5.3.2',
    retryable: false,
  },
  invalid_user_info: {
    doc: "UserInfo's `sub` is not the one of the login, or it is not signed by the OP for this client, so it was not used. `details` says what did not fit.",
    spec: 'OIDC Core 5.3.2',
    retryable: false,
  },
  claims_provider_not_trusted: {
    doc: 'Claims come from, or would have to be fetched from, an issuer that the operator does not list in claims_providers of the section [op NAME]. They were not used, and nothing was sent there.',
    spec: 'OIDC Core 5.6.2',
    retryable: false,
  },
  no_end_session_endpoint_at_op: {
    doc: "The OP's metadata names no end_session_endpoint: it offers no logout. End the website's own session only.",
    spec: 'OIDC RP-Initiated Logout 2.1',
    retryable: false,
  },

  // UMA. `invalid_scope_expressioin` is spelt as oxD spelt it, which clients compare.
  no_uma_discovery_response: {
    doc: "The AS's UMA metadata could not be fetched. relyd does not serve UMA yet, and answers this where the parameters are good.",
    spec: 'UMA Grant 2',
    retryable: false,
  },
  invalid_uma_request: {
    doc: 'There is nothing to protect, or more than is protected at a time: `resources` is empty, its paths have no conditions, or a condition has no scopes.',
    retryable: false,
  },
  invalid_http_method: {
    doc: 'An HTTP method is missing or malformed.',
    spec: 'RFC 9110 9.1',
    retryable: false,
  },
  invalid_path_parameter: {
    doc: 'A path is missing, blank or too long.',
    retryable: false,
  },
  invalid_ticket_parameter: {
    doc: 'The permission ticket is missing.',
    spec: 'UMA Grant 3.3.1',
    retryable: false,
  },
  invalid_claims_redirect_uri_parameter: {
    doc: 'claims_redirect_uri is missing, or no absolute http(s) URL without fragment.',
    spec: 'UMA Grant 3.3.2',
    retryable: false,
  },
  invalid_rpt_parameter: {
    doc: 'The RPT is missing.',
    retryable: false,
  },
  http_method_not_unique: {
    doc: 'A path is protected twice for the same HTTP method. Give each method of a path one condition.',
    retryable: false,
  },
  invalid_scope_expressioin: {
    doc: "A scope_expression has no `rule` of JsonLogic, no `data`, or a `var` that is no place in `data`. (The code's spelling is oxD's.)",
    retryable: false,
  },
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof errors

/** Codes that every command may answer. */
export type CommonErrorCode = {
  [C in ErrorCode]: (typeof errors)[C] extends { common: true } ? C : never
}[ErrorCode]

export interface CommandErrorOptions {
  /** Evidence for the caller; never a secret. */
  details?: Record<string, unknown> | undefined
  /** Set where the code's usual answer does not hold, as when the state is spent. */
  retryable?: boolean
  /** The section that was held against the OP, where it is finer than the code's. */
  spec?: string | undefined
  cause?: unknown
}

/** A refusal as it crosses the socket. */
export interface ErrorData {
  error: string
  error_description: string
  /** Finds the request in the daemon's log. */
  request_id: string
  retryable: boolean
  /** The section of the specification by which it was refused. */
  spec?: string
  details?: Record<string, unknown>
}

/**
 * Why a command was refused. Code, description, section and details cross the socket; `cause` stays
 * inside the process.
 */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly code: ErrorCode
  readonly details: Record<string, unknown> | undefined
  readonly retryable: boolean
  readonly spec: string | undefined

  constructor(code: ErrorCode, description: string, options: CommandErrorOptions = {}) {
    super(description, { cause: options.cause })
    const { retryable, spec }: ErrorSpec = errors[code]
    this.code = code
    this.details = options.details
    this.retryable = options.retryable ?? retryable
    this.spec = options.spec ?? spec
  }

  /** The same refusal, told otherwise in part. */
  with(options: CommandErrorOptions): CommandError {
    const { code, message, details, retryable, spec, cause } = this
    return new CommandError(code, message, { details, retryable, spec, cause, ...options })
  }
}

/** Shortens what came from outside to one line without control characters or secrets, fit for an error or a log. */
export function bounded(text: string, length?: number): string
export function bounded(text: unknown, length?: number): string | undefined
export function bounded(text: unknown, length = 300): string | undefined {
  if (typeof text !== 'string') return undefined
  // Hidden before it is cut: what is left of half a secret is a secret still.
  const searched = beginningOf(text, length)
  const hidden = live.hide(searched)
  const line = hidden.slice(0, length).replace(OBEYED, '?')
  return hidden.length > length || searched.length < text.length ? `${line}…` : line
}

/** Characters behind the shown ones in which the end of a secret is sought. */
const MARGIN = 2048

/**
 * As much of a text as is worth a search: its length may be an enemy's. A word that goes on beyond
 * that may be a secret whose end nobody saw, and is left out.
 */
function beginningOf(text: string, length: number): string {
  if (text.length <= length + MARGIN) return text
  let end = length + MARGIN
  while (end > 0 && !BREAKS.includes(text[end - 1] as string)) end -= 1
  return text.slice(0, end < length ? end : length + MARGIN)
}

const BREAKS = ' \t\r\n"\'<>,;=&?()'

/** Most members of an object or a list that {@link boundedIn} keeps. */
const MEMBERS = 20

/** {@link bounded} for all strings in a value of JSON, which keeps so many members and levels. */
export function boundedIn(value: unknown, length?: number, levels = 4): unknown {
  if (typeof value === 'string') return bounded(value, length)
  if (typeof value !== 'object' || value === null) return value
  if (levels === 0) return '…'
  const inner = (one: unknown) => boundedIn(one, length, levels - 1)
  if (Array.isArray(value)) return value.slice(0, MEMBERS).map(inner)
  const members = Object.entries(value).slice(0, MEMBERS)
  return Object.fromEntries(members.map(([name, one]) => [bounded(name, 64), inner(one)]))
}
