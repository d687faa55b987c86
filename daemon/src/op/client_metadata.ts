/**
 * Client metadata that a site may wish for (OIDC Registration 2, RFC 7591 2, and the specifications of
 * logouts), by its registered names: the one table that commands, checks and registration go by.
 */
import { boolean, type Field, integer, object, oneOf, string, strings } from '../command.js'
import { authMethods } from './client_authentication.js'

/** Member of the OP's metadata that lists what it offers (OIDC Discovery 3). */
export type OfferedList =
  | 'response_types_supported'
  | 'grant_types_supported'
  | 'acr_values_supported'
  | 'subject_types_supported'
  | 'token_endpoint_auth_methods_supported'
  | 'token_endpoint_auth_signing_alg_values_supported'
  | `${'id_token' | 'userinfo'}_${'signing' | 'encryption'}_alg_values_supported`
  | `${'id_token' | 'userinfo' | 'request_object'}_encryption_enc_values_supported`
  | `request_object_${'signing' | 'encryption'}_alg_values_supported`

/** What an address must be: https; of a page of the site, http too; without fragment. */
export type AddressRule = 'https' | 'page' | 'no_fragment'

export interface MetadataRow<F extends Field = Field> {
  field: F
  /** What it is matched against before the OP is asked. */
  offered?: OfferedList
  /** Of an address, or of each of a list. */
  address?: AddressRule
  /** The member without which it means nothing. */
  needs?: string
}

const REGISTRATION = 'OIDC Registration 2'

const row = <F extends Field>(field: F, rules: Omit<MetadataRow, 'field'> = {}) => ({
  field,
  ...rules,
})

const page = (doc: string) => row(string({ doc, spec: REGISTRATION }), { address: 'page' as const })

const word = (doc: string, rules: Omit<MetadataRow, 'field'> = {}) =>
  row(string({ doc, spec: REGISTRATION, maxLength: 64 }), rules)

