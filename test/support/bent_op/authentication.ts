/** How clients authenticate at a bent OP (RFC 6749 2.3, OIDC Core 9). */
import type { Inside } from './inside.js'
import { isSignedBy, isSignedWith, readJwt } from './jws.js'
import { Refusal, refusal } from './refusal.js'
import type { Alg, Asked, BentClient, Members } from './types.js'

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** Seconds that an assertion may be good for. */
const LONGEST = 600

/** A form from a client that authenticated. */
export function readForm(
  inside: Inside,
  { method, url, headers, body }: Asked,
): { form: URLSearchParams; client: BentClient } {
  if (method !== 'POST') throw refusal('invalid_request', 'not a POST')
  if (url.includes('?')) throw refusal('invalid_request', 'a query')
  if (!headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
    throw refusal('invalid_request', 'not a form')
  }
  const form = new URLSearchParams(body)
  for (const name of new Set(form.keys())) {
    if (form.getAll(name).length > 1) throw refusal('invalid_request', `${name} twice`)
  }
  return { form, client: authenticate(inside, headers.authorization, form) }
}

function authenticate(
  inside: Inside,
  authorization: string | undefined,
  form: URLSearchParams,
): BentClient {
  const basic = /^Basic (.+)$/i.exec(authorization ?? '')?.[1]
  const refused = (why: string) => {
    const { answer } = refusal('invalid_client', why, 401)
    // RFC 6749 5.2: who tried the Authorization header is told so.
    if (basic !== undefined) answer.headers['www-authenticate'] = 'Basic realm="op"'
    return new Refusal(answer)
  }
  const { client_id, client_secret, method } = credentials(basic, form)
  const client = inside.face.clients.get(client_id ?? '')
  if (!client) throw refused('no such client')
  const named = form.get('client_id')
  if (named !== null && named !== client_id) throw refused('another client_id')
  if (basic !== undefined && (form.has('client_secret') || form.has('client_assertion'))) {
    throw refused('two methods of authentication')
  }
  const wanted = client.token_endpoint_auth_method
  if (client.takes) {
    if (wanted !== method || !client.takes(form)) throw refused('wrong client authentication')
    return client
  }
  if (wanted === 'client_secret_jwt' || wanted === 'private_key_jwt') {
    if (method !== 'client_assertion') throw refused('no client assertion')
    const wrong = wrongAssertion(inside, client, form)
    if (wrong !== undefined) throw refused(wrong)
  } else if (wanted !== method || (wanted !== 'none' && client.client_secret !== client_secret)) {
    throw refused('wrong client authentication')
  }
  const { client_secret_expires_at: until = 0 } = client
  if (wanted.startsWith('client_secret') && until !== 0 && until * 1000 <= Date.now()) {
    throw refused('the secret has expired')
  }
  return client
}

interface Credentials {
  method: string
  client_id?: string | undefined
  client_secret?: string | undefined
}

function credentials(basic: string | undefined, form: URLSearchParams): Credentials {
  if (basic !== undefined) {
    // RFC 6749 2.3.1: both are form-encoded first, so that the colon is the first one.
    const [client_id, client_secret] = Buffer.from(basic, 'base64')
      .toString()
      .split(':')
      .map(formDecode)
    return { method: 'client_secret_basic', client_id, client_secret }
  }
  const client_id = form.get('client_id') ?? undefined
  const client_secret = form.get('client_secret') ?? undefined
  const assertion = form.get('client_assertion')
  if (assertion !== null) {
    // RFC 7521 4.2: client_id is optional beside an assertion.
    return { method: 'client_assertion', client_id: client_id ?? subjectOf(assertion) }
  }
  return {
    method: client_secret === undefined ? 'none' : 'client_secret_post',
    client_id,
    client_secret,
  }
}

function subjectOf(assertion: string): string | undefined {
  try {
    return String(readJwt(assertion).claims['sub'])
  } catch {
    return undefined
  }
}

/** RFC 7523 3, OIDC Core 9. @returns what is wrong with it */
function wrongAssertion(
  inside: Inside,
  client: BentClient,
  form: URLSearchParams,
): string | undefined {
  if (form.get('client_assertion_type') !== ASSERTION_TYPE) return 'client_assertion_type'
  const assertion = form.get('client_assertion') ?? ''
  let read: { header: Members; claims: Members }
  try {
    read = readJwt(assertion)
  } catch {
    return 'the assertion is no JWT'
  }
  const { header, claims } = read
  if (!isSigned(inside, client, assertion, header)) return "the assertion's signature"
  const { iss, sub, aud, exp, jti } = claims
  if (iss !== client.client_id || sub !== client.client_id) return "the assertion's iss or sub"
  // A list, or the token endpoint's address, would let another OP use it (RFC 7523bis).
  if (aud !== inside.face.issuer) return "the assertion's aud"
  const now = Date.now() / 1000
  if (typeof exp !== 'number' || exp <= now || exp > now + LONGEST) return "the assertion's exp"
  if (typeof jti !== 'string' || jti.length < 16 || inside.jtis.has(jti))
    return "the assertion's jti"
  inside.jtis.add(jti)
  return undefined
}

function isSigned(
  inside: Inside,
  client: BentClient,
  assertion: string,
  { alg, kid, crit }: Members,
): boolean {
  const { token_endpoint_auth_method, token_endpoint_auth_signing_alg, client_secret } = client
  if (typeof alg !== 'string' || crit !== undefined) return false
  if (token_endpoint_auth_signing_alg !== undefined && alg !== token_endpoint_auth_signing_alg) {
    return false
  }
  const is_secret = token_endpoint_auth_method === 'client_secret_jwt'
  if (is_secret !== /^HS(256|384|512)$/.test(alg)) return false
  if (is_secret) return isSignedWith(assertion, alg as Alg, client_secret ?? '')
  if (!/^((RS|PS|ES)(256|384|512)|ES256K|EdDSA|Ed25519)$/.test(alg)) return false
  return inside
    .keysOf(client)
    .filter((jwk) => jwk['use'] !== 'enc' && (kid === undefined || jwk['kid'] === kid))
    .filter((jwk) => (jwk['alg'] ?? alg) === alg)
    .some((jwk) => {
      try {
        return isSignedBy(assertion, alg as Alg, jwk)
      } catch {
        // A key of another type.
        return false
      }
    })
}

function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}
