/** A site as an OAuth client: openid-client's view of it, built once and kept with the site. */
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { AssertionFileError, readAssertionFile } from './assertion_file.js'
import { assertionFileOf, authenticationOf, certificateOf } from './client_authentication.js'
import { refused } from './credential_error.js'
import { admitNamed, checkAliases, insecureIfAllowed } from './discovery.js'
import type { OpHttp } from './http.js'
import { type OpOptions, optionsOf } from './op_options.js'
import type { OpSide } from './op_side.js'
import { checkEncryption } from './own_key_wishes.js'
import type { Provider } from './provider.js'

/** Seconds by which an OP's clock and ours may differ. */
export const CLOCK_TOLERANCE = 60

export interface SiteClient {
  provider: Provider
  configuration: client.Configuration
}

/** Asymmetric ones, all of which jose verifies. */
const SIGNING_ALGS = /^(RS|PS|ES)(256|384|512)$|^EdDSA$|^Ed25519$/

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
  configuration[client.customFetch] = async (...request) => {
    const response = await fetch(...request)
    answer = response.clone()
    return response
  }
  return { provider, configuration, heard: () => answer }
}

async function configure(
  op: OpSide,
  site: Site,
  provider: Provider,
): Promise<client.Configuration> {
  const make = optionsOf(op.options, site.op_host)?.tenants ? manyTenants : oneIssuer
  const configuration = await make(
    endpointsFor(op, site, provider),
    site.client.client_id,
    {
      ...withoutSignedAnswers(site.client),
      ...signingAlg(site),
      use_mtls_endpoint_aliases: certificateOf(site) !== undefined,
      [client.clockTolerance]: CLOCK_TOLERANCE,
    },
    authenticationOf(op, provider, site),
  )
  useHttpLayer(op, provider, configuration)
  configuration[client.customFetch] = fetchOf(op, site)
  return configuration
}

/** The parts of a configuration. */
type Parts = Required<
  [
    metadata: client.ServerMetadata,
    client_id: string,
    client: Partial<client.ClientMetadata>,
    authentication: client.ClientAuth,
  ]
>

async function oneIssuer(...parts: Parts): Promise<client.Configuration> {
  return new client.Configuration(...parts)
}

/**
 * For an issuer with `{tenantid}`. openid-client puts an ID Token's tid in its place for what it
 * discovers at this address, and nowhere else; which tenants may come is for `checkTenant`.
 */
async function manyTenants(metadata: client.ServerMetadata, ...parts: Rest<Parts>) {
  return client.discovery(new URL('https://login.microsoftonline.com/common/v2.0'), ...parts, {
    [client.customFetch]: async () => Response.json(metadata),
  })
}

type Rest<T extends unknown[]> = T extends [unknown, ...infer R] ? R : never

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
): void {
  configuration[client.customFetch] = op.http.fetch
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
    )
  }
  return provider
}

/**
 * Algorithms that the site's ID Tokens may be signed with, pinned to the registration.
 * OIDC Registration 2: without `id_token_signed_response_alg`, RS256.
 */
export function idTokenAlgs(site: Site, metadata: client.ServerMetadata): string[] {
  const pinned = site.client.id_token_signed_response_alg
  if (pinned) return [pinned]
  if (site.registered_by === 'relyd') return ['RS256']
  // The operator's registration may say otherwise where relyd cannot read it.
  const offered = metadata.id_token_signing_alg_values_supported ?? ['RS256']
  return offered.filter((alg) => SIGNING_ALGS.test(alg))
}

/**
 * openid-client reads a UserInfo response that is a JWT without verifying its signature. Nothing
 * asked for one; with no algorithm to hold it against, openid-client refuses it.
 */
function withoutSignedUserInfo(metadata: client.ServerMetadata): client.ServerMetadata {
  const { userinfo_signing_alg_values_supported: _, ...rest } = metadata
  return rest as client.ServerMetadata
}

/** RFC 8705 5: the aliases of endpoints are for who shows a certificate, and for nobody else. */
function endpointsFor({ http }: OpSide, site: Site, provider: Provider): client.ServerMetadata {
  const { mtls_endpoint_aliases, ...plain } = withoutSignedUserInfo(provider.metadata)
  if (!certificateOf(site)) return plain as client.ServerMetadata
  const aliases = mtls_endpoint_aliases ?? {}
  checkAliases(http, provider.op_host, aliases)
  const address = aliases.token_endpoint ?? provider.metadata.token_endpoint
  if (!address?.startsWith('https:')) {
    throw new CommandError(
      'invalid_op_metadata',
      `the token_endpoint of ${site.op_host} has no TLS, where alone a client can show its certificate`,
    )
  }
  return { ...plain, mtls_endpoint_aliases: aliases } as client.ServerMetadata
}

/** The same of introspection, which openid-client would ask for as a JWT. */
function withoutSignedAnswers(metadata: Site['client']): Partial<client.ClientMetadata> {
  const { introspection_signed_response_alg: _, ...rest } = metadata
  return rest as Partial<client.ClientMetadata>
}

function signingAlg(site: Site): Partial<client.ClientMetadata> {
  if (site.client.id_token_signed_response_alg || site.registered_by === 'operator') return {}
  return { id_token_signed_response_alg: 'RS256' }
}

/**
 * Refuses a registration with which no login could ever end well.
 *
 * @throws CommandError `invalid_op_response`, `op_host_not_allowed`
 */
export async function checkRegistration(op: OpSide, site: Site): Promise<void> {
  const provider = await op.providers.get(site.op_host)
  authenticationOf(op, provider, site)
  endpointsFor(op, site, provider)
  await checkAssertionFile(op, site)
  if (site.registered_by === 'relyd') checkEncryption(site.client, site.secrets.own_keys)
  const alg = site.client.id_token_signed_response_alg
  if (alg !== undefined && !SIGNING_ALGS.test(alg)) {
    throw new CommandError(
      'invalid_op_response',
      'the OP registered the site for ID Tokens that are not signed with a key of the OP',
    )
  }
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
