/** What oxd's clients get to hear of a refusal: codes that they know, with relyd's own beside them as `reason`. */
import type { OxdGeneration } from '../context.js'
import type { ErrorCode, ErrorData } from '../errors.js'
import type { OxdCommand } from './oxd_command.js'

export interface OxdErrorData {
  error: string
  error_description: string
  details?: Record<string, unknown>
}

/** Every code that oxd's clients know, spelt as oxd spelt it; beside these, `http_status_<n>`. */
export type OxdCode =
  | 'internal_error'
  | 'bad_request'
  | 'invalid_request'
  | 'unsupported_operation'
  | 'invalid_oxd_id'
  | 'invalid_op_host'
  | 'invalid_authorization_redirect_uri'
  | 'invalid_scope'
  | 'invalid_acr_values'
  | 'invalid_algorithm'
  | 'no_connect_discovery_response'
  | 'no_uma_discovery_response'
  | 'invalid_registration_client_url'
  | 'no_id_token'
  | 'invalid_id_token'
  | 'invalid_id_token_bad_nonce'
  | 'invalid_id_token_bad_audience'
  | 'invalid_id_token_expired'
  | 'invalid_id_token_bad_issuer'
  | 'invalid_id_token_bad_signature'
  | 'invalid_id_token_unknown'
  | 'invalid_nonce'
  | 'invalid_state'
  | 'invalid_access_token_bad_hash'
  | 'invalid_authorization_code_bad_hash'
  | 'no_access_token'
  | 'blank_protection_access_token'
  | 'invalid_protection_access_token'
  | 'inactive_protection_access_token'
  | 'protection_access_token_insufficient_scope'
  | 'no_setup_client_for_oxd_id'
  | 'invalid_introspection_response'
  | 'invalid_uma_request'
  | 'invalid_http_method'
  | 'invalid_path_parameter'
  | 'invalid_ticket_parameter'
  | 'invalid_claims_redirect_uri_parameter'
  | 'invalid_rpt_parameter'
  | 'need_info'
  | 'rpt_not_authorized'
  | 'http_method_not_unique'
  | 'invalid_scope_expressioin'
  | 'uma_protection_exists'
  | 'invalid_ticket'
  | 'no_end_session_endpoint_at_op'
  | 'no_revocation_endpoint_at_op'
  | 'remove_site_failed'
  | 'expired_client'

/**
 * Told as an answer of the OP's, for which oxd 3.1 had `http_status_<n>` and the text that came. The
 * status is the OP's; what is here is told where the OP was not asked, or called it a success.
 */
interface Answered {
  /** Absent, there was no answer. */
  http_status?: number
  error?: string
}

type Told = OxdCode | Answered

/**
 * Every code that oxd does not have, and those that it has otherwise. What relyd has by the same
 * name means the same.
 */
const others: Record<Exclude<ErrorCode, OxdCode>, Told> & Partial<Record<ErrorCode, Told>> = {
  invalid_frame: 'internal_error',
  frame_too_large: 'internal_error',
  shutting_down: 'internal_error',
  quota_exceeded: 'internal_error',

  op_host_not_allowed: 'invalid_op_host',
  webfinger_not_allowed: 'invalid_op_host',
  no_issuer_found: 'invalid_op_host',
  invalid_op_metadata: 'no_connect_discovery_response',
  registration_in_progress: 'internal_error',
  idempotency_key_reused: 'invalid_request',
  no_such_site: 'invalid_oxd_id',
  site_exists: 'invalid_request',
  site_changed: 'internal_error',
  site_has_sessions: 'remove_site_failed',
  registration_access_denied: { http_status: 401, error: 'invalid_token' },

  op_unreachable: {},
  op_error: { http_status: 400 },
  invalid_op_response: {},
  no_client_assertion: 'internal_error',
  no_introspection_endpoint_at_op: 'internal_error',

  // To oxd a state was registered or not.
  invalid_state: 'bad_request',
  invalid_binding: 'bad_request',
  invalid_issuer: 'invalid_id_token_bad_issuer',
  invalid_id_token_bad_sub: 'invalid_id_token_unknown',
  invalid_id_token_bad_auth_time: 'invalid_id_token_unknown',
  invalid_id_token_bad_acr: 'invalid_id_token_unknown',

  invalid_session_id: { http_status: 401, error: 'invalid_token' },
  unknown_access_token: { http_status: 401, error: 'invalid_token' },
  no_refresh_token: { http_status: 400, error: 'invalid_grant' },
  refresh_token_rejected: { http_status: 400, error: 'invalid_grant' },
  refresh_in_progress: 'internal_error',
  tokens_kept_by_daemon: 'invalid_request',
  invalid_user_info: 'internal_error',
  claims_provider_not_trusted: 'internal_error',
}

/** Where relyd's own clients are told what to do, and an oxd client could not do it. */
const WORDS: Partial<Record<ErrorCode, string>> = {
  invalid_binding:
    "this login was begun by a client of relyd's own, and is bound to a browser: only such a client can complete it; start another one",
  tokens_kept_by_daemon:
    'relyd keeps the tokens of this site (tokens = daemon), and oxd clients know nothing else; let the site have them, or use a client of relyd',
  unknown_access_token:
    'the access token came of no login of this site that relyd still knows; log in again',
}

/** Parameters of which oxd said `bad_request` where they were missing. */
const BAD_REQUEST_FIELDS: unknown[] = ['oxd_id', 'code', 'state']

/**
 * @param generation none where no oxd client is served; it is told what all of them can read
 * @param command that was refused, if there is such a one
 */
export function oxdError(
  data: ErrorData,
  generation: OxdGeneration | undefined,
  { told_as = {}, heeded }: Pick<OxdCommand, 'told_as' | 'heeded'> = {},
): OxdErrorData {
  const { error: reason, details, request_id } = data
  const error_description = WORDS[reason as ErrorCode] ?? data.error_description
  const usual = told_as[reason as ErrorCode] ?? toldOf(reason as ErrorCode, details)
  const told = heeded?.every((code) => code !== usual) ? 'internal_error' : usual
  // Older clients turn each name into an attribute, and know no details.
  if (generation !== '3.1') {
    return { error: typeof told === 'string' ? told : 'internal_error', error_description }
  }
  const now =
    typeof told === 'string'
      ? { error: told, error_description }
      : answered(told, { ...data, error_description })
  return { ...now, details: { ...details, request_id, ...(now.error !== reason && { reason }) } }
}

function toldOf(reason: ErrorCode, details: ErrorData['details']): Told {
  const field = details?.['field']
  if (reason === 'invalid_request' && BAD_REQUEST_FIELDS.includes(field)) return 'bad_request'
  return others[reason] ?? (reason as OxdCode)
}

/** What the OP said, and nothing of an answer that says no error as RFC 6749 5.2 has it. */
function answered(
  { http_status, error }: Answered,
  { error: reason, error_description, details = {} }: ErrorData,
): OxdErrorData {
  const came = Number(details['http_status'])
  const status = came >= 400 ? came : http_status
  if (status === undefined) return { error: 'internal_error', error_description }
  const said =
    details['error'] === undefined
      ? { error: error ?? reason, error_description }
      : { error: details['error'], error_description: details['error_description'] }
  return { error: `http_status_${status}`, error_description: JSON.stringify(said) }
}
