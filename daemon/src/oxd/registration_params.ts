/** What oxd's clients say of a site, and what relyd calls it: the one table of both names. */
import { type Field, string, strings, token } from '../command.js'
import { metadataTable } from '../op/client_metadata.js'
import { settingFields } from '../site_settings.js'

export interface RegistrationRow<F extends Field = Field> {
  field: F
  /** relyd's parameter, or a member of its `metadata`; absent where the value is of no use to relyd. */
  to?: string
  /** Of a list, relyd takes the first only. */
  first?: true
  /** Said when a site is registered, and passed over in an update. */
  once?: true
}

const row = <F extends Field>(field: F, rules: Omit<RegistrationRow, 'field'> = {}) => ({
  field,
  ...rules,
})

const unused = (doc: string) => row(string({ doc: `${doc} Taken, and not used.` }))

const frontChannel = row(
  strings({
    doc: 'Addresses of the site that the OP has the browser load in a logout. OPs know one: the first.',
    spec: 'OIDC Front-Channel Logout 2',
  }),
  { to: 'frontchannel_logout_uri', first: true },
)

const { response_types, grant_types, contacts, request_uris, jwks_uri } = metadataTable

export const registrationTable = {
  authorization_redirect_uri: row(
    string({
      doc: 'Where the OP sends the browser back to after a login. A registration must have it.',
      spec: 'RFC 6749 3.1.2',
    }),
    { to: 'authorization_redirect_uri' },
  ),
  op_host: row(string({ doc: "The OP's address. Without it, the daemon's default OP." }), {
    to: 'op_host',
    once: true,
  }),
  op_discovery_path: row(
    string({ doc: 'Path between op_host and `/.well-known/openid-configuration`.' }),
    { to: 'op_discovery_path', once: true },
  ),
  client_id: row(
    string({ doc: "A client that the OP's operator issued: with it, nothing is registered." }),
    { to: 'client_id', once: true },
  ),
  client_secret: row(string({ doc: 'The secret of that client.', secret: true }), {
    to: 'client_secret',
    once: true,
  }),
  redirect_uris: row(strings({ doc: 'Further redirect URIs to register.', spec: 'RFC 7591 2' }), {
    to: 'redirect_uris',
  }),
  post_logout_redirect_uri: row(settingFields.post_logout_redirect_uri, {
    to: 'post_logout_redirect_uri',
  }),
  logout_redirect_uri: row(
    string({ doc: 'post_logout_redirect_uri, as clients up to 2.4.2 spell it.' }),
    { to: 'post_logout_redirect_uri' },
  ),
  response_types: row(response_types.field, { to: 'response_types' }),
  grant_types: row(grant_types.field, { to: 'grant_types' }),
  scope: row(settingFields.scope, { to: 'scope' }),
  acr_values: row(settingFields.acr_values, { to: 'acr_values' }),
  ui_locales: row(settingFields.ui_locales, { to: 'ui_locales' }),
  claims_locales: row(settingFields.claims_locales, { to: 'claims_locales' }),
  client_name: row(settingFields.client_name, { to: 'client_name' }),
  contacts: row(contacts.field, { to: 'contacts' }),
  claims_redirect_uri: row(
    strings({
      doc: 'Where an UMA authorization server sends the browser back to after it gathered claims.',
      spec: 'UMA Grant 2',
    }),
    { to: 'metadata.claims_redirect_uris' },
  ),
  trusted_client: row(
    string({ doc: 'Whether an OP of Gluu shall ask no consent; that OP decides.' }),
    { to: 'metadata.oxAuthTrustedClient' },
  ),
  client_jwks_uri: row(jwks_uri.field, { to: 'jwks_uri' }),
  client_token_endpoint_auth_method: row(metadataTable.token_endpoint_auth_method.field, {
    to: 'token_endpoint_auth_method',
  }),
  client_token_endpoint_auth_signing_alg: row(metadataTable.token_endpoint_auth_signing_alg.field, {
    to: 'token_endpoint_auth_signing_alg',
  }),
  client_request_uris: row(request_uris.field, { to: 'request_uris' }),
  client_frontchannel_logout_uris: frontChannel,
  client_logout_uris: frontChannel,
  client_sector_identifier_uri: row(
    strings({
      doc: "Address of a list of redirect URIs; its host is the site's sector for pairwise subjects. As text, or as a list of which the first counts.",
      spec: 'OIDC Registration 5',
    }),
    { to: 'sector_identifier_uri', first: true },
  ),
  client_registration_access_token: row(
    token({ doc: 'What opens an issued client at the OP. Taken, and not used.' }),
  ),
  client_registration_client_uri: unused('Where an issued client is changed at the OP.'),
  client_secret_expires_at: unused('Until when oxd was to keep the site.'),
  application_type: unused('Sites are always `web`.'),
  oxd_rp_programming_language: unused('For statistics.'),
} as const satisfies Record<string, RegistrationRow>

type Table = typeof registrationTable

/** As parameters of a command. */
export const registrationFields = Object.fromEntries(
  Object.entries(registrationTable).map(([name, { field }]) => [name, field]),
) as { [N in keyof Table]: Table[N]['field'] }

/** The rows, for who goes through all of them. */
export const registrationRows: readonly [name: string, row: RegistrationRow][] =
  Object.entries(registrationTable)
