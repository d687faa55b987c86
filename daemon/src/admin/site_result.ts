/** What the operator is told of a site: all but its secrets. */
import {
  integer,
  object,
  oneOf,
  records,
  required,
  string,
  strings,
  type Values,
} from '../command.js'
import { assertionFileOf, isApple } from '../op/client_authentication.js'
import { expiryOf } from '../op/client_certificate.js'
import { metadataTable } from '../op/client_metadata.js'
import { publicJwks } from '../op/own_keys.js'
import { responseModes, responseTypes } from '../op/response_type.js'
import type { ListedSite, Site } from '../store/store.js'
import { cut, LISTED_BYTES, SHOWN_BYTES, shownInPart } from './shown_in_part.js'

/** A site in a list. */
export const siteResult = {
  oxd_id: required(string({ doc: 'The site, as its cfg names it. On TCP it is a secret.' })),
  name: string({ doc: "The operator's name of it; absent where it registered itself." }),
  realm: required(string({ doc: 'Its realm.' })),
  op_host: required(string({ doc: 'The OP as it was named.' })),
  issuer: required(string({ doc: "The OP's issuer.", spec: 'OIDC Core 2' })),
  client_id: required(string({ doc: 'Its client_id at the OP.' })),
  registered_by: required(
    oneOf({ doc: 'Who made the registration at the OP: relyd, or its operator.' }, [
      'relyd',
      'operator',
    ]),
  ),
  auth_method: required(
    string({ doc: 'How the daemon authenticates to the OP.', spec: 'OIDC Core 9' }),
  ),
  redirect_uris: required(
    strings({ doc: "Where logins come back to; the site's own first.", spec: 'RFC 6749 3.1.2' }),
  ),
  post_logout_redirect_uri: string({ doc: 'Where logouts come back to.' }),
  scope: required(strings({ doc: 'Scopes of a login that names none.' })),
  acr_values: strings({ doc: 'Authentication contexts of a login that names none.' }),
  ui_locales: strings({ doc: "Languages of the OP's pages." }),
  claims_locales: strings({ doc: 'Languages of the claims.' }),
  response_type: oneOf({ doc: 'What logins that name none ask for.' }, responseTypes),
  response_mode: oneOf({ doc: 'How their answers come back.' }, responseModes),
  client_name: string({ doc: 'Name that the OP shows.' }),
  id_token_signed_response_alg: string({ doc: 'What the OP signs its ID Tokens with.' }),
  login_binding: required(oneOf({ doc: 'As it was asked for.' }, ['required', 'none'])),
  tokens: required(oneOf({ doc: 'As it was asked for.' }, ['site', 'daemon'])),
  client_secret_expires_at: integer({
    doc: "When the registration's secret expires, in seconds since the epoch; 0 never.",
    spec: 'RFC 7591 3.2.1',
  }),
  certificate_subject: string({
    doc: 'Subject of its certificate, as the OP compares it.',
    spec: 'RFC 8705 2.1.2',
  }),
  certificate_expires_at: integer({ doc: 'When its certificate expires.' }),
  key_id: string({ doc: 'The kid of its key.' }),
  client_assertion_file: string({ doc: 'Where the platform keeps its client assertion.' }),
  sessions: required(
    integer({ doc: 'Its sessions; those that have expired lately are among them.' }),
  ),
  created_at: required(integer({ doc: 'Seconds since the epoch.' })),
  updated_at: integer({ doc: 'When the operator last changed it.' }),
  fault: string({
    doc: 'What is wrong with it as it is stored, where it cannot be shown; most is missing then.',
  }),
  cut,
}

/** A site alone: also what its OP must be told. */
export const oneSiteResult = {
  ...siteResult,
  jwks: object({ doc: 'Its public key, for the OP.', spec: 'RFC 7517 5' }),
  client_metadata: object({
    doc: 'What else its registration says, by the registered names.',
    spec: 'OIDC Registration 2',
  }),
}

export const siteRecords = (doc: string) => records({ doc }, siteResult)

export type DescribedSite = Values<typeof siteResult>

/** A site as {@link siteResult}, for a list. */
export function describeSite(site: ListedSite): DescribedSite {
  return shownInPart(describe(site), LISTED_BYTES)
}

