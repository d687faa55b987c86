/** The browser's part of a login, without browser and pages: from the authorization URL to the callback. */

/**
 * What the bench's OP would redirect to. The code carries what its token endpoint needs, so that
 * the OP never sees the authorization request.
 *
 * @param issuer told with the response, as RFC 9207 2 asks
 */
export function callbackOf(authorization_url: string, issuer: string): string {
  const { searchParams: asked } = new URL(authorization_url)
  const code = `${asked.get('nonce')}.${asked.get('code_challenge')}`
  const answer = new URLSearchParams({ code, state: asked.get('state') ?? '', iss: issuer })
  return `${asked.get('redirect_uri')}?${answer}`
}
