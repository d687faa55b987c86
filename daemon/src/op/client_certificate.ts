/** Certificates that a client shows to its OP (RFC 8705): read, and held against their key and the clock. */
import { type KeyObject, X509Certificate } from 'node:crypto'
import type { Seconds } from '../clock.js'
import { refused } from '../refused.js'

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** More than any CA has between a client and its root. */
const LONGEST_CHAIN = 10

export interface ReadCertificates {
  /** DER in base64, the client's own first (RFC 7517 4.7). */
  x5c: string[]
  /** SHA-256 of the client's own, base64url (RFC 7517 4.9). */
  sha256: string
  /** RFC 4514. */
  subject_dn: string
}

/**
 * @param key that the first certificate must belong to
 * @throws CommandError `invalid_request`
 */
export function readCertificates(text: string, key: KeyObject, now: Seconds): ReadCertificates {
  const blocks = text.match(PEM_CERTIFICATE) ?? []
  if (blocks.length === 0) {
    throw refused(
      'certificate',
      'holds no PEM block CERTIFICATE; convert DER with `openssl x509 -inform der`',
    )
  }
  if (blocks.length > LONGEST_CHAIN) {
    throw refused(
      'certificate',
      `holds more than ${LONGEST_CHAIN} certificates; give the client's own and those that lead to its CA`,
    )
  }
  const chain = blocks.map(parse)
  const own = chain[0] as X509Certificate
  if (!own.checkPrivateKey(key)) {
    throw refused(
      'certificate',
      'does not belong to private_key; the client’s own must come first, and the key must be the one it was issued for',
    )
  }
  if (Date.parse(own.validTo) / 1000 <= now) {
    throw refused('certificate', `expired on ${own.validTo}; have it renewed`)
  }
  if (Date.parse(own.validFrom) / 1000 > now) {
    throw refused('certificate', `is not valid before ${own.validFrom}; compare this host's clock`)
  }
  return {
    x5c: chain.map(({ raw }) => raw.toString('base64')),
    sha256: Buffer.from(own.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url'),
    subject_dn: subjectOf(own),
  }
}

/** When a stored certificate expires, for who lists sites. */
export function expiryOf(x5c: readonly string[]): Seconds | undefined {
  const [own] = x5c
  if (own === undefined) return undefined
  return Math.floor(Date.parse(new X509Certificate(Buffer.from(own, 'base64')).validTo) / 1000)
}

/** A stored chain as TLS takes it. */
export function pemOf(x5c: readonly string[]): string {
  return x5c.map((der) => new X509Certificate(Buffer.from(der, 'base64')).toString()).join('')
}

function parse(block: string): X509Certificate {
  try {
    return new X509Certificate(block)
  } catch {
    throw refused(
      'certificate',
      'holds a block that is no certificate; `openssl x509 -in FILE -noout` says why',
    )
  }
}

/** Node gives the names a line each, from the root on; RFC 4514 2.1 has them the other way round. */
function subjectOf({ subject }: X509Certificate): string {
  return (subject ?? '').split('\n').reverse().join(',')
}
