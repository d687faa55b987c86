/** A site as oxd kept and showed it, without what opens anything. */
import type { Site } from '../store/store.js'

/** What oxd showed to anybody: the site's secrets, and those of whoever logged in last. */
const WITHHELD = [
  'client_secret',
  'client_registration_access_token',
  'client_registration_client_uri',
  'id_token',
  'access_token',
  'user_id',
  'user_secret',
  'pat',
  'rpt',
]

/** By the names of oxd's own record, and by those of the parameters where they differ. */
export function siteRecord({ oxd_id, op_host, redirect_uri, client, settings }: Site): object {
  const { metadata = {}, post_logout_redirect_uri = null, acr_values = [] } = settings
  const further = metadata['metadata'] as Record<string, unknown> | undefined
  // The OP's word, and where it said nothing, what it was asked for.
  const registered = (name: string) => client[name] ?? metadata[name] ?? further?.[name]
  const text = (name: string) => {
    const value = registered(name)
    return typeof value === 'string' ? value : null
  }
  const texts = (name: string) =>
    [registered(name) ?? []].flat().filter((one) => typeof one === 'string')
  return {
    ...Object.fromEntries(WITHHELD.map((name) => [name, null])),
    oxd_id,
    op_host,
    op_discovery_path: null,
    authorization_redirect_uri: redirect_uri,
    redirect_uris: [...new Set([redirect_uri, ...texts('redirect_uris')])],
    logout_redirect_uri: post_logout_redirect_uri,
    post_logout_redirect_uri,
    claims_redirect_uri: texts('claims_redirect_uris'),
    front_channel_logout_uri: texts('frontchannel_logout_uri'),
    application_type: 'web',
    response_types: ['code', ...texts('response_types').filter((type) => type !== 'code')],
    grant_types: texts('grant_types'),
    scope: settings.scope,
    acr_values,
    ui_locales: settings.ui_locales ?? [],
    claims_locales: settings.claims_locales ?? [],
    contacts: texts('contacts'),
    client_id: client.client_id,
    client_name: settings.client_name ?? null,
    client_id_issued_at: milliseconds(client['client_id_issued_at']),
    client_secret_expires_at: milliseconds(client.client_secret_expires_at),
    client_jwks_uri: text('jwks_uri'),
    sector_identifier_uri: text('sector_identifier_uri'),
    token_endpoint_auth_method: text('token_endpoint_auth_method'),
    token_endpoint_auth_signing_alg: text('token_endpoint_auth_signing_alg'),
    oxd_rp_programming_language: null,
    uma_protected_resources: [],
  }
}

/** @returns null for a time that there is none, or that never comes */
function milliseconds(seconds: unknown): number | null {
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : null
}
