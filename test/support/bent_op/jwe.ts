/**
 * Encrypted JWTs of a bent OP, good and bad (RFC 7516, 7518 4 and 5).
 *
 * By hand and not by `jose`, which makes none that are wrong, and with which the daemon reads them.
 */
import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  type JsonWebKeyInput,
  type KeyObject,
  pbkdf2Sync,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import type { BentClient, Jwe, Members } from './types.js'

export const keyAlgs = [
  'RSA-OAEP',
  'RSA-OAEP-256',
  'RSA-OAEP-384',
  'RSA-OAEP-512',
  'ECDH-ES',
  'ECDH-ES+A128KW',
  'ECDH-ES+A192KW',
  'ECDH-ES+A256KW',
  'A128KW',
  'A192KW',
  'A256KW',
  'A128GCMKW',
  'A192GCMKW',
  'A256GCMKW',
  'dir',
]

export const contentAlgs = [
  'A128CBC-HS256',
  'A192CBC-HS384',
  'A256CBC-HS512',
  'A128GCM',
  'A192GCM',
  'A256GCM',
]

/** Encrypts what it holds as its header says: RSA1_5, PBES2 and `zip` too, which no honest OP uses here. */
export function encryptJwe({ header, plaintext, key }: Jwe): string {
  const alg = String(header['alg'])
  const enc = String(header['enc'])
  const size = contentKeyBytes(enc)
  const random = randomBytes(size)
  const { cek, encrypted_key, more } = wrap(alg, enc, random, key, header)
  const head = Buffer.from(JSON.stringify({ ...header, ...more })).toString('base64url')
  const bytes = Buffer.from(plaintext)
  const content = header['zip'] === 'DEF' ? deflateRawSync(bytes) : bytes
  const { iv, text, tag } = seal(enc, cek, content, Buffer.from(head))
  return [head, ...[encrypted_key, iv, text, tag].map((part) => part.toString('base64url'))].join(
    '.',
  )
}

interface Wrapped {
  cek: Buffer
  encrypted_key: Buffer
  /** Members that the header gets besides. */
  more?: Members
}

function wrap(alg: string, enc: string, cek: Buffer, key: KeyObject, header: Members): Wrapped {
  const kwBits = Number(/A(\d{3})(?:GCM)?KW$/.exec(alg)?.[1])
  if (alg === 'dir') return { cek: key.export(), encrypted_key: Buffer.alloc(0) }
  if (alg.startsWith('RSA')) {
    const oaepHash = `sha${/-(\d{3})$/.exec(alg)?.[1] ?? 1}`
    const padding =
      alg === 'RSA1_5' ? constants.RSA_PKCS1_PADDING : constants.RSA_PKCS1_OAEP_PADDING
    return { cek, encrypted_key: publicEncrypt({ key, padding, oaepHash }, cek) }
  }
  if (alg.startsWith('ECDH-ES')) {
    const epk = ephemeralFor(key)
    const secret = diffieHellman({ privateKey: epk.privateKey, publicKey: key })
    const more = { epk: epk.publicKey.export({ format: 'jwk' }) }
    if (alg === 'ECDH-ES') {
      const derived = concatKdf(secret, enc, contentKeyBytes(enc), header)
      return { cek: derived, encrypted_key: Buffer.alloc(0), more }
    }
    const kek = concatKdf(secret, alg, kwBits / 8, header)
    return { cek, encrypted_key: keyWrap(kek, cek), more }
  }
  if (alg.startsWith('PBES2')) {
    const salt = randomBytes(16)
    const p2c = Number(header['p2c'] ?? 1000)
    const input = Buffer.concat([Buffer.from(`${alg}\0`), salt])
    // What a header boasts of it is not made to pay for.
    const rounds = Math.min(p2c, 10_000)
    const hash = `sha${/HS(\d{3})/.exec(alg)?.[1]}`
    const kek = pbkdf2Sync(key.export(), input, rounds, kwBits / 8, hash)
    const more = { p2s: salt.toString('base64url'), p2c }
    return { cek, encrypted_key: keyWrap(kek, cek), more }
  }
  if (alg.endsWith('GCMKW')) {
    const iv = randomBytes(12)
    const cipher = createCipheriv(`aes-${kwBits}-gcm` as 'aes-128-gcm', key.export(), iv)
    const encrypted_key = Buffer.concat([cipher.update(cek), cipher.final()])
    const more = { iv: iv.toString('base64url'), tag: cipher.getAuthTag().toString('base64url') }
    return { cek, encrypted_key, more }
  }
  if (/^A\d{3}KW$/.test(alg)) return { cek, encrypted_key: keyWrap(key.export(), cek) }
  throw new Error(`no such alg of a JWE: ${alg}`)
}

