/** What an operator gives to authenticate a client that the OP's operator issued: checked when it is given. */
import type { KeyObject } from 'node:crypto'
import type { Seconds } from '../clock.js'
import { refused } from '../refused.js'
import type { ClientJwk, ClientMetadata, SiteSecrets } from '../store/store.js'
import { faultOfPath } from './assertion_file.js'
import { SHORTEST_MAC_KEYS } from './client_authentication.js'
import { readCertificates } from './client_certificate.js'
import { algorithmOf, type ReadKey, readPrivateKey } from './client_key.js'

/**
 * `private_key` is a PEM file's text (PKCS#8, PKCS#1 or SEC 1, not encrypted) or a JWK as JSON;
 * `certificate` a PEM file's text, with the certificates that lead to its CA behind it.
 */
export type ClientCredential =
  | { method: 'none' }
  | {
      method: 'client_secret_basic' | 'client_secret_post'
      client_secret: string
    }
  | {
      method: 'client_secret_jwt'
      client_secret: string
      /** Absent, HS256. */
      alg?: string | undefined
    }
  | {
      method: 'private_key_jwt'
      private_key: string
      /** As the OP knows the key; absent, the JWK's own or its thumbprint (RFC 7638). */
      kid?: string | undefined
      /** Absent, the JWK's own or what fits the key: RS256, ES256, ES384, ES512, EdDSA. */
      alg?: string | undefined
      /** The key's own, where the OP knows the key by it (Entra ID: `x5t#S256`). */
      certificate?: string | undefined
    }
  | {
      method: 'tls_client_auth' | 'self_signed_tls_client_auth'
      certificate: string
      private_key: string
    }
  /** An assertion that the platform renews in a file: Kubernetes, SPIFFE, clouds. */
  | { method: 'assertion_file'; client_assertion_file: string }
  /** Apple: the daemon makes the client secret, an ES256 JWT. */
  | { method: 'apple'; team_id: string; kid: string; private_key: string }

/** A client as a site stores it: what may be shown, and what is sealed. */
export interface IssuedClient {
  client: ClientMetadata
  secrets: SiteSecrets
}

/**
 * The client of a site from its credential.
 *
 * @throws CommandError `invalid_request`, with the field and the cure, never with the material
 */
export function issuedClient(
  client_id: string,
  credential: ClientCredential,
  now: Seconds,
): IssuedClient {
  if (client_id === '') throw refused('client_id', 'is empty; enter the one that the OP issued')
  switch (credential.method) {
    case 'none':
      return { client: { client_id, token_endpoint_auth_method: 'none' }, secrets: {} }
    case 'client_secret_basic':
    case 'client_secret_post':
    case 'client_secret_jwt':
      return withSecret(client_id, credential)
    case 'private_key_jwt':
      return withKey(client_id, credential, now)
    case 'tls_client_auth':
    case 'self_signed_tls_client_auth':
      return withCertificate(client_id, credential, now)
    case 'assertion_file':
      return withAssertionFile(client_id, credential.client_assertion_file)
    case 'apple':
      return withAppleKey(client_id, credential)
  }
}

function withSecret(
  client_id: string,
  credential: Extract<ClientCredential, { client_secret: string }>,
): IssuedClient {
  const { method, client_secret } = credential
  if (client_secret === '') throw refused('client_secret', `is empty; ${method} needs it`)
  if (/[\r\n]/.test(client_secret)) {
    throw refused('client_secret', 'has more than one line; give the secret alone')
  }
  const alg = credential.method === 'client_secret_jwt' ? credential.alg : undefined
  if (method === 'client_secret_jwt') checkMacKey(client_secret, alg ?? 'HS256')
  return {
    client: {
      client_id,
      token_endpoint_auth_method: method,
      ...(alg !== undefined && { token_endpoint_auth_signing_alg: alg }),
    },
    secrets: { client_secret },
  }
}

