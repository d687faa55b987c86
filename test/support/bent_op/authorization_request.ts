/** What a bent OP demands of an authorization request (OIDC Core 3.1.2.2, 3.2.2.1, 3.3.2.1, 5.5). */
import type { Inside } from './inside.js'
import type { BentClient, Members, Mode } from './types.js'

const MAX_NONCE = 43
const LOCALE = /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/

export interface CheckedRequest {
  client: BentClient
  asked: URLSearchParams
  response_type: string
  mode: Mode
  claims: { id_token?: Members; userinfo?: Members }
}

/** @throws Error that says what is wrong */
export function checkRequest({ face }: Inside, authorization_url: string): CheckedRequest {
  const { origin, pathname, hash, searchParams: asked } = new URL(authorization_url)
  face.authorizations.push(asked)
  const fail = (what: string): never => {
    throw new Error(`the authorization request's ${what}`)
  }
  const expected = (what: string, is: unknown, wanted: unknown) => {
    if (is !== wanted) fail(`${what} is ${is}`)
  }
  for (const name of new Set(asked.keys())) {
    if (asked.getAll(name).length > 1) fail(`${name} is there twice`)
    if (asked.get(name) === '') fail(`${name} is empty`)
  }
  const required = (name: string): string => asked.get(name) ?? fail(`${name} is missing`)
  /** A parameter that may be missing, but not be wrong. */
  const optional = (name: string, is_good: (value: string) => boolean) => {
    const value = asked.get(name)
    if (value !== null && !is_good(value)) fail(`${name} is ${value}`)
  }

  expected('address', origin + pathname, face.metadata['authorization_endpoint'])
  expected('fragment', hash, '')
  const client = face.clients.get(required('client_id')) ?? fail('client_id is unknown')
  const redirect_uri = required('redirect_uri')
  expected('redirect_uri', client.redirect_uris.includes(redirect_uri), true)
  const response_type = required('response_type')
  const types = response_type.split(' ')
  expected(
    `response_type ${response_type} at this OP`,
    includes(face.metadata['response_types_supported'], response_type),
    true,
  )
  if (client.response_types && !client.response_types.includes(response_type)) {
    fail(`response_type ${response_type} was not registered`)
  }
  const mode = modeOf(face.metadata, asked.get('response_mode'), types, fail)
  const scope = required('scope').split(' ')
  expected('scope', scope.includes('openid') && new Set(scope).size === scope.length, true)
  if (types.includes('code')) {
    expected('code_challenge_method', required('code_challenge_method'), 'S256')
    expected('code_challenge', /^[\w-]{43}$/.test(required('code_challenge')), true)
  }
  // OIDC Core 3.2.2.1 asks for it in front; this OP always. Longer ones do not fit everywhere.
  const nonce = required('nonce')
  expected('nonce', nonce.length <= MAX_NONCE && /^[\w-]+$/.test(nonce), true)
  required('state')

  optional('max_age', (value) => /^(0|[1-9]\d{0,9})$/.test(value))
  optional('display', (value) => ['page', 'popup', 'touch', 'wap'].includes(value))
  optional('prompt', isPrompt)
  if (asked.get('max_age') === '0' && asked.get('prompt') === 'none') fail('max_age is 0')
  for (const name of ['ui_locales', 'claims_locales']) {
    optional(name, (value) => value.split(' ').every((one) => LOCALE.test(one)))
  }
  optional('acr_values', (value) => value.split(' ').every((one) => one !== ''))
  // OIDC Core 3.1.2.1: an ID Token that it issued itself.
  optional('id_token_hint', (value) => face.secrets.includes(value))
  optional('registration', (value) => isObject(parse(value)))
  const claims = claimsOf(asked.get('claims'), types, fail)
  return { client, asked, response_type, mode, claims }
}

/** OAuth Response Types 5: what brings tokens does not come in a query. */
function modeOf(
  metadata: Members,
  asked: string | null,
  types: string[],
  fail: (what: string) => never,
): Mode {
  const is_code = types.length === 1 && types[0] === 'code'
  const mode = asked ?? (is_code ? 'query' : 'fragment')
  // OIDC Discovery 3: what an OP does that does not say.
  const offered = metadata['response_modes_supported'] ?? ['query', 'fragment']
  if (asked !== null && !includes(offered, mode)) fail(`response_mode is ${mode}`)
  if (mode === 'query' && !is_code) fail('response_mode would put tokens into a query')
  return mode as Mode
}

/** OIDC Core 3.1.2.1; `create` is of Prompt Create 4.1. */
function isPrompt(value: string): boolean {
  const words = value.split(' ')
  const known = ['none', 'login', 'consent', 'select_account', 'create']
  return (
    words.every((word) => known.includes(word)) &&
    new Set(words).size === words.length &&
    (words.length === 1 || !words.includes('none'))
  )
}

/** OIDC Core 5.5, 5.5.1. */
function claimsOf(
  text: string | null,
  types: string[],
  fail: (what: string) => never,
): CheckedRequest['claims'] {
  if (text === null) return {}
  const claims = parse(text)
  if (!isObject(claims)) return fail('claims are no JSON object')
  for (const [place, wanted] of Object.entries(claims)) {
    if (place !== 'id_token' && place !== 'userinfo') fail(`claims are for ${place}`)
    if (!isObject(wanted)) return fail(`claims of ${place} are no object`)
    for (const [name, how] of Object.entries(wanted)) {
      if (how !== null && !isClaimRequest(how)) fail(`claim ${name} is ill-formed`)
    }
  }
  if ('userinfo' in claims && types.join() === 'id_token') fail('claims are for no UserInfo')
  return claims
}

function isClaimRequest(how: unknown): boolean {
  if (!isObject(how)) return false
  const { essential, values } = how
  if (essential !== undefined && typeof essential !== 'boolean') return false
  if ('value' in how && 'values' in how) return false
  return values === undefined || (Array.isArray(values) && values.length > 0)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function includes(offered: unknown, one: string): boolean {
  return Array.isArray(offered) && offered.includes(one)
}
