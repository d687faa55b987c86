/** Claims that others than the OP vouch for (OIDC Core 5.6.2): verified, or not used. */
import { bounded, CommandError, type ErrorCode } from '../errors.js'
import { isObject } from '../is_object.js'
import type { Site } from '../store/store.js'
import { asymmetricAlgs, isOneOf } from './jwt_algorithms.js'
import { evidence, isNumericDate, type JwtKind, type Members, readJws } from './jwt_parts.js'
import { verifyJws } from './jwt_signature.js'
import { checkDeeperClaims } from './nesting.js'
import { optionsOf } from './op_options.js'
import { noteSources } from './op_secrets.js'
import type { OpSide } from './op_side.js'
import { isAccessToken } from './token_text.js'
import { isOfEndUser, withoutEmpty } from './userinfo.js'

/** Sources of one UserInfo: each may cost a request. */
const MOST_SOURCES = 10

/** Those that are spoken of: beyond, it is no list that anybody reads. */
const MOST_NAMED = 100

/** Longest name of a source, in characters; it is the OP's choice, and nothing depends on it. */
const LONGEST_NAME = 200

export interface SourcedClaims {
  source: string
  issuer: string
  claims: Members
}

export interface FailedSource {
  source: string
  claim_names: string[]
  error: ErrorCode
  error_description: string
}

export interface Sourced {
  /** What the OP itself says. */
  claims: Members
  sourced_claims?: SourcedClaims[]
  failed_sources?: FailedSource[]
}

/**
 * Splits UserInfo into the OP's own claims and those that others vouch for. A source that fails
 * loses its claims, and nothing else.
 *
 * Claims of others never stand among the OP's own, where a site would take them for that: who is
 * believed about an e-mail address may not be about `sub`.
 */
export async function withSources(op: OpSide, site: Site, user_info: Members): Promise<Sourced> {
  const { _claim_names: names, _claim_sources: sources, ...claims } = user_info
  if (!isObject(names)) return { claims }
  noteSources(user_info)
  const trusted = optionsOf(op.options, site.op_host)?.claims_providers ?? []
  const outcomes = await Promise.all(
    [...wantedBySource(names)]
      .slice(0, MOST_NAMED)
      .map(async ([source, wanted], at): Promise<SourcedClaims | FailedSource> => {
        const name = bounded(source, LONGEST_NAME) || '?'
        try {
          if (at >= MOST_SOURCES) throw malformed(`the OP names more than ${MOST_SOURCES} sources`)
          const where = isObject(sources) && Object.hasOwn(sources, source) && sources[source]
          if (where === false) throw malformed('the OP names a source of claims that is not there')
          return { source: name, ...(await claimsOf(op, trusted, where, wanted)) }
        } catch (error) {
          if (!(error instanceof CommandError)) throw error
          const { code, message } = error
          const claim_names = wanted.slice(0, 100).map((one) => bounded(one, LONGEST_NAME) || '?')
          return { source: name, claim_names, error: code, error_description: message }
        }
      }),
  )
  const sourced_claims = outcomes.filter((one) => 'claims' in one)
  const failed_sources = outcomes.filter((one) => 'error' in one)
  return {
    claims,
    ...(sourced_claims.length > 0 && { sourced_claims }),
    ...(failed_sources.length > 0 && { failed_sources }),
  }
}

/** The names of claims by where they come from; what a claim comes from that is no text is no source. */
function wantedBySource(names: Members): Map<string, string[]> {
  const wanted = new Map<string, string[]>()
  for (const [name, source] of Object.entries(names)) {
    if (typeof source !== 'string') continue
    const known = wanted.get(source)
    if (known) known.push(name)
    else wanted.set(source, [name])
  }
  return wanted
}

/** @throws CommandError */
async function claimsOf(
  op: OpSide,
  trusted: readonly string[],
  where: unknown,
  wanted: readonly string[],
): Promise<{ issuer: string; claims: Members }> {
  if (trusted.length === 0) throw notTrusted('relyd.cfg lists no claims_providers for this OP')
  if (!isObject(where)) throw malformed('the OP says of a source of claims what is no object')
  const { JWT: jwt, endpoint, access_token } = where
  if (jwt !== undefined) return verified(op, trusted, jwt, wanted)
  return verified(op, trusted, await fetchJwt(op, trusted, endpoint, access_token), wanted)
}

