/** Keys and JWTs of a bent OP, good and bad. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { Alg, Members, SigningKey } from './types.js'

export function makeKey(alg: Alg, kid = randomText(6)): SigningKey {
  const { privateKey, publicKey } = generate(alg)
  return {
    kid,
    alg,
    private_key: privateKey,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
  }
}

function generate(alg: Alg): { privateKey: KeyObject; publicKey: KeyObject } {
  switch (alg) {
    case 'RS256':
    case 'PS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case 'ES256K':
      return generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
    case 'EdDSA':
      return generateKeyPairSync('ed25519')
  }
}

/** Signs as `key` does, whatever the header says. */
export function signJwt(header: Members, claims: Members, key: SigningKey): string {
  return signText(header, JSON.stringify(claims), key)
}

/** The same for claims as text, which can hold what no object can. */
export function signText(header: Members, claims: string, key: SigningKey): string {
  const input = inputOf(JSON.stringify(header), claims)
  return `${input}.${signature(key, Buffer.from(input)).toString('base64url')}`
}

/** RFC 7515 3.1: what a signature is made over. */
export function signingInput(header: Members, claims: Members): string {
  return inputOf(JSON.stringify(header), JSON.stringify(claims))
}

function inputOf(...texts: [header: string, claims: string]): string {
  return texts.map((text) => Buffer.from(text).toString('base64url')).join('.')
}

function signature({ alg, private_key }: SigningKey, input: Buffer): Buffer {
  switch (alg) {
    case 'RS256':
      return sign('sha256', input, private_key)
    case 'PS256':
      // RSA_PKCS1_PSS_PADDING, with a salt as long as the hash (RFC 7518 3.5).
      return sign('sha256', input, { key: private_key, padding: 6, saltLength: 32 })
    case 'ES256':
    case 'ES256K':
      return sign('sha256', input, { key: private_key, dsaEncoding: 'ieee-p1363' })
    case 'EdDSA':
      return sign(null, input, private_key)
  }
}

/** The same JWT with one bit of its signature turned. */
export function breakSignature(jwt: string): string {
  const [header, claims, last = ''] = jwt.split('.')
  const bytes = Buffer.from(last, 'base64url')
  bytes[9] = (bytes[9] as number) ^ 1
  return `${header}.${claims}.${bytes.toString('base64url')}`
}

/** OIDC Core 3.1.3.6; Ed25519 hashes with SHA-512 (RFC 8032 5.1). */
export function atHash(alg: Alg, access_token: string): string {
  const hash = createHash(alg === 'EdDSA' ? 'sha512' : 'sha256')
    .update(access_token)
    .digest()
  return hash.subarray(0, hash.length / 2).toString('base64url')
}

/** A bend of claims or header that sets members; undefined drops one. */
export function set(members: Members): (honest: Members) => Members {
  return (honest) => ({ ...honest, ...members })
}

/** A bend of claims that appends a `1` to a claim, as the conformance suite does. */
export function append(claim: string): (honest: Members) => Members {
  return (honest) => ({ ...honest, [claim]: `${honest[claim]}1` })
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

export function randomText(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}
