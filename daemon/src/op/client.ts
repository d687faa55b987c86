/** A site as an OAuth client: openid-client's view of it, built once and kept with the site. */
import * as client from 'openid-client'
import { bounded, CommandError } from '../errors.js'
import { isObject } from '../is_object.js'
import { refused } from '../refused.js'
import type { Site } from '../store/store.js'
import { AssertionFileError, readAssertionFile } from './assertion_file.js'
import { assertionFileOf, authenticationOf, certificateOf } from './client_authentication.js'
import { admitNamed, insecureIfAllowed } from './discovery.js'
import type { OpHttp } from './http.js'
import { checkJwtAlgs } from './jwt_registered.js'
import { checkAliases } from './metadata.js'
import { type OpOptions, optionsOf } from './op_options.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'

export interface SiteClient {
  provider: Provider
  configuration: client.Configuration
}

interface Built extends SiteClient {
  metadata: client.ServerMetadata
  options: OpOptions | undefined
}

// Sites are cached objects; what is derived from one lives as long as it does.
const built = new WeakMap<Site, Built>()

/**
 * @throws CommandError `no_connect_discovery_response`, `invalid_op_metadata`, `op_host_not_allowed`
 * when the OP is not known and cannot be asked
 */
export async function clientOf(op: OpSide, site: Site): Promise<SiteClient> {
  const provider = await providerOf(op, site)
  const kept = built.get(site)
  const options = optionsOf(op.options, site.op_host)
  if (kept && kept.metadata === provider.metadata && kept.options === options) return kept
  const configuration = await configure(op, site, provider)
  const made = { provider, configuration, metadata: provider.metadata, options }
  built.set(site, made)
  return made
}

/** A client that shows the OP's answer itself, also where openid-client makes an error of it. */
export async function listeningClientOf(
  op: OpSide,
  site: Site,
): Promise<SiteClient & { heard(): Response | undefined }> {
  const provider = await providerOf(op, site)
  const configuration = await configure(op, site, provider)
  const fetch = fetchOf(op, site)
  let answer: Response | undefined
  configuration[client.customFetch] = hidingIdToken(async (...request) => {
    const response = await fetch(...request)
    answer = response.clone()
    return response
  })
  return { provider, configuration, heard: () => answer }
}

async function configure(
  op: OpSide,
  site: Site,
  provider: Provider,
): Promise<client.Configuration> {
  const configuration = new client.Configuration(
    endpointsFor(op, site, provider),
    site.client.client_id,
    {
      ...withoutSignedAnswers(site.client),
      use_mtls_endpoint_aliases: certificateOf(site) !== undefined,
    },
    authenticationOf(op, provider, site),
  )
  useHttpLayer(op, provider, configuration, fetchOf(op, site))
  return configuration
}

/** Where an ID Token stands in a token response while openid-client reads it. */
const HIDDEN_ID_TOKEN = 'urn:relyd:id_token'

/**
 * openid-client would validate an ID Token of the token endpoint in its own way, and knows no
 * HS256, no key that the OP made a moment ago and no trusted audience. It does not see one: there is
 * one validator, `validateIdToken` (ADR 21).
 */
function hidingIdToken(fetch: client.CustomFetch): client.CustomFetch {
  return async (url, options) => {
    const response = await fetch(url, options)
    const isGrant = options.body instanceof URLSearchParams && options.body.has('grant_type')
    if (!isGrant || response.status !== 200) return response
    // Read once: a clone of the response would cost more than all the rest of its reading.
    const text = await response.text()
    const body = jsonObjectOf(text)
    if (!body) return new Response(text, response)
    const { id_token, ...rest } = body
    // Last, so that no member of the OP's own stands there.
    const hidden = JSON.stringify({ ...rest, [HIDDEN_ID_TOKEN]: id_token })
    return new Response(hidden, response)
  }
}

function jsonObjectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The ID Token of a token response, which nobody has looked at. */
export function idTokenOf(answer: client.TokenEndpointResponse): unknown {
  return answer[HIDDEN_ID_TOKEN]
}