/** RFC 3394, as node:crypto has it. */
function keyWrap(kek: Buffer, cek: Buffer): Buffer {
  const cipher = createCipheriv(`id-aes${kek.length * 8}-wrap`, kek, Buffer.alloc(8, 0xa6))
  return Buffer.concat([cipher.update(cek), cipher.final()])
}

function ephemeralFor(key: KeyObject): { privateKey: KeyObject; publicKey: KeyObject } {
  if (key.asymmetricKeyType === 'x25519') return generateKeyPairSync('x25519')
  const namedCurve = key.asymmetricKeyDetails?.namedCurve
  if (namedCurve === undefined) throw new Error('ECDH-ES needs a key on a curve')
  return generateKeyPairSync('ec', { namedCurve })
}

/** RFC 7518 4.6.2. Every length here is of one round or two of SHA-256. */
function concatKdf(secret: Buffer, alg: string, bytes: number, header: Members): Buffer {
  const sized = (part: Buffer) => Buffer.concat([uint32(part.length), part])
  const party = (name: string) => sized(Buffer.from(String(header[name] ?? ''), 'base64url'))
  const info = [sized(Buffer.from(alg)), party('apu'), party('apv'), uint32(bytes * 8)]
  const rounds = Array.from({ length: Math.ceil(bytes / 32) }, (_, round) =>
    createHash('sha256')
      .update(Buffer.concat([uint32(round + 1), secret, ...info]))
      .digest(),
  )
  return Buffer.concat(rounds).subarray(0, bytes)
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** RFC 7518 5.1. */
function contentKeyBytes(enc: string): number {
  const bits = Number(/^A(\d{3})(?:GCM|CBC-HS\d{3})$/.exec(enc)?.[1])
  if (Number.isNaN(bits)) throw new Error(`no such enc of a JWE: ${enc}`)
  return (enc.endsWith('GCM') ? bits : bits * 2) / 8
}

function seal(enc: string, cek: Buffer, content: Buffer, aad: Buffer) {
  const bits = Number(enc.slice(1, 4))
  if (enc.endsWith('GCM')) {
    const iv = randomBytes(12)
    const cipher = createCipheriv(`aes-${bits}-gcm` as 'aes-128-gcm', cek, iv).setAAD(aad)
    const text = Buffer.concat([cipher.update(content), cipher.final()])
    return { iv, text, tag: cipher.getAuthTag() }
  }
  // RFC 7518 5.2.2.1: one half of the key authenticates, the other encrypts.
  const half = cek.length / 2
  const iv = randomBytes(16)
  const cipher = createCipheriv(`aes-${bits}-cbc`, cek.subarray(half), iv)
  const text = Buffer.concat([cipher.update(content), cipher.final()])
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(BigInt(aad.length * 8))
  const tag = createHmac(`sha${enc.slice(-3)}`, cek.subarray(0, half))
    .update(Buffer.concat([aad, iv, text, length]))
    .digest()
    .subarray(0, half)
  return { iv, text, tag }
}

/** Whether it needs no key of the client's but its secret. */
export function isSymmetric(alg: string): boolean {
  return alg === 'dir' || /^A\d{3}(GCM)?KW$/.test(alg)
}

/** OIDC Core 10.2: the leftmost bits of a hash of the client_secret, as many as are needed. */
export function symmetricKey(alg: string, enc: string, client_secret: string): KeyObject {
  const bytes = alg === 'dir' ? contentKeyBytes(enc) : Number(alg.slice(1, 4)) / 8
  const hash = bytes <= 32 ? 'sha256' : bytes <= 48 ? 'sha384' : 'sha512'
  return createSecretKey(createHash(hash).update(client_secret).digest().subarray(0, bytes))
}

/** What is encrypted to a client with this alg, with the kid if its key has one. @throws Error if there is none */
export function encryptionKey(
  client: BentClient,
  alg: string,
  enc: string,
  jwks: readonly Members[],
): { key: KeyObject; kid?: string } {
  if (isSymmetric(alg)) {
    const { client_secret } = client
    if (client_secret === undefined) throw new Error(`${client.client_id} has no secret for ${alg}`)
    return { key: symmetricKey(alg, enc, client_secret) }
  }
  const types = alg.startsWith('RSA') ? ['RSA'] : ['EC', 'OKP']
  const jwk = jwks.find(
    (one) =>
      types.includes(String(one['kty'])) &&
      !['Ed25519', 'secp256k1'].includes(String(one['crv'])) &&
      (one['use'] ?? 'enc') === 'enc' &&
      (one['alg'] ?? alg) === alg,
  )
  if (!jwk) throw new Error(`${client.client_id} has no key for ${alg}`)
  const key = createPublicKey({ key: jwk, format: 'jwk' } as JsonWebKeyInput)
  return { key, ...(typeof jwk['kid'] === 'string' && { kid: jwk['kid'] }) }
}
