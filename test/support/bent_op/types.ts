/** What a bent OP is asked, what it answers, and how a test bends that. */
import type { KeyObject } from 'node:crypto'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'

/**
 * What the OP counts its requests by. `client` is RFC 7592; `claims_source` is where distributed
 * claims are fetched; `other` is anything it does not serve.
 */
export type Endpoint =
  | 'webfinger'
  | 'discovery'
  | 'jwks'
  | 'registration'
  | 'client'
  | 'token'
  | 'userinfo'
  | 'revocation'
  | 'introspection'
  | 'claims_source'
  | 'other'

export type Calls = Partial<Record<Endpoint, number>>

/** A request as it arrived. */
export interface Asked {
  endpoint: Endpoint
  method: string
  /** Path and query. */
  url: string
  headers: IncomingHttpHeaders
  body: string
}

export interface Answer {
  status: number
  headers: Record<string, string>
  /** An object is sent as JSON; text and bytes as they are. */
  body: object | string | Buffer
}

/** Answers in its own way, or never. */
export type Takeover = (response: ServerResponse) => void

/** Changes an answer, puts another in its place, or takes the response over. */
export type Bend = (answer: Answer, asked: Asked) => Answer | Takeover

export type Members = Record<string, unknown>

/** How a JWT of the OP is bent. */
export interface JwtBends {
  /** The claims, before they are signed. */
  claims?: (claims: Members) => Members
  /** Its header, before it is signed. */
  header?: (header: Members) => Members
  /** The key that signs it; the header names this key then. */
  key?: SigningKey
  /** The signed JWT whole, before it is encrypted; undefined leaves it out. */
  jwt?: (jwt: string, header: Members, claims: Members) => string | undefined
  /** What is encrypted, with what header and key; for a client that asked for encryption. */
  jwe?: (jwe: Jwe) => Jwe
  /** The JWE whole. */
  encrypted?: (jwe: string) => string
}

/** What a test changes. Endpoints' bends see the answer that an honest OP would have given. */
export interface Bends extends Partial<Record<Exclude<Endpoint, 'other'>, Bend>> {
  /** Claims of the token endpoint's ID Token; those below that have no prefix are of it too. */
  claims?: JwtBends['claims']
  header?: JwtBends['header']
  key?: SigningKey
  id_token?: JwtBends['jwt']
  jwe?: JwtBends['jwe']
  encrypted?: JwtBends['encrypted']
  /** Of the ID Token in the authorization response. */
  front_claims?: JwtBends['claims']
  front_header?: JwtBends['header']
  front_key?: SigningKey
  front_id_token?: JwtBends['jwt']
  front_jwe?: JwtBends['jwe']
  front_encrypted?: JwtBends['encrypted']
  /** Of UserInfo; `userinfo_claims` of the plain one too. */
  userinfo_claims?: JwtBends['claims']
  userinfo_header?: JwtBends['header']
  userinfo_key?: SigningKey
  userinfo_jwt?: JwtBends['jwt']
  userinfo_jwe?: JwtBends['jwe']
  userinfo_encrypted?: JwtBends['encrypted']
  /** Of the JWT of aggregated claims, and of distributed ones. */
  source_claims?: JwtBends['claims']
  source_header?: JwtBends['header']
  source_key?: SigningKey
  source_jwt?: JwtBends['jwt']
}

export type Alg = `${'RS' | 'PS' | 'ES' | 'HS'}${256 | 384 | 512}` | 'ES256K' | 'EdDSA' | 'Ed25519'

export interface SigningKey {
  /** Empty for a client_secret, which has none. */
  kid: string
  alg: Alg
  private_key: KeyObject
  /** The public key as a JWK with kid, alg and use. */
  jwk: Members
}

/** What a JWE is made of. */
export interface Jwe {
  /** Its `alg` and `enc` say how it is encrypted. */
  header: Members
  plaintext: string | Buffer
  /** Of the client: its public key, or one that comes from its secret. */
  key: KeyObject
}

export interface BentOpOptions {
  /** With which ID Tokens are signed, and which the metadata offers alone. */
  alg?: Alg
  /** With which ID Tokens are signed besides, for clients that register one of these. */
  more_algs?: readonly Alg[]
  /** With which it signs, instead of one that it makes. */
  key?: SigningKey
  /** Makes it an OP with TLS, at `https://localhost:PORT`. */
  tls?: { key: Buffer; cert: Buffer }
  /** Where its issuer is on its host, such as `/op`: only WebFinger leads there from the host. */
  issuer_path?: string
  /** Laid over the metadata; a member that is undefined is left out. */
  metadata?: Members
  /** Makes it look as an OP that somebody runs: its metadata and paths, on this host. */
  published?: PublishedOp
  /** Whether registering needs an initial access token (RFC 7591 3): see `initial_access_tokens`. */
  protected_registration?: boolean
}

/** An OP's metadata as it was published. */
export interface PublishedOp {
  /** Where it is from, and of when. */
  source: string
  /** The address that leads to it. */
  op_host: string
  metadata: Members
}

export interface BentClient {
  client_id: string
  client_secret?: string
  /** When its secret ends; 0 or absent, never. */
  client_secret_expires_at?: number
  token_endpoint_auth_method:
    | 'client_secret_basic'
    | 'client_secret_post'
    | 'client_secret_jwt'
    | 'private_key_jwt'
    | 'client_assertion'
    | 'none'
  /** Decides on a secret or assertion that is made anew for each request. */
  takes?: (form: URLSearchParams) => boolean
  redirect_uris: string[]
  /** Absent, `code` alone; unless an operator set the client up, who may do all. */
  response_types?: string[]
  grant_types?: string[]
  jwks?: { keys: Members[] }
  jwks_uri?: string
  id_token_signed_response_alg?: Alg
  id_token_encrypted_response_alg?: string
  id_token_encrypted_response_enc?: string
  userinfo_signed_response_alg?: Alg
  userinfo_encrypted_response_alg?: string
  userinfo_encrypted_response_enc?: string
  token_endpoint_auth_signing_alg?: Alg
  default_max_age?: number
  require_auth_time?: boolean
}

/** With what only the OP cares for. */
export interface RegisteredClient extends BentClient {
  /** What it may have a token of its own for (RFC 6749 4.4); absent, anything. */
  scope?: string
}

/** How an authorization response comes back. */
export type Mode = 'query' | 'fragment' | 'form_post'
