/** Private keys as operators have them in files: read, and held against what they are to sign. */
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { sha256Base64url } from '../digest.js'
import { live } from '../live_secrets.js'
import { refused } from '../refused.js'

/** RFC 7518 3.3. */
const SHORTEST_RSA = 2048

/** OpenSSL's names of the curves, by the algorithm that signs with them (RFC 7518 3.4). */
const CURVES = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' } as const

const RSA_ALGS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const EDDSA_ALGS = ['EdDSA', 'Ed25519']

export interface ReadKey {
  key: KeyObject
  public_jwk: { kty: string; thumbprint: string; members: Record<string, string> }
  /** Of a JWK, if it says so. */
  kid?: string
  alg?: string
}

/** @throws CommandError `invalid_request` */
export function readPrivateKey(text: string): ReadKey {
  live.notePrivateKey(text)
  const trimmed = text.trim()
  const jwk = trimmed.startsWith('{') ? readJwk(trimmed) : undefined
  const key = jwk ? fromJwk(jwk) : fromPem(trimmed)
  const { kid, alg } = jwk ?? {}
  return {
    key,
    public_jwk: publicMembers(key),
    ...(typeof kid === 'string' && { kid }),
    ...(typeof alg === 'string' && { alg }),
  }
}

/**
 * The algorithm that a key signs with.
 *
 * @param wanted absent, what fits the key
 * @throws CommandError `invalid_request` for another kind of key, or one that is too short
 */
export function algorithmOf(key: KeyObject, wanted: string | undefined): string {
  const [fitting, what] = fittingAlgorithms(key)
  const alg = wanted ?? (fitting[0] as string)
  if (fitting.includes(alg)) return alg
  throw refused('signing_alg', `must be ${fitting.join(' or ')}, as private_key is ${what}`)
}

function fittingAlgorithms(key: KeyObject): [algs: readonly string[], what: string] {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa':
      if (modulusLength < SHORTEST_RSA) {
        throw refused(
          'private_key',
          `is an RSA key of ${modulusLength} bits; make one of ${SHORTEST_RSA} at least (RFC 7518 3.3)`,
        )
      }
      return [RSA_ALGS, 'an RSA key']
    case 'ed25519':
      return [EDDSA_ALGS, 'an Ed25519 key']
    case 'ec': {
      const alg = Object.entries(CURVES).find(([, curve]) => curve === namedCurve)?.[0]
      if (alg !== undefined) return [[alg], `an EC key on ${namedCurve}`]
    }
  }
  throw refused(
    'private_key',
    'is of an unsuitable kind; use RSA, EC on P-256, P-384 or P-521, or Ed25519',
  )
}

function fromPem(text: string): KeyObject {
  const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1]
  if (label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw refused(
      'private_key',
      'is encrypted with a passphrase, which the daemon has not; decrypt it with `openssl pkey -in FILE -out DECRYPTED` (the daemon encrypts what it stores)',
    )
  }
  if (label === 'OPENSSH PRIVATE KEY') {
    throw refused(
      'private_key',
      'is in OpenSSH format; convert it with `ssh-keygen -p -m PKCS8 -f FILE`',
    )
  }
  if (label === undefined || !label.endsWith('PRIVATE KEY')) {
    const is = label === undefined ? 'holds neither a PEM block nor a JWK' : `holds a ${label}`
    throw refused('private_key', `${is}; give the private key, as PEM or as a JWK`)
  }
  try {
    return createPrivateKey(text)
  } catch {
    throw refused('private_key', 'cannot be read; `openssl pkey -in FILE -check -noout` says why')
  }
}

function readJwk(text: string): JsonWebKey {
  let jwk: unknown
  try {
    jwk = JSON.parse(text)
  } catch {
    throw refused('private_key', 'begins as a JWK does, and is not JSON')
  }
  const { keys, kty, d } = jwk as Record<string, unknown>
  if (keys !== undefined) {
    throw refused('private_key', 'is a set of keys; give the one JWK that shall sign')
  }
  if (kty === 'oct') {
    throw refused(
      'private_key',
      'is a shared secret; give it as client_secret, for client_secret_jwt',
    )
  }
  if (typeof d !== 'string') throw refused('private_key', 'is a public JWK; give the private one')
  return jwk as JsonWebKey
}

function fromJwk(jwk: JsonWebKey): KeyObject {
  try {
    return createPrivateKey({ key: jwk, format: 'jwk' })
  } catch {
    throw refused('private_key', 'is no JWK that can be read (RFC 7517)')
  }
}

/** RFC 7638 3.2: the members that make the key, and no others. */
export function publicMembers(key: KeyObject): ReadKey['public_jwk'] {
  try {
    const jwk = createPublicKey(key).export({ format: 'jwk' }) as Record<string, string>
    // In the order of their names, as RFC 7638 3.3 hashes them.
    const names = ['crv', 'e', 'kty', 'n', 'x', 'y'].filter((name) => jwk[name] !== undefined)
    const members = Object.fromEntries(names.map((name) => [name, jwk[name] as string]))
    const thumbprint = sha256Base64url(JSON.stringify(members))
    return { kty: jwk['kty'] as string, thumbprint, members }
  } catch {
    throw refused(
      'private_key',
      'is of an unsuitable kind; use RSA, EC on P-256, P-384 or P-521, or Ed25519',
    )
  }
}