/** One site that cannot be shown hides no other. */
function describe(site: ListedSite): DescribedSite {
  try {
    return describeAll(site)
  } catch {
    const { oxd_id, realm, op_host, issuer, registered_by, created_at, name } = site
    return {
      oxd_id,
      ...(name && { name }),
      realm,
      op_host,
      issuer,
      client_id: text(site.client?.client_id) ?? '',
      registered_by,
      auth_method: 'unknown',
      redirect_uris: [site.redirect_uri],
      scope: [],
      login_binding: 'required',
      tokens: 'site',
      sessions: site.sessions,
      created_at,
      fault: 'it is stored in a way that relyd cannot read: remove it, and register it anew',
    }
  }
}

/** A site as {@link oneSiteResult}. */
export function describeOneSite(site: ListedSite): Values<typeof oneSiteResult> {
  const jwks = publicJwks(site)
  const client_metadata = metadataOf(site)
  return {
    ...shownInPart(describe(site), SHOWN_BYTES),
    ...(jwks.keys.length > 0 && { jwks }),
    ...(Object.keys(client_metadata).length > 0 && { client_metadata }),
  }
}

/** Members that are shown by themselves. */
const SHOWN = ['token_endpoint_auth_method', 'id_token_signed_response_alg']

function metadataOf({ client }: ListedSite): Record<string, unknown> {
  const members = Object.entries(client).filter(
    ([name]) => Object.hasOwn(metadataTable, name) && !SHOWN.includes(name),
  )
  return Object.fromEntries(members)
}

function describeAll(site: ListedSite): DescribedSite {
  const { client, settings, name, updated_at } = site
  // An OP of before its answers were looked at may have given none.
  if (typeof client.client_id !== 'string') throw new TypeError('no client_id')
  const [key] = publicJwks(site).keys
  const file = assertionFileOf(site)
  const expires_at = key?.x5c && expiryOf(key.x5c)
  const { client_name, acr_values, ui_locales, claims_locales } = settings
  const { post_logout_redirect_uri, response_type, response_mode } = settings
  const subject = text(client['tls_client_auth_subject_dn'])
  return {
    oxd_id: site.oxd_id,
    ...(name && { name }),
    realm: site.realm,
    op_host: site.op_host,
    issuer: site.issuer,
    client_id: client.client_id,
    registered_by: site.registered_by,
    auth_method: authMethodOf(site),
    redirect_uris: redirectUrisOf(site),
    ...(post_logout_redirect_uri && { post_logout_redirect_uri }),
    scope: settings.scope,
    ...(acr_values && { acr_values }),
    ...(ui_locales && { ui_locales }),
    ...(claims_locales && { claims_locales }),
    ...(response_type && { response_type }),
    ...(response_mode && { response_mode }),
    ...(client_name && { client_name }),
    ...(client.id_token_signed_response_alg && {
      id_token_signed_response_alg: client.id_token_signed_response_alg,
    }),
    login_binding: settings.login_binding,
    tokens: settings.tokens,
    ...(client.client_secret_expires_at !== undefined && {
      client_secret_expires_at: client.client_secret_expires_at,
    }),
    ...(subject && { certificate_subject: subject }),
    ...(expires_at !== undefined && { certificate_expires_at: expires_at }),
    ...(key && { key_id: key.kid }),
    ...(file !== undefined && { client_assertion_file: file }),
    sessions: site.sessions,
    created_at: site.created_at,
    ...(updated_at && { updated_at }),
  }
}

/** Those that the OP knows, the site's own first. */
export function redirectUrisOf({ redirect_uri, client }: ListedSite): [string, ...string[]] {
  const { redirect_uris } = client as { redirect_uris?: unknown }
  const others = Array.isArray(redirect_uris)
    ? redirect_uris.filter((uri) => typeof uri === 'string' && uri !== redirect_uri)
    : []
  return [redirect_uri, ...others]
}

/** As `auth_method` of the commands names it. */
export function authMethodOf(site: Pick<Site, 'client' | 'registered_by'>): string {
  const { client } = site
  if (isApple(site)) return 'apple'
  if (assertionFileOf(site) !== undefined) return 'assertion_file'
  return client.token_endpoint_auth_method ?? 'client_secret_basic'
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
