/** The bearer token of a request, and the challenges that answer a request without a good one (RFC 6750). */
import { json } from './page.js'

/** Longest token, in characters; no OP issues longer ones, and few servers take such a header. */
const LONGEST = 16_384

/** RFC 6750 2.1, its scheme in any case (RFC 9110 11.1); token68 of RFC 9110 11.2. */
const CREDENTIALS = /^bearer +([\w.~+/-]+=*)$/i

/** A character string that can be a scope (RFC 6749 3.3). None of them needs care between quotes. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * Reads the Authorization header, and nothing else: a token in an address or a form ends up in logs
 * (RFC 6750 2.2, 2.3, which no API has to support).
 *
 * @returns the token; `none` for no bearer credentials at all, `malformed` for what cannot be read
 */
export function readBearer(header: string | null): { token: string } | 'none' | 'malformed' {
  if (header === null || !/^bearer(?:$|[\s,])/i.test(header)) return 'none'
  // Two headers come joined by a comma, which no token has.
  const token = header.length > LONGEST ? undefined : CREDENTIALS.exec(header)?.[1]
  return token === undefined ? 'malformed' : { token }
}

/** Why a request gets no pass (RFC 6750 3.1), by its status. */
const refusals = {
  // RFC 6750 3: no error code for a request without credentials, which may not have known.
  none: [401, undefined, 'This API takes a bearer token in the Authorization header.'],
  malformed: [400, 'invalid_request', 'The Authorization header is not one bearer token.'],
  inactive: [
    401,
    'invalid_token',
    'The access token expired, was revoked, or is not for this API.',
  ],
  scope: [403, 'insufficient_scope', 'The access token does not have the scope that this needs.'],
} as const

/**
 * @param realm without quotes and backslashes, as an origin is
 * @param scope what the resource needs; checked by {@link checkScope}
 */
export function refuse(
  why: keyof typeof refusals,
  realm: string,
  scope: readonly string[] = [],
): Response {
  const [status, error, error_description] = refusals[why]
  const attributes = [
    `realm="${realm}"`,
    ...(error === undefined
      ? []
      : [`error="${error}"`, `error_description="${error_description}"`]),
    ...(scope.length > 0 && why !== 'malformed' ? [`scope="${scope.join(' ')}"`] : []),
  ]
  return json(
    status,
    { error: error ?? 'token_required', error_description },
    { 'www-authenticate': `Bearer ${attributes.join(', ')}` },
  )
}

/** @throws TypeError for what can be no scope, which would never be granted */
export function checkScope(scope: readonly string[]): void {
  const wrong = scope.find((one) => !SCOPE.test(one))
  if (wrong === undefined) return
  throw new TypeError(`${JSON.stringify(wrong)} is no scope: give each as a string of its own`)
}
