/** Every key of a site's cfg and the form of its value. */
import type { RegisterSiteParams } from './methods.js'
import { tlsKeys } from './tls_files.js'

/**
 * `text`; `uri`, for browsers to be sent to; `op`, the address of an OP; lists, separated by commas,
 * of scopes by spaces too; a whole `number`; `flag`, true or false; `json`, an object in one line; or
 * one of some words.
 */
export type ValueForm =
  | 'text'
  | 'uri'
  | 'op'
  | 'texts'
  | 'uris'
  | 'scopes'
  | 'number'
  | 'flag'
  | 'json'
  | readonly string[]

type FormOf<T> = [T] extends [readonly string[]]
  ? 'texts' | 'uris' | 'scopes'
  : [T] extends [boolean]
    ? 'flag'
    : [T] extends [number]
      ? 'number'
      : [T] extends [object]
        ? 'json'
        : string extends T
          ? 'text' | 'uri' | 'op'
          : readonly T[]

/** Keys of `[client]` that `register_site` takes as parameters of the same name. */
export const registrationKeys = {
  authorization_redirect_uri: 'uri',
  op_host: 'op',
  op_discovery_path: 'text',
  post_logout_redirect_uri: 'uri',
  redirect_uris: 'uris',
  scope: 'scopes',
  acr_values: 'texts',
  ui_locales: 'texts',
  claims_locales: 'texts',
  response_type: [
    'code',
    'id_token',
    'code id_token',
    'id_token token',
    'code token',
    'code id_token token',
  ],
  response_mode: ['query', 'fragment', 'form_post'],
  contacts: 'texts',
  client_name: 'text',
  client_id: 'text',
  client_secret: 'text',
  initial_access_token: 'text',
  registration_client_id: 'text',
  registration_client_secret: 'text',
  registration_scope: 'scopes',
  response_types: 'texts',
  grant_types: 'texts',
  application_type: ['web', 'native'],
  logo_uri: 'uri',
  client_uri: 'uri',
  policy_uri: 'uri',
  tos_uri: 'uri',
  jwks_uri: 'uri',
  sector_identifier_uri: 'uri',
  subject_type: ['public', 'pairwise'],
  id_token_signed_response_alg: 'text',
  id_token_encrypted_response_alg: 'text',
  id_token_encrypted_response_enc: 'text',
  userinfo_signed_response_alg: 'text',
  userinfo_encrypted_response_alg: 'text',
  userinfo_encrypted_response_enc: 'text',
  request_object_signing_alg: 'text',
  request_object_encryption_alg: 'text',
  request_object_encryption_enc: 'text',
  token_endpoint_auth_method: [
    'client_secret_basic',
    'client_secret_post',
    'private_key_jwt',
    'client_secret_jwt',
    'none',
  ],
  token_endpoint_auth_signing_alg: 'text',
  default_max_age: 'number',
  require_auth_time: 'flag',
  default_acr_values: 'texts',
  initiate_login_uri: 'uri',
  request_uris: 'texts',
  post_logout_redirect_uris: 'uris',
  frontchannel_logout_uri: 'uri',
  frontchannel_logout_session_required: 'flag',
  backchannel_logout_uri: 'uri',
  backchannel_logout_session_required: 'flag',
  software_id: 'text',
  software_version: 'text',
  software_statement: 'text',
  metadata: 'json',
  login_binding: ['required', 'none'],
  tokens: ['site', 'daemon'],
} as const satisfies {
  [K in keyof RegisterSiteParams]?: FormOf<NonNullable<RegisterSiteParams[K]>>
}

/** Names that oxd-python's older files give to keys above. */
export const olderNames: ReadonlyMap<string, keyof typeof registrationKeys> = new Map([
  ['logout_redirect_uri', 'post_logout_redirect_uri'],
  ['client_jwks_uri', 'jwks_uri'],
  ['client_request_uris', 'request_uris'],
  ['client_sector_identifier_uri', 'sector_identifier_uri'],
  ['client_token_endpoint_auth_method', 'token_endpoint_auth_method'],
])

/** Keys that oxd took and relyd does not take yet; they are warned about. */
export const laterKeys: ReadonlySet<string> = new Set(['claims_redirect_uri'])

const REACHED = 'relyd is reached by "socket", or by "host" and "port"'
const ONE_LOGOUT = 'give one address as frontchannel_logout_uri'
const REGISTERED = 'relyd keeps what belongs to the registration itself'

/** Keys of oxd-python's that relyd has no use for, with the reason; they are warned about. */
export const endedKeys: ReadonlyMap<string, string> = new Map([
  ['client_frontchannel_logout_uris', ONE_LOGOUT],
  ['client_logout_uris', ONE_LOGOUT],
  ['https_extension', REACHED],
  ['connection_type', REACHED],
  ['connection_type_value', REACHED],
  ['client_registration_access_token', REGISTERED],
  ['client_registration_client_uri', REGISTERED],
  ['client_id_issued_at', REGISTERED],
  ['client_secret_expires_at', REGISTERED],
  ['dynamic_registration', 'a client_id, or its absence, says it'],
  ['protection_access_token', 'who may open the socket may call'],
])

/** Keys of `[oxd]`. */
export const oxdKeys: ReadonlySet<string> = new Set([
  'socket',
  'host',
  'port',
  'id',
  'idempotency_key',
  'idempotency_key_file',
  'timeout',
  ...tlsKeys,
])

/** Keys of whose values no message quotes a part. */
export const secretKeys: ReadonlySet<string> = new Set([
  'id',
  'idempotency_key',
  'client_secret',
  'initial_access_token',
  'registration_client_secret',
])

/** Keys of `[client]` whose value may be in a file that `<key>_file` names. */
export const clientSecrets = [
  'client_secret',
  'initial_access_token',
  'registration_client_secret',
] as const

/** Keys of `[client]`. */
export const clientKeys: ReadonlySet<string> = new Set([
  ...Object.keys(registrationKeys),
  ...clientSecrets.map((key) => `${key}_file`),
])
