/** Which texts of an OP are tokens: what is none would end a header, or a line of a log. */

/** RFC 6749 A.12. In a header (RFC 6750 2.1) a space would be its end. */
export function isAccessToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)
}

/** RFC 6750 2.1: what can be shown in a header, where RFC 6749 lets a token have more. */
export function isBearerToken(value: string): boolean {
  return /^[\w.~+/-]+=*$/.test(value)
}

/** RFC 6749 A.17. */
export function isRefreshToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x20-\x7e]+$/.test(value)
}
