/** Keys and signed JWTs of a bent OP, good and bad. */
import {
  constants,
  createHash,
  createHmac,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type JsonWebKeyInput,
  type KeyObject,
  randomBytes,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
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
    case 'RS384':
    case 'RS512':
    case 'PS256':
    case 'PS384':
    case 'PS512':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' })
    case 'ES512':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' })
    case 'ES256K':
      return generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
    case 'EdDSA':
    case 'Ed25519':
      return generateKeyPairSync('ed25519')
    case 'HS256':
    case 'HS384':
    case 'HS512':
      throw new Error(`${alg} has no key pair: its key is secretKey()`)
  }
}

/** OIDC Core 10.1: what signs with a client_secret; it has no kid, and nobody publishes it. */
export function secretKey(alg: Alg, client_secret: string): SigningKey {
  return { kid: '', alg, private_key: createSecretKey(Buffer.from(client_secret)), jwk: {} }
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

/** A JWT that nobody signed (RFC 7519 6). */
export function unsignedJwt(claims: Members, header: Members = { alg: 'none' }): string {
  return `${signingInput(header, claims)}.`
}

/** RFC 7515 3.1: what a signature is made over. */
export function signingInput(header: Members, claims: Members): string {
  return inputOf(JSON.stringify(header), JSON.stringify(claims))
}

function inputOf(...texts: [header: string, claims: string]): string {
  return texts.map((text) => Buffer.from(text).toString('base64url')).join('.')
}

/** How node:crypto is told of an algorithm (RFC 7518 3.1); a PSS salt is as long as the hash. */
function schemeOf(alg: Alg) {
  const bits = Number(alg.slice(2, 5))
  switch (alg.slice(0, 2)) {
    case 'Ed':
      return { hash: null, options: {} }
    case 'PS':
      return {
        hash: `sha${bits}`,
        options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: bits / 8 },
      }
    case 'ES':
      return { hash: `sha${bits}`, options: { dsaEncoding: 'ieee-p1363' as const } }
    default:
      return { hash: `sha${bits}`, options: {} }
  }
}

function signature({ alg, private_key }: SigningKey, input: Buffer): Buffer {
  const { hash, options } = schemeOf(alg)
  if (alg.startsWith('HS')) {
    return createHmac(hash as string, private_key)
      .update(input)
      .digest()
  }
  return sign(hash, input, { key: private_key, ...options })
}

/** Header and claims of a JWT whose signature nobody has looked at. @throws Error if it is no JWT */
export function readJwt(jwt: string): { header: Members; claims: Members } {
  const [header, claims, ...more] = jwt.split('.')
  if (more.length !== 1) throw new Error('no signed JWT')
  const read = (part = ''): Members => JSON.parse(Buffer.from(part, 'base64url').toString())
  return { header: read(header), claims: read(claims) }
}

/** Whether a JWT is signed by the private half of this JWK. */
export function isSignedBy(jwt: string, alg: Alg, jwk: Members): boolean {
  const key = createPublicKey({ key: jwk, format: 'jwk' } as JsonWebKeyInput)
  const { hash, options } = schemeOf(alg)
  const [input, given] = partsOf(jwt)
  return verify(hash, input, { key, ...options }, given)
}

/** Whether it is signed with this client_secret. */
export function isSignedWith(jwt: string, alg: Alg, client_secret: string): boolean {
  const [input, given] = partsOf(jwt)
  const expected = signature(secretKey(alg, client_secret), input)
  return expected.length === given.length && timingSafeEqual(expected, given)
}

function partsOf(jwt: string): [input: Buffer, signature: Buffer] {
  const dot = jwt.lastIndexOf('.')
  return [Buffer.from(jwt.slice(0, dot)), Buffer.from(jwt.slice(dot + 1), 'base64url')]
}

/** The same JWT with one bit of its signature turned. */
export function breakSignature(jwt: string): string {
  const [header, claims, last = ''] = jwt.split('.')
  const bytes = Buffer.from(last, 'base64url')
  bytes[9] = (bytes[9] as number) ^ 1
  return `${header}.${claims}.${bytes.toString('base64url')}`
}

/**
 * OIDC Core 3.1.3.6, and of a code (c_hash, 3.3.2.11) or a state (s_hash) too; Ed25519 hashes with
 * SHA-512 (RFC 8032 5.1).
 */
export function atHash(alg: Alg, access_token: string): string {
  const hash = createHash(schemeOf(alg).hash ?? 'sha512')
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
