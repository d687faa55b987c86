/** SHA-256, in the quickest way that Node has for short values. */
import { hash } from 'node:crypto'

export function sha256(data: string | Buffer): Buffer {
  return hash('sha256', data, 'buffer')
}

/** In base64url, as PKCE wants it. */
export function sha256Base64url(data: string): string {
  return hash('sha256', data, 'base64url')
}