/**
 * Distributed claims: asks their endpoint, with the token that the OP gave for it. Both come from
 * the OP, which must not send us, or a token, to whom the operator does not know.
 */
async function fetchJwt(
  { http }: OpSide,
  trusted: readonly string[],
  endpoint: unknown,
  access_token: unknown,
): Promise<string> {
  const url = typeof endpoint === 'string' && URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (!url || !http.policy.isSecure(url)) {
    throw malformed('the OP names an endpoint of distributed claims that is no https address')
  }
  if (!trusted.some((issuer) => new URL(issuer).origin === url.origin)) {
    throw notTrusted(
      `relyd.cfg lists no issuer at ${bounded(url.origin, LONGEST_NAME)} among claims_providers`,
    )
  }
  if (access_token !== undefined && !isAccessToken(access_token)) {
    throw malformed('the OP names an access token of distributed claims that no header can carry')
  }
  const response = await http.fetch(url.href, {
    method: 'GET',
    headers: {
      accept: 'application/jwt',
      // RFC 6750 2.1. Without one, OIDC Core 5.6.2 has no other way that this daemon could go.
      ...(access_token !== undefined && { authorization: `Bearer ${access_token}` }),
    },
    body: undefined,
    redirect: 'manual',
  })
  const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (response.status === 200 && type === 'application/jwt') return response.text()
  throw malformed(
    `the source of distributed claims answered no JWT, but ${response.status} ${bounded(type ?? '', 100)}`,
  )
}

const claimsKind: JwtKind = {
  name: 'the JWT of claims',
  malformed: 'invalid_op_response',
  bad_signature: 'invalid_user_info',
}

/** The wanted claims of a JWT that a trusted issuer has signed. */
async function verified(
  op: OpSide,
  trusted: readonly string[],
  jwt: unknown,
  wanted: readonly string[],
): Promise<{ issuer: string; claims: Members }> {
  if (typeof jwt !== 'string') throw malformed('the OP passes on claims that are no JWT')
  // Whose keys are tried, its iss says; whether it is his, the signature.
  const { iss } = readJws(jwt, claimsKind).claims
  const issuer = trusted.find((one) => one === iss)
  if (issuer === undefined) {
    throw notTrusted('relyd.cfg does not list the issuer of these claims among claims_providers', {
      claim: 'iss',
      expected: trusted,
      received: iss,
    })
  }
  const provider = await op.providers.get(issuer)
  if (provider.issuer !== issuer) {
    throw notTrusted(`the metadata of ${issuer} is that of another issuer`)
  }
  const offered = provider.metadata.id_token_signing_alg_values_supported
  const algs = asymmetricAlgs.filter((alg) => !offered || isOneOf(offered, alg))
  const { claims } = await verifyJws(op, { provider, algs }, jwt, claimsKind)
  checkTimes(op, claims)
  const known = wanted.filter((name) => isOfEndUser(name) && Object.hasOwn(claims, name))
  const own = Object.fromEntries(known.map((name) => [name, claims[name]]))
  checkDeeperClaims(own)
  const told = withoutEmpty(own)
  if (Object.keys(told).length > 0) return { issuer, claims: told }
  throw malformed('the JWT of claims has none of those that the OP says come from there')
}

/** RFC 7519 4.1.4 to 4.1.6. Its audience may be the OP, for whom it was made, and tells nothing. */
function checkTimes({ clock, clock_tolerance }: OpSide, claims: Members): void {
  const now = clock()
  const isGood: [claim: string, check: (time: number) => boolean][] = [
    ['exp', (exp) => exp > now - clock_tolerance],
    ['nbf', (nbf) => nbf <= now + clock_tolerance],
    ['iat', (iat) => iat <= now + clock_tolerance],
  ]
  for (const [claim, check] of isGood) {
    const time = claims[claim]
    if (time === undefined || (isNumericDate(time) && check(time))) continue
    const said = evidence({ claim, expected: { now, clock_tolerance }, received: time })
    throw new CommandError('invalid_user_info', 'the claims are of another time', said)
  }
}

function malformed(what: string): CommandError {
  return new CommandError('invalid_op_response', what, { spec: 'OIDC Core 5.6.2' })
}

function notTrusted(why: string, shown = {}): CommandError {
  return new CommandError('claims_provider_not_trusted', why, evidence(shown))
}
