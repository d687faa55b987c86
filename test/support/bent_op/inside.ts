/** What the endpoints of a bent OP share and a test does not touch. */
import { randomText, secretKey } from './jws.js'
import type { BentOp } from './op.js'
import type {
  Alg,
  Bends,
  BentClient,
  BentOpOptions,
  Endpoint,
  Members,
  SigningKey,
} from './types.js'

/** What an End-User agreed to. */
export interface Grant {
  client_id: string
  redirect_uri: string
  nonce: string
  code_challenge: string
  scope: string
  /** Seconds; undefined where nobody asked for it. */
  auth_time: number | undefined
  acr: string | undefined
  /** Claims that the request wants in ID Tokens (OIDC Core 5.4, 5.5). */
  id_token_claims: readonly string[]
}

/** What a refresh token is good for. */
export interface RefreshGrant {
  grant: Grant
  /** It was rotated: whoever brings it again has stolen it, or was stolen from. */
  used: boolean
}

/** What an access token is good for. */
export interface AccessGrant {
  client_id: string
  scope: string
  /** Undefined for a client's own (RFC 6749 4.4). */
  grant: Grant | undefined
}

export class Inside {
  /** What tests set and read. */
  readonly face: BentOp
  readonly options: BentOpOptions
  bends: Bends = {}
  /** By their codes. */
  readonly grants = new Map<string, Grant>()
  readonly refresh_tokens = new Map<string, RefreshGrant>()
  /** Access tokens that were not revoked. */
  readonly active = new Map<string, AccessGrant>()
  /** By client_id. */
  readonly registration_tokens = new Map<string, string>()
  /** Claims that are fetched from it, by their access tokens. */
  readonly distributed = new Map<string, Members>()
  /** Of client assertions that it has seen. */
  readonly jtis = new Set<string>()
  /** Those it signs with besides, by their algorithms. */
  readonly more_keys: readonly SigningKey[]

  constructor(face: BentOp, options: BentOpOptions, more_keys: readonly SigningKey[]) {
    this.face = face
    this.options = options
    this.more_keys = more_keys
  }

  /** A random text that nobody may see in a log. */
  secret(): string {
    const secret = randomText(24)
    this.face.secrets.push(secret)
    return secret
  }

  address(endpoint: Endpoint): string {
    return this.face.address(endpoint)
  }

  accessToken(grant: Grant | undefined, client_id: string, scope: string): string {
    const access_token = this.secret()
    this.face.access_tokens.push(access_token)
    this.active.set(access_token, { grant, client_id, scope })
    return access_token
  }

  refreshToken(grant: Grant): string {
    const refresh_token = this.secret()
    this.refresh_tokens.set(refresh_token, { grant, used: false })
    return refresh_token
  }

  /** Ends every token of a login. */
  forget(grant: Grant): void {
    for (const [token, known] of this.refresh_tokens) {
      if (known.grant === grant) this.refresh_tokens.delete(token)
    }
    for (const [token, known] of this.active) {
      if (known.grant === grant) this.active.delete(token)
    }
  }

  /** @returns what the OP signs with for a client that registered this algorithm */
  signingKey(client: BentClient, alg: Alg = this.face.key.alg): SigningKey {
    if (alg.startsWith('HS') && client.client_secret !== undefined) {
      return secretKey(alg, client.client_secret)
    }
    const { key } = this.face
    if (key.alg === alg) return key
    return this.more_keys.find((one) => one.alg === alg) ?? key
  }

  /** A client's public keys: as it registered them, or as a test says that its jwks_uri answers. */
  keysOf({ jwks, jwks_uri }: BentClient): readonly Members[] {
    if (jwks) return jwks.keys
    return jwks_uri === undefined ? [] : this.face.fetchJwks(jwks_uri).keys
  }
}
