/** Reads the parts of a JWT in compact form, strictly, before anybody judges what they say. */
import type { Seconds } from '../clock.js'
import {
  bounded,
  boundedIn,
  CommandError,
  type CommandErrorOptions,
  type ErrorCode,
} from '../errors.js'
import { isObject } from '../is_object.js'
import { checkJsonNesting } from './nesting.js'

/** Longest token, in characters: a site must be able to hand it back (`token` in command.ts). */
export const LONGEST_TOKEN = 65_536

/** What a JWT is, for the words and codes of its refusal. */
export interface JwtKind {
  /** As the subject of a sentence. */
  name: string
  malformed: ErrorCode
  bad_signature: ErrorCode
}

export const idTokenKind: JwtKind = {
  name: 'the ID Token',
  malformed: 'invalid_id_token',
  bad_signature: 'invalid_id_token_bad_signature',
}

export type Members = Record<string, unknown>

/** A JWS whose signature nobody has verified. */
export interface UnverifiedJwt {
  header: Members & { alg: string; kid?: string }
  claims: Members
}

/** What was wrong: never a nonce, a hash or a token. */
export interface Evidence {
  /** A claim, or a parameter of the JOSE header. */
  claim?: string
  header?: string
  expected?: unknown
  received?: unknown
  /** Where it is finer than the code's. */
  spec?: string
}

/** An error's options: the section, and in `details` the rest. */
export function evidence({
  expected,
  received,
  spec,
  ...rest
}: Evidence): Pick<CommandErrorOptions, 'details' | 'spec'> {
  const details = {
    ...rest,
    ...(expected !== undefined && { expected: boundedIn(expected) }),
    ...(received !== undefined && { received: boundedIn(received) }),
  }
  return { ...(Object.keys(details).length > 0 && { details }), spec }
}

/** @returns the parts between the dots; undefined if one of them is no canonical base64url */
export function partsOf(jwt: string): string[] | undefined {
  if (jwt.length > LONGEST_TOKEN) return undefined
  const parts = jwt.split('.', 6)
  return parts.every(isBase64url) ? parts : undefined
}

/**
 * RFC 7515 5.2 steps 1 to 6, RFC 7519 7.2.
 *
 * @throws CommandError the kind's `malformed`; `invalid_op_response` for claims nested too deeply
 */
export function readJws(jws: string, kind: JwtKind): UnverifiedJwt {
  const parts = partsOf(jws)
  if (parts?.length !== 3) throw malformed(kind, 'is not a signed JWT')
  const [first = '', second = ''] = parts
  const header = objectOf(first)
  if (!header) throw malformed(kind, 'has a header that is no JSON object')
  checkHeader(header, kind)
  const claims = objectOf(second)
  if (!claims) throw malformed(kind, 'has claims that are no JSON object')
  return { header: header as UnverifiedJwt['header'], claims }
}

/**
 * The same for the protected header of a JWE (RFC 7516 5.2).
 *
 * @throws CommandError the kind's `malformed`
 */
export function readJweHeader(
  parts: readonly string[],
  kind: JwtKind,
): Members & { alg: string; kid?: string } {
  const header = objectOf(parts[0] ?? '')
  if (!header) throw malformed(kind, 'has a header that is no JSON object')
  checkHeader(header, kind)
  return header as Members & { alg: string }
}

/**
 * RFC 7519 2: seconds since the epoch, perhaps with a fraction. What is beyond whole numbers, or
 * infinite, is no time that anybody could calculate with.
 */
export function isNumericDate(value: unknown): value is Seconds {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
}

/** Reads a JSON object; undefined for anything else, and for numbers that are none here (1e400). */
export function objectOf(text: string | Uint8Array): Members | undefined {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64url') : text
  checkJsonNesting(bytes)
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes))
    return isObject(value) && hasFiniteNumbers(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** In JSON again an infinite number would be null. It is nested as deep as `checkJsonNesting` lets pass. */
function hasFiniteNumbers(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  return typeof value !== 'object' || value === null || Object.values(value).every(hasFiniteNumbers)
}

export function malformed(kind: JwtKind, what: string, shown: Evidence = {}): CommandError {
  const said = evidence({ spec: 'RFC 7519 7.2', ...shown })
  return new CommandError(kind.malformed, `${kind.name} ${what}`, said)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function checkHeader(header: Members, kind: JwtKind): void {
  const { alg, kid, crit, typ } = header
  if (typeof alg !== 'string') throw malformed(kind, 'names no alg', { header: 'alg' })
  if (kid !== undefined && typeof kid !== 'string') {
    throw malformed(kind, 'has a kid that is no text', { header: 'kid' })
  }
  // RFC 7515 4.1.11: there is no extension that relyd knows, and b64 is none for a JWT (RFC 7797 7).
  if (crit !== undefined) {
    throw malformed(kind, 'has a crit header, with an extension that relyd does not know', {
      header: 'crit',
      received: crit,
      spec: 'RFC 7515 4.1.11',
    })
  }
  // RFC 8725 3.11: an access token or a logout token is none of what is read here.
  if (typeof typ === 'string' && /\+jwt$/i.test(typ)) {
    throw malformed(kind, `is a JWT of another type (${bounded(typ, 40)})`, {
      header: 'typ',
      received: typ,
      spec: 'RFC 8725 3.11',
    })
  }
}

/** RFC 7515 2: no padding, no white space, nothing that some decoders overlook. */
function isBase64url(part: string): boolean {
  if (!/^[\w-]*$/.test(part) || part.length % 4 === 1) return false
  // Bits that say nothing must be 0, so that one token has one form.
  const last = part.length % 4 === 0 ? '' : part.slice(-(part.length % 4))
  return Buffer.from(last, 'base64url').toString('base64url') === last
}
