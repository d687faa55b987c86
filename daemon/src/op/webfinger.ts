/** Finds the OP of an End-User by what the End-User types in (OIDC Discovery 2, RFC 7033). */
import { bounded, boundedIn, CommandError } from '../errors.js'
import type { AddressPolicy } from './address_policy.js'
import { insideObject } from './inside_object.js'
import { MAX_URL_LENGTH } from './metadata.js'
import { asCommandError } from './op_errors.js'
import type { OpSide } from './op_side.js'

/** OIDC Discovery 2: the link that is asked for. */
const ISSUER = 'http://openid.net/specs/connect/1.0/issuer'

/** An End-User's identifier, normalised. */
export interface Identifier {
  /** The URI that WebFinger is asked about. */
  resource: string
  /** Who is asked: a host, with its port if it has one. */
  authority: string
  /** How the identifier says that its host is called, if it does. */
  scheme: 'https:' | 'http:' | undefined
}

export interface FoundIssuer {
  resource: string
  /** Whom the host means by it, if it says so. */
  subject: string | undefined
  /** As the host wrote it. Nobody has asked the OP yet. */
  issuer: string
}

/**
 * OIDC Discovery 2.1.2: what people type in as a URI, and whom to ask about it.
 *
 * @throws CommandError `invalid_request`
 */
export function readIdentifier(typed: string): Identifier {
  const text = typed.trim()
  // The URL parser would leave line breaks out and take a backslash for a slash.
  if (text === '' || /[\s\p{Cc}\p{Cs}\\]/u.test(text)) throw refusal('has no form that is known')
  // 2.1.1: XRI's global context symbols are reserved.
  if (/^[=@!]|^xri:/i.test(text)) throw refusal('is an XRI, which nobody can look up any more')
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*):(.*)$/i.exec(text) ?? []
  // `example.com:8080` has no scheme, although RFC 3986 3.1 would let it be one.
  if (scheme === undefined || /^\d+([/?#]|$)/.test(rest)) return withoutScheme(text)
  switch (scheme.toLowerCase()) {
    case 'acct':
      return account(rest)
    case 'https':
    case 'http':
      if (rest.startsWith('//')) return address(text)
  }
  throw refusal(
    'has a scheme that is not looked up; write an e-mail address, acct:user@host or an https address',
  )
}

/** 2.1.2, rules 2 and 3: user and host alone are an account, anything else an address. */
function withoutScheme(text: string): Identifier {
  return /^[^/?#]+@[^@:/?#[\]]+$/.test(text) ? account(text) : address(`https://${text}`)
}

function account(text: string): Identifier {
  const at = text.lastIndexOf('@')
  // 2.1.2: a fragment is stripped.
  const [host = ''] = text.slice(at + 1).split('#', 1)
  const url = URL.canParse(`https://${host}`) ? new URL(`https://${host}`) : undefined
  const isHost = url && `${url.pathname}${url.search}${url.username}` === '/' && !/[/?]/.test(host)
  if (at < 1 || !isHost) throw refusal('must be user@host')
  const user = text.slice(0, at)
  if (user.includes(':')) throw refusal('must not hold a password')
  return { resource: `acct:${userpart(user)}@${url.host}`, authority: url.host, scheme: undefined }
}

/** RFC 7565 7: everything but unreserved characters and sub-delims is percent-encoded, an @ too. */
function userpart(user: string): string {
  return user.replace(/%[\da-f]{2}|[^\w.~!$&'()*+,;=-]/giu, (one) =>
    one.length === 3 && one.startsWith('%') ? one : encodeURIComponent(one),
  )
}

function address(text: string): Identifier {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url) throw refusal('has no form that is known')
  if (url.password) throw refusal('must not hold a password')
  url.hash = ''
  const scheme = url.protocol === 'http:' ? 'http:' : 'https:'
  return { resource: url.href, authority: url.host, scheme }
}

/**
 * Asks the identifier's host which OP it is of.
 *
 * @throws CommandError `invalid_request`, `op_host_not_allowed`, `op_unreachable`, `no_issuer_found`,
 * `quota_exceeded`
 */
export async function findIssuer({ http }: OpSide, typed: string): Promise<FoundIssuer> {
  const identifier = readIdentifier(typed)
  const { resource, authority } = identifier
  const url = new URL('/.well-known/webfinger', originOf(identifier, http.policy))
  // RFC 7033 4.1: percent-encoded, `=` and `&` too.
  url.search = `resource=${encodeURIComponent(resource)}&rel=${encodeURIComponent(ISSUER)}`
  let answer: unknown
  try {
    const response = await http.getFollowing(url, 'application/jrd+json, application/json')
    if (response.status !== 200) {
      const details = { host: authority, http_status: response.status }
      throw notFound(authority, `answers ${response.status}`, details)
    }
    answer = await response.json().catch(() => undefined)
  } catch (error) {
    const cause = await asCommandError(error, 'RFC 7033 4.2')
    if (cause.code !== 'invalid_op_response' && cause.code !== 'op_error') throw cause
    throw notFound(authority, `answers what is no WebFinger: ${cause.message}`, cause.details)
  }
  const subject = insideObject(answer, 'subject')
  const is_text = typeof subject === 'string' && subject !== '' && subject.length <= MAX_URL_LENGTH
  return {
    resource,
    subject: is_text ? subject : undefined,
    issuer: issuerIn(answer, authority, http.policy),
  }
}

/** RFC 7033 4: https always, but for a test host that the operator listed as one without TLS. */
function originOf({ authority, scheme }: Identifier, policy: AddressPolicy): string {
  const plain = new URL(`http://${authority}`)
  if (scheme !== 'https:' && policy.isSecure(plain)) return plain.origin
  if (scheme !== 'http:') return `https://${authority}`
  throw refusal('must be an https address')
}

/** RFC 7033 4.4: of all that the answer may hold, the first link to an issuer. */
function issuerIn(answer: unknown, host: string, policy: AddressPolicy): string {
  const links = insideObject(answer, 'links')
  const link = Array.isArray(links)
    ? links.find((one) => insideObject(one, 'rel') === ISSUER)
    : undefined
  if (link === undefined) throw notFound(host, 'names no OP', { host })
  const href = insideObject(link, 'href')
  // OIDC Discovery 2: an https URL with host, and optionally port and path, and nothing else.
  const url =
    typeof href === 'string' && href.length <= MAX_URL_LENGTH && URL.canParse(href)
      ? new URL(href)
      : undefined
  if (typeof href === 'string' && url && policy.isSecure(url) && !/[?#@]/.test(href)) return href
  throw notFound(host, 'names an OP by what is no https address without query and fragment', {
    host,
    received: boundedIn(href, 300, 2),
  })
}

function notFound(
  host: string,
  what: string,
  details: Record<string, unknown> | undefined,
): CommandError {
  return new CommandError(
    'no_issuer_found',
    `${bounded(host)} ${what}; ask the End-User for the OP's address, or offer the OPs that the site knows`,
    { details },
  )
}

function refusal(why: string): CommandError {
  return new CommandError('invalid_request', `resource ${why}`, { details: { field: 'resource' } })
}
