/** How an OP is found from an End-User's identifier (OIDC Discovery 2, RFC 7033). */
import { json } from './answers.js'
import type { Inside } from './inside.js'
import type { Answer, Asked } from './types.js'

const ISSUER_REL = 'http://openid.net/specs/connect/1.0/issuer'

export function webfinger({ face }: Inside, { method, url }: Asked): Answer {
  const { searchParams: query } = new URL(url, face.origin)
  const [resource, ...more] = query.getAll('resource')
  // RFC 7033 4.2: exactly one resource, which is a URI.
  if (method !== 'GET' || resource === undefined || more.length > 0 || !URL.canParse(resource)) {
    return json({ error: 'invalid_request' }, 400)
  }
  const rels = query.getAll('rel')
  const is_asked = rels.length === 0 || rels.includes(ISSUER_REL)
  const links = is_asked ? [{ rel: ISSUER_REL, href: face.issuer }] : []
  return json({ subject: resource, links }, 200, { 'content-type': 'application/jrd+json' })
}