/** @throws CommandError `invalid_request` for a secret that is too short to sign with */
export function checkMacKey(client_secret: string, alg: string): void {
  const shortest = SHORTEST_MAC_KEYS[alg]
  if (shortest === undefined) {
    throw refused('signing_alg', `must be ${Object.keys(SHORTEST_MAC_KEYS).join(' or ')}`)
  }
  if (Buffer.byteLength(client_secret) >= shortest) return
  throw refused(
    'client_secret',
    `has less than ${shortest} bytes, too few for ${alg} (RFC 7518 3.2); have the OP issue a longer one, or use client_secret_basic`,
  )
}

/** The OP knows it as private_key_jwt, or has no name for it; that it can be read is checked with the OP. */
function withAssertionFile(client_id: string, path: string): IssuedClient {
  const fault = faultOfPath(path)
  if (fault !== undefined) throw refused('client_assertion_file', fault)
  return {
    client: {
      client_id,
      token_endpoint_auth_method: 'private_key_jwt',
      client_assertion_file: path,
    },
    secrets: {},
  }
}

function withKey(
  client_id: string,
  credential: Extract<ClientCredential, { method: 'private_key_jwt' }>,
  now: Seconds,
): IssuedClient {
  const read = readPrivateKey(credential.private_key)
  const alg = algorithmOf(read.key, credential.alg ?? read.alg)
  const certificates =
    credential.certificate === undefined
      ? undefined
      : readCertificates(credential.certificate, read.key, now)
  return {
    client: {
      client_id,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: alg,
      jwks: { keys: [publicJwk(read.public_jwk, credential.kid ?? read.kid, alg, certificates)] },
    },
    secrets: { client_private_key: pemOf(read.key) },
  }
}

function withCertificate(
  client_id: string,
  {
    method,
    certificate,
    private_key,
  }: Extract<ClientCredential, { method: `${string}tls_client_auth` }>,
  now: Seconds,
): IssuedClient {
  const read = readPrivateKey(private_key)
  // No algorithm: the handshake chooses one. A key that is too short is refused all the same.
  algorithmOf(read.key, undefined)
  const certificates = readCertificates(certificate, read.key, now)
  return {
    client: {
      client_id,
      token_endpoint_auth_method: method,
      ...(method === 'tls_client_auth' && { tls_client_auth_subject_dn: certificates.subject_dn }),
      jwks: { keys: [publicJwk(read.public_jwk, read.kid, undefined, certificates)] },
    },
    secrets: { client_private_key: pemOf(read.key) },
  }
}

function withAppleKey(
  client_id: string,
  { team_id, kid, private_key }: Extract<ClientCredential, { method: 'apple' }>,
): IssuedClient {
  for (const [field, value] of Object.entries({ team_id, key_id: kid })) {
    if (!/^[A-Z0-9]{10}$/.test(value)) {
      throw refused(
        field,
        `is not one of Apple's: ten capital letters and digits; team_id stands at the top right of developer.apple.com/account, key_id in the name of the file AuthKey_….p8`,
      )
    }
  }
  const read = readPrivateKey(private_key)
  if (read.key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw refused('private_key', "is not Apple's: AuthKey_….p8 holds an EC key on P-256")
  }
  return {
    client: {
      client_id,
      token_endpoint_auth_method: 'client_secret_post',
      apple_team_id: team_id,
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [publicJwk(read.public_jwk, kid, 'ES256')] },
    },
    secrets: { client_private_key: pemOf(read.key) },
  }
}

function publicJwk(
  public_jwk: ReadKey['public_jwk'],
  kid: string | undefined,
  alg?: string,
  certificates?: { x5c: string[]; sha256: string },
): ClientJwk {
  const { kty, thumbprint, members } = public_jwk
  return {
    ...members,
    kty,
    kid: kid ?? thumbprint,
    use: 'sig',
    ...(alg !== undefined && { alg }),
    ...(certificates && { x5c: certificates.x5c, 'x5t#S256': certificates.sha256 }),
  }
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
