/** The JOSE algorithms that relyd takes from OPs (RFC 7518, RFC 8037, RFC 9864), and what each needs. */

/** With a key of the OP, by which nobody else signs. */
export const asymmetricAlgs = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

/** With the client_secret (OIDC Core 10.1). */
export const symmetricAlgs = ['HS256', 'HS384', 'HS512'] as const

export const signingAlgs = [...asymmetricAlgs, ...symmetricAlgs] as const

/** By the client_secret (OIDC Core 10.2). PBES2 is left out: an OP's `p2c` would set our work. */
export const secretKeyAlgs = [
  'dir',
  'A128KW',
  'A192KW',
  'A256KW',
  'A128GCMKW',
  'A192GCMKW',
  'A256GCMKW',
] as const

/** Bits of the key of each content encryption (RFC 7518 5.1). */
const contentKeyBits: Record<string, number> = {
  'A128CBC-HS256': 256,
  'A192CBC-HS384': 384,
  'A256CBC-HS512': 512,
  A128GCM: 128,
  A192GCM: 192,
  A256GCM: 256,
}

export const contentEncryptions = Object.keys(contentKeyBits)

/** OIDC Registration 2. */
export const DEFAULT_ENC = 'A128CBC-HS256'

/** Whether a list of this file has the algorithm. */
export function isOneOf(algs: readonly string[], alg: string): boolean {
  return algs.includes(alg)
}

/** Bits of the symmetric key that the client_secret makes for an encryption. */
export function secretKeyBits(alg: string, enc: string): number {
  return alg === 'dir' ? (contentKeyBits[enc] ?? 0) : Number(/^A(\d+)/.exec(alg)?.[1])
}

/** The hash of a signature's algorithm (RFC 7518 3.1); Ed25519 signs with SHA-512 (RFC 8032 5.1). */
export function hashOf(alg: string): 'sha256' | 'sha384' | 'sha512' {
  return alg.startsWith('Ed') ? 'sha512' : (`sha${alg.slice(-3)}` as 'sha256')
}

/** RFC 7518 3.2: a key of HMAC is no shorter than its hash. */
export function isSecretLongEnough(alg: string, client_secret: string): boolean {
  return Buffer.byteLength(client_secret) * 8 >= Number(alg.slice(2))
}