export const metadataTable = {
  response_types: row(
    strings({
      doc: 'All response types that logins of the site may ask for. Default: its response_type.',
      spec: REGISTRATION,
    }),
    { offered: 'response_types_supported' },
  ),
  grant_types: row(
    strings({
      doc: 'Grant types. Default: those that its response types need, and refresh_token where the OP offers it.',
      spec: REGISTRATION,
    }),
    { offered: 'grant_types_supported' },
  ),
  application_type: row(oneOf({ doc: 'Default: `web`.', spec: REGISTRATION }, ['web', 'native'])),
  contacts: row(strings({ doc: 'E-mail addresses of those responsible.', spec: 'RFC 7591 2' })),
  logo_uri: page("Address of the site's logo, which the OP shows."),
  client_uri: page("Address of the site's home page."),
  policy_uri: page('Address of what the site says of the data it uses.'),
  tos_uri: page("Address of the site's terms of service."),
  jwks_uri: row(
    string({
      doc: 'Where the site publishes its keys (those of get_rp_jwks), instead of registering them by value.',
      spec: REGISTRATION,
    }),
    { address: 'https' },
  ),
  sector_identifier_uri: row(
    string({
      doc: "Address of a list of redirect URIs; its host is the site's sector for pairwise subjects. The OP fetches it.",
      spec: 'OIDC Registration 5',
    }),
    { address: 'https' },
  ),
  subject_type: row(
    oneOf(
      {
        doc: 'Whether sites see the same subject for an End-User, or each its own.',
        spec: 'OIDC Core 8',
      },
      ['public', 'pairwise'],
    ),
    { offered: 'subject_types_supported' },
  ),
  id_token_signed_response_alg: word(
    'What the OP signs ID Tokens with. Default: RS256, or the best that the OP offers.',
    { offered: 'id_token_signing_alg_values_supported' },
  ),
  id_token_encrypted_response_alg: word('What it encrypts the key of ID Tokens with.', {
    offered: 'id_token_encryption_alg_values_supported',
  }),
  id_token_encrypted_response_enc: word('What it encrypts their content with.', {
    offered: 'id_token_encryption_enc_values_supported',
    needs: 'id_token_encrypted_response_alg',
  }),
  userinfo_signed_response_alg: word('What the OP signs UserInfo with. Default: plain JSON.', {
    offered: 'userinfo_signing_alg_values_supported',
  }),
  userinfo_encrypted_response_alg: word('What it encrypts the key of UserInfo with.', {
    offered: 'userinfo_encryption_alg_values_supported',
  }),
  userinfo_encrypted_response_enc: word('What it encrypts its content with.', {
    offered: 'userinfo_encryption_enc_values_supported',
    needs: 'userinfo_encrypted_response_alg',
  }),
  request_object_signing_alg: word('What request objects are signed with. Registered only.', {
    offered: 'request_object_signing_alg_values_supported',
  }),
  request_object_encryption_alg: word(
    'What the key of request objects is encrypted with. Registered only.',
    {
      offered: 'request_object_encryption_alg_values_supported',
    },
  ),
  request_object_encryption_enc: word('What their content is encrypted with. Registered only.', {
    offered: 'request_object_encryption_enc_values_supported',
    needs: 'request_object_encryption_alg',
  }),
  token_endpoint_auth_method: row(
    oneOf(
      {
        doc: "How the daemon authenticates to the OP. Default: by the OP's metadata.",
        spec: 'OIDC Core 9',
      },
      authMethods,
    ),
    { offered: 'token_endpoint_auth_methods_supported' },
  ),
  token_endpoint_auth_signing_alg: word('What client assertions are signed with.', {
    offered: 'token_endpoint_auth_signing_alg_values_supported',
  }),
  default_max_age: row(
    integer({
      doc: 'Seconds since the End-User last authenticated, at most, of a login that does not say.',
      spec: REGISTRATION,
    }),
  ),
  require_auth_time: row(boolean({ doc: 'Whether ID Tokens must tell it.', spec: REGISTRATION })),
  default_acr_values: row(
    strings({
      doc: 'Authentication contexts of a login that names none, at the OP.',
      spec: REGISTRATION,
    }),
    { offered: 'acr_values_supported' },
  ),
  initiate_login_uri: row(
    string({ doc: 'Where others may send the browser for a login to begin.', spec: 'OIDC Core 4' }),
    { address: 'https' },
  ),
  request_uris: row(strings({ doc: 'Addresses of request objects.', spec: REGISTRATION }), {
    address: 'page',
  }),
  post_logout_redirect_uris: row(
    strings({
      doc: 'Further addresses to which logouts may come back.',
      spec: 'OIDC RP-Initiated Logout 3.1',
    }),
    { address: 'page' },
  ),
  frontchannel_logout_uri: row(
    string({
      doc: 'Address of the site that the OP has the browser load in a logout.',
      spec: 'OIDC Front-Channel Logout 2',
    }),
    { address: 'no_fragment' },
  ),
  frontchannel_logout_session_required: row(
    boolean({ doc: 'Whether it needs iss and sid.', spec: 'OIDC Front-Channel Logout 2' }),
    { needs: 'frontchannel_logout_uri' },
  ),
  backchannel_logout_uri: row(
    string({
      doc: 'Address of the site that the OP posts logout tokens to.',
      spec: 'OIDC Back-Channel Logout 2.2',
    }),
    { address: 'no_fragment' },
  ),
  backchannel_logout_session_required: row(
    boolean({ doc: 'Whether it needs a sid.', spec: 'OIDC Back-Channel Logout 2.2' }),
    { needs: 'backchannel_logout_uri' },
  ),
  software_id: row(
    string({ doc: "Names the site's software, whatever its version.", spec: 'RFC 7591 2' }),
  ),
  software_version: row(string({ doc: 'Its version.', spec: 'RFC 7591 2' })),
  software_statement: row(
    string({
      doc: 'A signed JWT about the software, which is passed on as it is.',
      spec: 'RFC 7591 2.3',
      maxLength: 32_768,
    }),
  ),
} as const satisfies Record<string, MetadataRow>

type Table = typeof metadataTable

export type MetadataName = keyof Table

/** The rows, for who goes through all of them. */
export const metadataRows = Object.entries(metadataTable) as [MetadataName, MetadataRow][]

/** As parameters of a command. */
export const metadataFields = {
  ...(Object.fromEntries(metadataRows.map(([name, { field }]) => [name, field])) as {
    [N in MetadataName]: Table[N]['field']
  }),
  metadata: object({
    doc: 'Further members for the OP: names and texts in other languages (`client_name#de`, `logo_uri#fr`), and what an OP has invented. What has a parameter of its own cannot be set here.',
    spec: 'RFC 7591 2.2',
  }),
}

/** Members that say something to End-Users, and may do so in many languages (OIDC Registration 2.1). */
export const translated: ReadonlySet<string> = new Set([
  'client_name',
  'logo_uri',
  'client_uri',
  'policy_uri',
  'tos_uri',
])

/** What relyd or its operator alone says of a client, and acts by; no OP's answer is kept of it. */
export const relydsOwnMembers = ['jwks', 'apple_team_id', 'client_assertion_file'] as const

/** What `metadata` may not hold: what an OP decides, and what is relyd's to say. */
export const reservedMembers: ReadonlySet<string> = new Set([
  ...Object.keys(metadataTable),
  'redirect_uris',
  'client_name',
  'scope',
  'client_id',
  'client_secret',
  'client_id_issued_at',
  'client_secret_expires_at',
  'registration_access_token',
  'registration_client_uri',
  ...relydsOwnMembers,
])