/** A site with a client certificate has connections of its own, and no other site may use them. */
function fetchOf({ http }: OpSide, site: Site): client.CustomFetch {
  const certificate = certificateOf(site)
  return certificate ? http.fetchWith(certificate) : http.fetch
}

/** Sends what openid-client sends through our own limits. */
export function useHttpLayer(
  op: OpSide,
  { op_host }: Provider,
  configuration: client.Configuration,
  fetch: client.CustomFetch = op.http.fetch,
): void {
  configuration[client.customFetch] = hidingIdToken(fetch)
  configuration.timeout = op.http.timeout
  for (const execute of insecureIfAllowed(op_host)) execute(configuration)
}

/** The OP's documents, as long as they still name the issuer that the site registered at. */
export async function providerOf(op: OpSide, site: Site): Promise<Provider> {
  const provider = await op.providers.get(site.op_host)
  if (provider.issuer !== site.issuer) {
    throw new CommandError(
      'invalid_op_metadata',
      `${site.op_host} has become another issuer since this site registered there`,
      { details: { member: 'issuer', expected: site.issuer, received: bounded(provider.issuer) } },
    )
  }
  return provider
}

/** Where UserInfo is asked for: at its alias, by who shows a certificate. */
export function userInfoEndpoint(
  site: Site,
  configuration: client.Configuration,
): string | undefined {
  const { userinfo_endpoint, mtls_endpoint_aliases } = configuration.serverMetadata()
  const alias = certificateOf(site) && mtls_endpoint_aliases?.userinfo_endpoint
  return alias ?? userinfo_endpoint
}

/** RFC 8705 5: the aliases of endpoints are for who shows a certificate, and for nobody else. */
function endpointsFor({ http }: OpSide, site: Site, provider: Provider): client.ServerMetadata {
  const { mtls_endpoint_aliases, ...plain } = provider.metadata
  if (!certificateOf(site)) return plain as client.ServerMetadata
  const aliases = mtls_endpoint_aliases ?? {}
  checkAliases(http.policy, provider.op_host, aliases)
  const address = aliases.token_endpoint ?? provider.metadata.token_endpoint
  if (!address?.startsWith('https:')) {
    throw new CommandError(
      'invalid_op_metadata',
      `the token_endpoint of ${site.op_host} has no TLS, where alone a client can show its certificate`,
      { details: { member: 'token_endpoint', received: bounded(address) }, spec: 'RFC 8705 5' },
    )
  }
  return { ...plain, mtls_endpoint_aliases: aliases } as client.ServerMetadata
}

/** openid-client would ask for introspection as a JWT (RFC 9701), whose signature it leaves to others. */
function withoutSignedAnswers(metadata: Site['client']): Partial<client.ClientMetadata> {
  const { introspection_signed_response_alg: _, ...rest } = metadata
  return rest as Partial<client.ClientMetadata>
}

/**
 * Refuses a registration with which no login could ever end well.
 *
 * @throws CommandError `invalid_op_response`, `op_host_not_allowed`; `invalid_request` for what an
 * operator has said
 */
export async function checkRegistration(op: OpSide, site: Site): Promise<void> {
  const provider = await op.providers.get(site.op_host)
  authenticationOf(op, provider, site)
  endpointsFor(op, site, provider)
  checkJwtAlgs(site)
  await checkAssertionFile(op, site)
  // Where the daemon may never call, the site could never be removed.
  const uri = registrationUri(op.http, site)
  if (uri !== undefined) await admitNamed(op.http, uri)
}

/** What the operator named must be there now; later it is read at each request. */
async function checkAssertionFile({ clock }: OpSide, site: Site): Promise<void> {
  const path = assertionFileOf(site)
  if (path === undefined) return
  try {
    await readAssertionFile(path, clock())
  } catch (error) {
    if (!(error instanceof AssertionFileError)) throw error
    throw refused('client_assertion_file', error.message)
  }
}

/**
 * Where the site's registration is read and removed (RFC 7592 3), if the OP named a place. What it
 * wrote there is kept as it came, and need not be an address.
 */
export function registrationUri({ policy }: OpHttp, { client }: Site): string | undefined {
  const uri = String(client.registration_client_uri)
  return URL.canParse(uri) && policy.isSecure(new URL(uri)) ? uri : undefined
}
