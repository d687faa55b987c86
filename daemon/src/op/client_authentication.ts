/** How a site authenticates to its OP (OIDC Core 9, RFC 7523, RFC 8705). */
import { createPrivateKey } from 'node:crypto'
import { SignJWT } from 'jose'
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { ClientJwk, Site } from '../store/store.js'
import { AssertionFileError, readAssertionFile } from './assertion_file.js'
import { byGivenAssertion, bySignedAssertion, type Signer } from './client_assertion.js'
import { pemOf } from './client_certificate.js'
import type { ClientCertificate } from './connections.js'
import { optionsOf, TENANT } from './op_options.js'
import type { OpSide } from './op_side.js'
import { keysOf, signingKey } from './own_keys.js'
import type { Provider } from './provider.js'

/**
 * Methods that a site may ask for itself, in the order in which relyd prefers them: certificates and
 * assertion files come from the operator only. A shared secret goes before a key, which many OPs
 * cannot replace once it is registered (ADR 24); `none` goes last.
 */
export const authMethods = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'client_secret_jwt',
  'none',
] as const

/** Methods that a client_secret alone is enough for. */
const secretMethods = ['client_secret_basic', 'client_secret_post', 'client_secret_jwt'] as const

export type SecretMethod = (typeof secretMethods)[number]

export function isSecretMethod(method: string): method is SecretMethod {
  return (secretMethods as readonly string[]).includes(method)
}

/** How a client with a secret authenticates, where nobody said it. OIDC Discovery 3: an OP that says nothing takes client_secret_basic. */
export function preferredSecretMethod(metadata: client.ServerMetadata): SecretMethod {
  const offered = metadata.token_endpoint_auth_methods_supported ?? []
  return secretMethods.find((method) => offered.includes(method)) ?? 'client_secret_basic'
}

/** RFC 7518 3.2, OIDC Core 10.1: bytes that the key of a MAC has at least, by its algorithm. */
export const SHORTEST_MAC_KEYS: Readonly<Record<string, number>> = {
  HS256: 32,
  HS384: 48,
  HS512: 64,
}

/** Seconds that a client secret made for Apple is good for. Apple would allow six months. */
const APPLE_LIFETIME = 300

/**
 * @throws CommandError `invalid_op_response` for a method that the daemon cannot do, or one without
 * what it needs
 */
export function authenticationOf(op: OpSide, provider: Provider, site: Site): client.ClientAuth {
  const authenticate = methodOf(op, provider, site)
  return (as, metadata, body, headers) => {
    // RFC 6749 4.1.3: the redirect URI as it was sent. openid-client takes it from the callback
    // without its query, which a registered redirect URI may have.
    if (body.get('grant_type') === 'authorization_code') {
      body.set('redirect_uri', site.redirect_uri)
    }
    return authenticate(as, metadata, body, headers)
  }
}

/** What a site shows in the TLS handshake; undefined for one that authenticates otherwise. */
export function certificateOf(site: Site): ClientCertificate | undefined {
  if (!/^(self_signed_)?tls_client_auth$/.test(methodNameOf(site))) return undefined
  const { x5c } = keyOf(site)
  if (!x5c) throw unusable(`${methodNameOf(site)} needs a certificate; there is none`)
  return { cert: pemOf(x5c), key: privateKeyOf(site) }
}

/** RFC 7591 2: what a registration without a method means. */
function methodNameOf({ client }: Site): string {
  return client.token_endpoint_auth_method ?? 'client_secret_basic'
}

function methodOf(op: OpSide, provider: Provider, site: Site): client.ClientAuth {
  const method = methodNameOf(site)
  switch (method) {
    case 'none':
      return client.None()
    case 'client_secret_basic':
      return client.ClientSecretBasic(secretOf(site))
    case 'client_secret_post':
      return isApple(site) ? appleSecretPost(op, site) : client.ClientSecretPost(secretOf(site))
    case 'client_secret_jwt':
      return bySignedAssertion(op.clock, audienceOf(op, provider), constant(macOf(site)))
    case 'private_key_jwt':
      return assertionFileOf(site) === undefined
        ? privateKeyJwt(op, provider, site)
        : byGivenAssertion(() => assertionOf(op, site))
    case 'tls_client_auth':
    case 'self_signed_tls_client_auth':
      certificateOf(site)
      return client.TlsClientAuth()
    default:
      throw unusable(`cannot authenticate by ${method}`)
  }
}

function privateKeyJwt(op: OpSide, provider: Provider, site: Site): client.ClientAuth {
  const operators = site.secrets.own_keys ? undefined : operatorsKey(site)
  const signer = () => operators ?? ownKeyOf(op, site)
  // That there is one is found out now, which it is depends on when it is used.
  signer()
  return bySignedAssertion(op.clock, audienceOf(op, provider), signer)
}

