/** Opens JWTs that an OP has encrypted to a site, by what its registration says and by nothing else. */
import { createHash, createSecretKey, type KeyObject } from 'node:crypto'
import { compactDecrypt } from 'jose'
import { live } from '../live_secrets.js'
import type { Site } from '../store/store.js'
import { isOneOf, secretKeyAlgs, secretKeyBits } from './jwt_algorithms.js'
import { type JwtKind, malformed, partsOf, readJweHeader } from './jwt_parts.js'
import type { Encryption } from './jwt_registered.js'
import { decryptionKeys } from './own_keys.js'

/**
 * OIDC Core 3.1.3.7 step 1, RFC 7516 5.2: decrypts what was registered as encrypted, and refuses it
 * where it came otherwise. What comes out proves nothing: anybody can encrypt to a public key.
 *
 * @returns the plaintext, which is `jwt` itself where no encryption was registered
 * @throws CommandError the kind's `malformed`
 */
export async function decryptJwt(
  site: Site,
  jwt: string,
  encryption: Encryption | undefined,
  kind: JwtKind,
): Promise<string> {
  const parts = partsOf(jwt)
  const isEncrypted = parts?.length === 5
  if (!encryption) {
    if (!isEncrypted) return jwt
    throw malformed(kind, 'is encrypted, which the registration does not say', {
      spec: 'OIDC Core 3.1.3.7 step 1',
    })
  }
  // OIDC Core 3.1.3.7 step 1.
  if (!isEncrypted) {
    throw malformed(kind, 'is not encrypted, though the registration says so', {
      header: 'alg',
      expected: encryption.alg,
      spec: 'OIDC Core 3.1.3.7 step 1',
    })
  }
  const header = readJweHeader(parts, kind)
  for (const name of ['alg', 'enc'] as const) {
    if (header[name] === encryption[name]) continue
    throw malformed(kind, `is not encrypted with the ${name} of the registration`, {
      header: name,
      expected: encryption[name],
      received: header[name],
      spec: 'OIDC Registration 2',
    })
  }
  // A few bytes can unpack to gigabytes, and claims need no packing.
  if (header['zip'] !== undefined) {
    throw malformed(kind, 'is compressed (zip), which relyd does not unpack', {
      header: 'zip',
      received: header['zip'],
      spec: 'RFC 7516 4.1.3',
    })
  }
  for (const key of keysFor(site, encryption, header.kid)) {
    try {
      const { plaintext } = await compactDecrypt(jwt, key, {
        keyManagementAlgorithms: [encryption.alg],
        contentEncryptionAlgorithms: [encryption.enc],
        maxDecompressedLength: 0,
      })
      const text = Buffer.from(plaintext).toString()
      // It is a secret as what it came in, and nobody has seen it before.
      live.note(text)
      return text
    } catch {
      // RFC 7516 11.5: what exactly went wrong is nobody's business, who may have made it to find out.
    }
  }
  throw malformed(kind, 'cannot be decrypted with the keys of the site', {
    spec: 'RFC 7516 5.2',
  })
}

/** Those of the algorithm, the one that is named first: an OP need not name it, or may have an older copy. */
function keysFor(site: Site, { alg, enc }: Encryption, kid: string | undefined): KeyObject[] {
  if (isOneOf(secretKeyAlgs, alg)) {
    const { client_secret } = site.secrets
    return client_secret === undefined ? [] : [secretKey(client_secret, secretKeyBits(alg, enc))]
  }
  const fitting = decryptionKeys(site).filter((key) => key.alg === alg)
  const [named, others] = [
    fitting.filter((key) => key.kid === kid),
    fitting.filter((key) => key.kid !== kid),
  ]
  return [...named, ...others].map(({ key }) => key)
}

/** OIDC Core 10.2: the left bits of a hash of the client_secret that has enough of them. */
function secretKey(client_secret: string, bits: number): KeyObject {
  const hash = bits <= 256 ? 'sha256' : bits <= 384 ? 'sha384' : 'sha512'
  const digest = createHash(hash).update(client_secret).digest()
  return createSecretKey(digest.subarray(0, bits / 8))
}
