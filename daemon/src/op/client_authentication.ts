/** How a site authenticates to its OP (OIDC Core 9, RFC 7523, RFC 8705), by openid-client's own functions. */
import { importPKCS8, SignJWT } from 'jose'
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { ClientJwk, Site } from '../store/store.js'
import { pemOf } from './client_certificate.js'
import type { ClientCertificate } from './connections.js'
import { optionsOf, TENANT } from './op_options.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'

/** Methods that a site may ask for itself: keys and certificates come from the operator only. */
export const authMethods = ['client_secret_basic', 'client_secret_post', 'none'] as const

/** Seconds that a client secret made for Apple is good for. Apple would allow six months. */
const APPLE_LIFETIME = 300

/**
 * @throws CommandError `invalid_op_response` for a method that the daemon cannot do, or one without
 * what it needs
 */
export async function authenticationOf(
  op: OpSide,
  provider: Provider,
  site: Site,
): Promise<client.ClientAuth> {
  const authenticate = await methodOf(op, provider, site)
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

async function methodOf(op: OpSide, provider: Provider, site: Site): Promise<client.ClientAuth> {
  const method = methodNameOf(site)
  switch (method) {
    case 'none':
      return client.None()
    case 'client_secret_basic':
      return client.ClientSecretBasic(secretOf(site))
    case 'client_secret_post':
      return isApple(site) ? appleSecretPost(op, site) : client.ClientSecretPost(secretOf(site))
    case 'client_secret_jwt':
      return client.ClientSecretJwt(secretOf(site), {
        [client.modifyAssertion]: modification(op, provider),
      })
    case 'private_key_jwt':
      return privateKeyJwt(op, provider, site)
    case 'tls_client_auth':
    case 'self_signed_tls_client_auth':
      certificateOf(site)
      return client.TlsClientAuth()
    default:
      throw unusable(`cannot authenticate by ${method}`)
  }
}

async function privateKeyJwt(
  op: OpSide,
  provider: Provider,
  site: Site,
): Promise<client.ClientAuth> {
  const jwk = keyOf(site)
  const pem = privateKeyOf(site)
  const key = await importPKCS8(pem, jwk.alg as string)
  return client.PrivateKeyJwt(
    { key, kid: jwk.kid },
    { [client.modifyAssertion]: modification(op, provider, jwk) },
  )
}

/** What an assertion says otherwise than openid-client has it. */
function modification(
  op: OpSide,
  { op_host, metadata }: Provider,
  jwk?: ClientJwk,
): client.ModifyAssertionFunction {
  const {
    client_assertion_audience: audience,
    tenants,
    name,
  } = optionsOf(op.options, op_host) ?? {}
  if (tenants && audience !== 'token_endpoint') {
    throw unusable(
      `an issuer with ${TENANT} is no audience of a client assertion; add client_assertion_audience = token_endpoint to [op ${name}] of relyd.cfg`,
    )
  }
  return (header, payload) => {
    // RFC 9864 has a new name for EdDSA, which few OPs know.
    if (jwk?.alg === 'EdDSA') header['alg'] = 'EdDSA'
    if (jwk?.['x5t#S256'] !== undefined) header['x5t#S256'] = jwk['x5t#S256']
    if (audience === 'token_endpoint') payload['aud'] = metadata.token_endpoint as string
  }
}

/**
 * Apple takes a JWT as client secret. Its audience is the site's issuer, so that what is made for
 * another OP by mistake is of no use at Apple.
 */
async function appleSecretPost(op: OpSide, site: Site): Promise<client.ClientAuth> {
  const { kid } = keyOf(site)
  const key = await importPKCS8(privateKeyOf(site), 'ES256')
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
function isApple({ client, registered_by }: Site): boolean {
  return registered_by === 'operator' && client.apple_team_id !== undefined
}

function secretOf(site: Site): string {
  const { client_secret } = site.secrets
  if (client_secret !== undefined) return client_secret
  throw unusable(`${methodNameOf(site)} needs a secret; the OP gave none`)
}

function keyOf({ client }: Site): ClientJwk {
  const key = client.jwks?.keys[0]
  if (key) return key
  throw unusable('the client has no key of its own')
}

function privateKeyOf(site: Site): string {
  const { client_private_key } = site.secrets
  if (client_private_key === undefined) throw unusable('the private key is missing')
  return client_private_key
}

function unusable(why: string): CommandError {
  return new CommandError('invalid_op_response', why)
}
