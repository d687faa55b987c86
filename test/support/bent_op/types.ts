/** What a bent OP is asked, what it answers, and how a test bends that. */
import type { KeyObject } from 'node:crypto'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'

/** What the OP counts its requests by. `client` is RFC 7592; `other` is anything it does not serve. */
export type Endpoint =
  | 'discovery'
  | 'jwks'
  | 'registration'
  | 'client'
  | 'token'
  | 'userinfo'
  | 'revocation'
  | 'introspection'
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

/** What a test changes. Endpoints' bends see the answer that an honest OP would have given. */
export interface Bends extends Partial<Record<Exclude<Endpoint, 'other'>, Bend>> {
  /** The ID Token's claims, before it is signed. */
  claims?: (claims: Members) => Members
  /** Its header, before it is signed. */
  header?: (header: Members) => Members
  /** The key that signs it; the header names this key then. */
  key?: SigningKey
  /** The ID Token whole; undefined leaves it out. */
  id_token?: (jwt: string, header: Members, claims: Members) => string | undefined
}

export type Alg = 'RS256' | 'PS256' | 'ES256' | 'EdDSA' | 'ES256K'

export interface SigningKey {
  kid: string
  alg: Alg
  private_key: KeyObject
  /** The public key as a JWK with kid, alg and use. */
  jwk: Members
}

export interface BentOpOptions {
  /** With which ID Tokens are signed, and which the metadata offers alone. */
  alg?: Alg
  /** With which it signs, instead of one that it makes. */
  key?: SigningKey
  /** Makes it an OP with TLS, at `https://localhost:PORT`. */
  tls?: { key: Buffer; cert: Buffer }
  /** Laid over the metadata; a member that is undefined is left out. */
  metadata?: Members
  /** Makes it look as an OP that somebody runs: its metadata and paths, on this host. */
  published?: PublishedOp
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
  token_endpoint_auth_method:
    | 'client_secret_basic'
    | 'client_secret_post'
    | 'client_assertion'
    | 'none'
  /** Decides on a secret or assertion that is made anew for each request. */
  takes?: (form: URLSearchParams) => boolean
  redirect_uris: string[]
}
