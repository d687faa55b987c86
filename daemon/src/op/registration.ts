/** Dynamic client registration, and its undoing. */
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { ClientMetadata, Site, SiteSecrets } from '../store/store.js'
import { providerOf, registrationUri, useHttpLayer } from './client.js'
import { authMethods } from './client_authentication.js'
import { insecureIfAllowed } from './discovery.js'
import { asCommandError } from './op_errors.js'
import type { OpSide } from './op_side.js'
import { withOwnKeys } from './own_key_wishes.js'
import { registeredKeys } from './own_keys.js'
import { plainMembers } from './plain_members.js'
import type { Provider } from './provider.js'

/** Codes that a registration at the OP can end with. */
export const registrationErrors = [
  'op_host_not_allowed',
  'op_unreachable',
  'op_error',
  'invalid_op_response',
] as const

export interface Registration {
  client: ClientMetadata
  secrets: SiteSecrets
}

/** What a site wishes for its registration (RFC 7591 2). */
export interface RegistrationWishes {
  redirect_uris: string[]
  post_logout_redirect_uris: string[]
  scope: string[]
  client_name?: string | undefined
  contacts?: string[] | undefined
  token_endpoint_auth_method?: (typeof authMethods)[number] | undefined
}

/**
 * RFC 7591 3: registers a client at the OP.
 *
 * @throws CommandError with one of {@link registrationErrors}, or `invalid_request` when the OP
 * offers no registration
 */
export async function registerClient(
  op: OpSide,
  provider: Provider,
  wishes: RegistrationWishes,
): Promise<Registration> {
  const { metadata, op_host } = provider
  if (metadata.registration_endpoint === undefined) {
    throw new CommandError(
      'invalid_request',
      `${op_host} offers no dynamic registration; give the client_id and client_secret that its operator issued`,
      { details: { field: 'client_id' } },
    )
  }
  const { request, own_keys } = await withOwnKeys(
    requestedMetadata(metadata, wishes),
    metadata,
    op.clock(),
  )
  let answered: client.ClientMetadata
  try {
    const configuration = await client.dynamicClientRegistration(
      new URL(provider.issuer),
      request as Partial<client.ClientMetadata>,
      client.None(),
      {
        [client.customFetch]: withKnownMetadata(op, provider),
        timeout: op.http.timeout,
        execute: insecureIfAllowed(op_host),
      },
    )
    answered = configuration.clientMetadata()
  } catch (error) {
    throw await asCommandError(error)
  }
  const { client_secret, registration_access_token, ...rest } = answered
  const kept = plainMembers(rest)
  for (const name of ['token_endpoint_auth_method', 'id_token_signed_response_alg']) {
    if (typeof (kept[name] ?? rest[name] ?? '') === 'string') continue
    throw new CommandError(
      'invalid_op_response',
      `the OP's registration has a ${name} that is no text`,
    )
  }
  // RFC 7591 2: seconds. openid-client fails at each login with anything else.
  if (!Number.isSafeInteger(kept['default_max_age']) || Number(kept['default_max_age']) < 0) {
    delete kept['default_max_age']
  }
  const registered = registeredKeys(kept as ClientMetadata, own_keys, op.clock())
  return {
    client: registered.client,
    secrets: {
      ...(registered.own_keys.length > 0 && { own_keys: registered.own_keys }),
      ...(typeof client_secret === 'string' && { client_secret }),
      ...(typeof registration_access_token === 'string' && { registration_access_token }),
    },
  }
}

/**
 * RFC 7592 2.3: removes a registration that relyd made. A registration that the OP no longer knows
 * counts as removed; one that the OP gave no means to remove is left there.
 *
 * @returns whether the OP was asked and removed it
 * @throws CommandError `remove_site_failed`, `op_host_not_allowed`
 */
export async function unregisterClient(op: OpSide, site: Site): Promise<boolean> {
  const uri = registrationUri(op.http, site)
  const { registration_access_token } = site.secrets
  if (site.registered_by !== 'relyd' || registration_access_token === undefined) return false
  if (uri === undefined) return false
  try {
    const configuration = await bareConfiguration(op, site)
    const response = await client.fetchProtectedResource(
      configuration,
      registration_access_token,
      new URL(uri),
      'DELETE',
    )
    // RFC 7592 2.3: 401 is the answer for a client that no longer exists.
    if ([200, 204, 401, 404].includes(response.status)) return true
    throw new CommandError('remove_site_failed', `the OP answered ${response.status}`)
  } catch (error) {
    // The same 401, with a challenge (RFC 6750 3).
    if (error instanceof client.WWWAuthenticateChallengeError && error.status === 401) return true
    const { code, message, details } = await asCommandError(error)
    throw new CommandError(
      code === 'op_host_not_allowed' ? code : 'remove_site_failed',
      `the registration could not be removed at the OP, so the site was kept: ${message}`,
      { details, cause: error },
    )
  }
}

/** Enough to carry a registration access token, whatever the registration itself came to. */
async function bareConfiguration(op: OpSide, site: Site): Promise<client.Configuration> {
  const provider = await providerOf(op, site)
  const { client_id } = site.client
  const configuration = new client.Configuration(provider.metadata, client_id, {}, client.None())
  useHttpLayer(op, provider, configuration)
  return configuration
}

function requestedMetadata(
  metadata: client.ServerMetadata,
  wishes: RegistrationWishes,
): Partial<client.ClientMetadata> {
  const { scope, post_logout_redirect_uris, client_name, contacts, ...rest } = wishes
  const offersRefresh = metadata.grant_types_supported?.includes('refresh_token') ?? false
  return {
    redirect_uris: rest.redirect_uris,
    application_type: 'web',
    response_types: ['code'],
    grant_types: ['authorization_code', ...(offersRefresh ? ['refresh_token'] : [])],
    token_endpoint_auth_method: rest.token_endpoint_auth_method ?? preferredAuthMethod(metadata),
    id_token_signed_response_alg: preferredSigningAlg(metadata),
    scope: scope.join(' '),
    ...(post_logout_redirect_uris.length > 0 && { post_logout_redirect_uris }),
    ...(client_name !== undefined && { client_name }),
    ...(contacts !== undefined && { contacts }),
  }
}

/** OIDC Discovery 3: an OP that says nothing takes client_secret_basic. */
export function preferredAuthMethod(metadata: client.ServerMetadata): (typeof authMethods)[number] {
  const offered = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
  return authMethods.find((method) => offered.includes(method)) ?? 'client_secret_basic'
}

function preferredSigningAlg(metadata: client.ServerMetadata): string {
  const offered = metadata.id_token_signing_alg_values_supported ?? ['RS256']
  return ['RS256', 'ES256', 'PS256', 'EdDSA'].find((alg) => offered.includes(alg)) ?? 'RS256'
}

/** openid-client discovers before it registers; the metadata is known already. */
function withKnownMetadata(op: OpSide, provider: Provider): client.CustomFetch {
  return async (url, options) =>
    url.endsWith('/.well-known/openid-configuration')
      ? Response.json(provider.metadata)
      : op.http.fetch(url, options)
}
