/** The errors that an OP may answer an authorization request with: what they mean, and what helps. */
import { bounded, CommandError } from '../errors.js'

/**
 * Whether another login can go well. `later`: the same one, when the OP is well again.
 * `with_end_user`: one without prompt=none, as the OP must show something. `no`: not until somebody
 * changes the request or a registration, or the End-User their mind.
 */
export type LoginRetry = 'later' | 'with_end_user' | 'no'

/** RFC 6749 4.1.2.1, OIDC Core 3.1.2.6, OIDC Unmet Authentication Requirements, RFC 8707, RFC 9396. */
const known: Record<string, [retry: LoginRetry, words: string]> = {
  access_denied: ['no', 'the End-User or the OP said no'],
  temporarily_unavailable: ['later', 'it is too busy, or under maintenance'],
  server_error: ['later', 'something failed there'],
  login_required: ['with_end_user', 'the End-User has to log in there'],
  interaction_required: ['with_end_user', 'it has to show something to the End-User'],
  account_selection_required: ['with_end_user', 'the End-User has to choose an account'],
  consent_required: ['with_end_user', 'the End-User has to agree to something'],
  unmet_authentication_requirements: ['no', 'it cannot authenticate the End-User as was required'],
  invalid_request: ['no', 'it does not accept the request'],
  unauthorized_client: ['no', 'the client is not registered for this response type or grant'],
  unsupported_response_type: ['no', 'it does not know the response type'],
  unsupported_response_mode: ['no', 'it does not know the response mode'],
  invalid_scope: ['no', 'it does not know one of the scopes, or does not give it to this client'],
  invalid_request_uri: ['no', 'it cannot read the request_uri'],
  invalid_request_object: ['no', 'it cannot read the request object'],
  request_not_supported: ['no', 'it takes no request objects'],
  request_uri_not_supported: ['no', 'it takes no request_uri'],
  registration_not_supported: ['no', 'it is no self-issued OP: leave registration out'],
  invalid_target: ['no', 'it does not know the resource'],
  invalid_authorization_details: ['no', 'it does not accept the authorization_details'],
}

/** RFC 6749 4.1.2.1, OIDC Core 3.1.2.6. */
export function authorizationError(response: URLSearchParams): CommandError {
  const code = response.get('error') ?? ''
  const error = bounded(code)
  const error_description = bounded(response.get('error_description') ?? undefined)
  const [retry, words] = Object.hasOwn(known, code) ? (known[code] ?? []) : []
  const said = [error, error_description].filter(Boolean).join(': ')
  const cure =
    retry === 'with_end_user'
      ? '; start the login without prompt=none'
      : retry === 'later'
        ? '; start the login again later'
        : ''
  return new CommandError(
    'op_error',
    `the OP answered ${said || 'an error'}${words === undefined ? '' : ` (${words}${cure})`}`,
    {
      details: {
        error,
        ...(error_description !== undefined && { error_description }),
        ...(retry !== undefined && { login_retry: retry }),
      },
    },
  )
}