function operatorsKey(site: Site): Signer {
  const { kid, alg, 'x5t#S256': x5t } = keyOf(site)
  return {
    alg: alg as string,
    key: createPrivateKey(privateKeyOf(site)),
    kid,
    ...(x5t !== undefined && { 'x5t#S256': x5t }),
  }
}

function ownKeyOf(op: OpSide, site: Site): Signer {
  const own = signingKey(site, op.clock())
  if (!own) throw unusable('the client has no key of its own that signs')
  const { token_endpoint_auth_signing_alg: registered } = site.client
  if (registered && registered !== own.alg) {
    throw unusable(
      `the OP registered the client for assertions signed with ${registered}, and its key is for ${own.alg}`,
      'token_endpoint_auth_signing_alg',
    )
  }
  return own
}

function macOf(site: Site): Signer {
  const key = Buffer.from(secretOf(site))
  // OIDC Core 9: without one registered, any that the OP supports; HS256 every OP does.
  const alg = site.client.token_endpoint_auth_signing_alg || 'HS256'
  const shortest = SHORTEST_MAC_KEYS[alg]
  if (shortest === undefined) {
    throw unusable(
      `client_secret_jwt signs with HS256, HS384 or HS512, and not with ${alg}`,
      'token_endpoint_auth_signing_alg',
    )
  }
  if (key.length >= shortest) return { alg, key }
  throw unusable(
    `the client_secret has less than ${shortest} bytes, too few for ${alg}`,
    'client_secret',
  )
}

/**
 * The issuer alone, which no other OP can misuse; what an OP wants otherwise stands in relyd.cfg.
 *
 * @see draft-ietf-oauth-rfc7523bis, OIDC Core 9
 */
function audienceOf(op: OpSide, { op_host, issuer, metadata }: Provider): string {
  const options = optionsOf(op.options, op_host)
  if (options?.client_assertion_audience === 'token_endpoint') {
    return metadata.token_endpoint as string
  }
  if (!options?.tenants) return issuer
  throw unusable(
    `an issuer with ${TENANT} is no audience of a client assertion; add client_assertion_audience = token_endpoint to [op ${options.name}] of relyd.cfg`,
    'issuer',
  )
}

/** Where the operator said that assertions are; what an OP answers cannot say so. */
export function assertionFileOf({
  client,
  registered_by,
}: Pick<Site, 'client' | 'registered_by'>): string | undefined {
  return registered_by === 'operator' ? client.client_assertion_file : undefined
}

async function assertionOf({ clock, log }: OpSide, site: Site): Promise<string> {
  try {
    return await readAssertionFile(assertionFileOf(site) as string, clock())
  } catch (error) {
    if (!(error instanceof AssertionFileError)) throw error
    log.error({ site: site.oxd_id.slice(0, 8), why: error.message }, 'no client assertion')
    throw new CommandError(
      'no_client_assertion',
      "the client assertion that the platform renews for this site cannot be used; the daemon's log says why, and which file it is",
      { cause: error },
    )
  }
}

/**
 * Apple takes a JWT as client secret. Its audience is the site's issuer, so that what is made for
 * another OP by mistake is of no use at Apple.
 */
function appleSecretPost(op: OpSide, site: Site): client.ClientAuth {
  const { kid } = keyOf(site)
  const key = createPrivateKey(privateKeyOf(site))
  return async (as, metadata, body, headers) => {
    const now = op.clock()
    const secret = await new SignJWT()
      .setProtectedHeader({ alg: 'ES256', kid })
      .setIssuer(site.client.apple_team_id as string)
      .setSubject(site.client.client_id)
      .setAudience(site.issuer)
      .setIssuedAt(now)
      .setExpirationTime(now + APPLE_LIFETIME)
      .sign(key)
    await client.ClientSecretPost(secret)(as, metadata, body, headers)
  }
}

/** Whether the client secret is a JWT that the daemon makes; what an OP answers cannot say so. */
export function isApple({
  client,
  registered_by,
}: Pick<Site, 'client' | 'registered_by'>): boolean {
  return registered_by === 'operator' && client.apple_team_id !== undefined
}

function secretOf(site: Site): string {
  const { client_secret } = site.secrets
  if (client_secret !== undefined) return client_secret
  throw unusable(`${methodNameOf(site)} needs a secret; the OP gave none`)
}

function keyOf({ client }: Site): ClientJwk {
  const [key] = keysOf(client)
  if (key) return key
  throw unusable('the client has no key of its own')
}

function privateKeyOf(site: Site): string {
  const { client_private_key } = site.secrets
  if (client_private_key === undefined) throw unusable('the private key is missing')
  return client_private_key
}

function constant<T>(value: T): () => T {
  return () => value
}

/** The OP registered the client for a way that cannot be gone. */
function unusable(why: string, member = 'token_endpoint_auth_method'): CommandError {
  return new CommandError('invalid_op_response', why, {
    details: { member },
    spec: 'RFC 7591 3.2.1',
  })
}
