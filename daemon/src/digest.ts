/** SHA-256, in the quickest way that Node has for short values, and the comparison of digests. */
import { hash, timingSafeEqual } from 'node:crypto'

export function sha256(data: string | Buffer): Buffer {
  return hash('sha256', data, 'buffer')
}

/** In base64url, as PKCE wants it. */
export function sha256Base64url(data: string): string {
  return hash('sha256', data, 'base64url')
}

/** Compares in a time that does not tell how much of two digests is alike. */
export function sameDigest(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}
