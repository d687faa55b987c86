/**
 * The one validator of ID Tokens, from whichever endpoint they come (ADR 21): decrypted, signed by
 * whom the registration says, and about this site, this login and what came with it.
 */
import { createHash } from 'node:crypto'
import type { IDToken } from 'openid-client'
import type { Seconds } from '../clock.js'
import { sameDigest } from '../digest.js'
import { bounded, CommandError, type ErrorCode } from '../errors.js'
import type { Login, Site } from '../store/store.js'
import { defaultMaxAge, requiresAuthTime } from './demands.js'
import { hashOf } from './jwt_algorithms.js'
import { decryptJwt } from './jwt_encryption.js'
import { type Evidence, evidence, idTokenKind, isNumericDate, type Members } from './jwt_parts.js'
import { encryptionOf, idTokenAlgs } from './jwt_registered.js'
import { verifyJws } from './jwt_signature.js'
import { issuerOfTenant, type OpOptions, optionsOf, TENANT } from './op_options.js'
import { noteSources } from './op_secrets.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'

/** Codes that a validation can end with, beside those of keys that cannot be fetched. */
export const idTokenErrors = [
  'invalid_op_response',
  'invalid_id_token',
  'invalid_id_token_bad_nonce',
  'invalid_id_token_bad_audience',
  'invalid_id_token_bad_issuer',
  'invalid_id_token_bad_sub',
  'invalid_id_token_bad_signature',
  'invalid_id_token_expired',
  'invalid_id_token_bad_auth_time',
  'invalid_id_token_bad_acr',
  'invalid_access_token_bad_hash',
  'invalid_authorization_code_bad_hash',
] as const

/** What the ID Token must fit. What is not told is not compared. */
export interface ExpectedIdToken {
  /** That of the authorization request, which must be in it. */
  nonce?: string | undefined
  /** The `max_age` that was asked for, in seconds; the site's `default_max_age` if none was. */
  max_age?: Seconds | null | undefined
  /** When the login began, where `max_age` is 0. */
  began_at?: Seconds | undefined
  /** What came with it. */
  access_token?: string | undefined
  code?: string | undefined
  state?: string | undefined
  /** Whether it came through the browser, where it must have the hashes of what came with it. */
  front_channel: boolean
  /** OIDC Core 5.5.1: what was asked for as essential. */
  essential?: Login['secrets']['essential']
  /** Whether it came with refreshed tokens: what was asked of the login has been held against that. */
  refreshed: boolean
  /** Claims of the ID Token of the login, if this one came with refreshed tokens and that is known. */
  login?: Members | undefined
}

export interface ValidIdToken {
  id_token_claims: IDToken
  /** The signed JWT, which is what was encrypted if the ID Token came so. */
  jws: string
}

/**
 * OIDC Core 3.1.3.7, 3.2.2.11, 3.3.2.11, 12.2.
 *
 * @throws CommandError with one of {@link idTokenErrors}; `op_unreachable` and the like when the
 * OP's keys are needed and cannot be fetched
 */
export async function validateIdToken(
  op: OpSide,
  site: Site,
  provider: Provider,
  id_token: string,
  expected: ExpectedIdToken,
): Promise<ValidIdToken> {
  const jws = await decryptJwt(site, id_token, encryptionOf(site, 'id_token'), idTokenKind)
  const signer = {
    provider,
    algs: idTokenAlgs(site, provider.metadata),
    client_secret: site.secrets.client_secret,
  }
  const { header, claims: signed } = await verifyJws(op, signer, jws, idTokenKind)
  noteSources(signed)
  const { client } = site
  const claims = checkTypes(signed)
  const options = optionsOf(op.options, site.op_host)
  checkTimes(claims, op.clock(), op.clock_tolerance)
  checkIssuer(provider, header, claims, options)
  checkAudience(claims, client.client_id, options?.trusted_audiences ?? [])
  checkNonce(claims, expected.nonce)
  // OIDC Core 12.2: a refreshed one need not say it again, and its End-User authenticated long ago.
  if (!expected.refreshed) {
    checkAuthTime(claims, expected.max_age ?? defaultMaxAge(site), expected.began_at, op)
    if (requiresAuthTime(site) || expected.essential?.auth_time) requireClaim(claims, 'auth_time')
    checkEssential(claims, expected.essential)
  }
  checkHashes(claims, header.alg, expected)
  if (expected.login) checkSameLogin(claims, expected.login)
  return { id_token_claims: claims, jws }
}

function refuse(code: ErrorCode, why: string, shown: Evidence): CommandError {
  return new CommandError(code, why, evidence({ spec: 'OIDC Core 3.1.3.7', ...shown }))
}

/** OIDC Core 2: the claims that every ID Token has, and of what type they are. */
function checkTypes(claims: Members): IDToken {
  for (const name of ['iss', 'sub', 'aud', 'exp', 'iat']) requireClaim(claims, name)
  const wrongType = (claim: string) =>
    refuse('invalid_id_token', `the ID Token's claim ${claim} is not of its type`, {
      claim,
      spec: 'OIDC Core 2',
    })
  for (const name of ['iss', 'sub']) {
    if (typeof claims[name] !== 'string') throw wrongType(name)
  }
  for (const name of ['exp', 'iat', 'nbf', 'auth_time']) {
    if (claims[name] !== undefined && !isNumericDate(claims[name])) throw wrongType(name)
  }
  const { aud } = claims
  if (typeof aud !== 'string' && !Array.isArray(aud)) throw wrongType('aud')
  if (!SUB.test(String(claims['sub']))) {
    throw refuse(
      'invalid_id_token',
      "the ID Token's claim sub is not of 1 to 255 ASCII characters",
      {
        claim: 'sub',
        spec: 'OIDC Core 2',
      },
    )
  }
  return claims as IDToken
}

/** OIDC Core 2. Of control characters, which ASCII has too, nobody makes a name. */
const SUB = /^[\x20-\x7e]{1,255}$/

function requireClaim(claims: Members, claim: string, spec = 'OIDC Core 2'): void {
  if (claims[claim] !== undefined) return
  throw refuse('invalid_id_token', `the ID Token lacks the claim ${claim}`, { claim, spec })
}

/**
 * OIDC Core 3.1.3.7 steps 9 and 10, RFC 7519 4.1.5. One from the future comes from a clock, or a
 * forger, that is not to be trusted.
 */
function checkTimes({ exp, iat, nbf }: IDToken, now: Seconds, tolerance: Seconds): void {
  const late = (claim: string, received: number, why: string) =>
    refuse(
      'invalid_id_token_expired',
      `the ID Token ${why}; compare the clocks of this host and the OP`,
      { claim, expected: { now, clock_tolerance: tolerance }, received },
    )
  if (exp <= now - tolerance) throw late('exp', exp, 'has expired')
  if (nbf !== undefined && nbf > now + tolerance) throw late('nbf', nbf, 'is not valid yet')
  if (iat > now + tolerance) throw late('iat', iat, 'was issued in the future')
}

/**
 * OIDC Core 3.1.3.7 step 2. Where relyd.cfg says that an issuer has many tenants: the ID Token is of
 * one that it lists, and of that tenant's issuer.
 *
 * @throws CommandError `invalid_id_token_bad_issuer`, `invalid_id_token_bad_signature`
 */
export function checkIssuer(
  provider: Provider,
  header: { kid?: string },
  claims: IDToken,
  options: OpOptions | undefined,
): void {
  if (options?.tenants) {
    checkTenant(provider, header, claims, options)
    return
  }
  const expected = provider.issuer
  if (expected.includes(TENANT)) {
    // Metadata that says so is refused without tenants; a missing list must not mean that all may come.
    throw refuse(
      'invalid_id_token_bad_issuer',
      'the issuer stands for many, and relyd.cfg lists no tenants of it',
      { claim: 'iss', received: claims.iss },
    )
  }
  if (claims.iss !== expected) {
    throw refuse('invalid_id_token_bad_issuer', "the ID Token's issuer is not the OP's", {
      claim: 'iss',
      expected,
      received: claims.iss,
      spec: 'OIDC Core 3.1.3.7 step 2',
    })
  }
}

function checkTenant(
  { jwks }: Provider,
  { kid }: { kid?: string },
  { iss, tid }: IDToken,
  options: OpOptions,
): void {
  const known = options.tenants?.find((tenant) => tenant === tid)
  if (known === undefined) {
    throw new CommandError(
      'invalid_id_token_bad_issuer',
      `the End-User is of a tenant that [op ${options.name}] of relyd.cfg does not list`,
      // To the operator who has to add it, its id; to nobody else a secret either.
      { details: { tenant: bounded(tid) } },
    )
  }
  const expected = issuerOfTenant(options, known)
  if (iss !== expected) {
    throw refuse('invalid_id_token_bad_issuer', "the ID Token's issuer is not that of its tenant", {
      claim: 'iss',
      expected,
      received: iss,
      spec: 'OIDC Core 3.1.3.7 step 2',
    })
  }
  // Tenants share a key set, whose keys say which issuer's they are: a key of one kind of accounts
  // must not sign for another.
  for (const key of jwks?.keys ?? []) {
    const { issuer: of } = key as { issuer?: unknown }
    if ((kid ?? key.kid) !== key.kid || typeof of !== 'string') continue
    if (of.replace(TENANT, known) === iss) continue
    throw refuse(
      'invalid_id_token_bad_signature',
      "the OP's key that signed the ID Token is not for its issuer",
      { header: 'kid', expected: iss, received: of },
    )
  }
}

/**
 * OIDC Core 3.1.3.7 steps 3 to 5: for this client; for others beside it only where relyd.cfg trusts
 * them, and then azp says that it was issued to this one.
 */
function checkAudience({ aud, azp }: IDToken, client_id: string, trusted: readonly string[]): void {
  const audience: unknown[] = [aud].flat()
  const refuseAudience = (claim: string, why: string, received: unknown, step: string) =>
    refuse('invalid_id_token_bad_audience', why, {
      claim,
      expected: claim === 'aud' ? [client_id, ...trusted] : client_id,
      received,
      spec: `OIDC Core 3.1.3.7 ${step}`,
    })
  if (!audience.includes(client_id)) {
    throw refuseAudience('aud', 'the ID Token was not issued for this client', aud, 'step 3')
  }
  const isKnown = (one: unknown) => one === client_id || trusted.some((known) => known === one)
  if (!audience.every(isKnown)) {
    throw refuseAudience('aud', 'the ID Token was not issued for this client alone', aud, 'step 3')
  }
  if (audience.length > 1 && azp === undefined) {
    throw refuseAudience(
      'azp',
      'the ID Token has several audiences, and no azp that says for whom it was issued',
      undefined,
      'step 4',
    )
  }
  if (azp !== undefined && azp !== client_id) {
    throw refuseAudience('azp', 'the ID Token was issued to another client', azp, 'step 5')
  }
}

/** OIDC Core 3.1.3.7 step 11, 3.2.2.11 step 2. */
function checkNonce(claims: IDToken, nonce: string | undefined): void {
  if (nonce === undefined) return
  requireClaim(claims, 'nonce', 'OIDC Core 3.1.3.7 step 11')
  if (!isSameText(claims.nonce, nonce)) {
    throw refuse('invalid_id_token_bad_nonce', "the ID Token's nonce is not this login's", {
      claim: 'nonce',
      spec: 'OIDC Core 3.1.3.7 step 11',
    })
  }
}

/** Seconds by which two spans of whole seconds may differ. */
const ROUNDED = 2

/** OIDC Core 3.1.3.7 step 13. */
function checkAuthTime(
  claims: IDToken,
  max_age: Seconds | undefined,
  began_at: Seconds | undefined,
  { clock, clock_tolerance }: OpSide,
): void {
  if (max_age === undefined) return
  requireClaim(claims, 'auth_time', 'OIDC Core 3.1.2.1')
  const now = clock()
  const auth_time = Number(claims.auth_time)
  // With 0 it has to have been for this login: by the OP's clock no longer ago than that takes by ours.
  const isBefore =
    max_age === 0 && began_at !== undefined && claims.iat - auth_time > now - began_at + ROUNDED
  const why =
    isBefore || auth_time + max_age < now - clock_tolerance
      ? 'the End-User authenticated longer ago than max_age allows; log in again'
      : // Of milliseconds, perhaps, which no max_age would ever be smaller than.
        auth_time > now + clock_tolerance && 'the End-User authenticated in the future'
  if (why) {
    throw refuse('invalid_id_token_bad_auth_time', why, {
      claim: 'auth_time',
      expected: { now, max_age, clock_tolerance },
      received: auth_time,
      spec: 'OIDC Core 3.1.3.7 step 13',
    })
  }
}

/** OIDC Core 3.1.3.7 step 12, 5.5.1.1; `sub` as 5.5.1 asks for one End-User. */
function checkEssential({ acr, sub }: IDToken, essential: ExpectedIdToken['essential']): void {
  if (essential?.acr?.length === 0 && !acr) requireClaim({}, 'acr', 'OIDC Core 5.5.1.1')
  if (essential?.acr?.length && !essential.acr.some((one) => one === acr)) {
    throw refuse(
      'invalid_id_token_bad_acr',
      'the End-User did not authenticate in one of the ways that this login requires (acr)',
      { claim: 'acr', expected: essential.acr, received: acr, spec: 'OIDC Core 5.5.1.1' },
    )
  }
  if (essential?.sub && !essential.sub.includes(sub)) {
    throw refuse(
      'invalid_id_token_bad_sub',
      'another End-User has logged in than the one that this login was for',
      { claim: 'sub', spec: 'OIDC Core 5.5.1' },
    )
  }
}

/** What of an authorization response each hash is made of, and who must have it. */
const HASHES = [
  {
    claim: 'at_hash',
    of: 'access_token',
    // OIDC Core 3.2.2.9, 3.3.2.9.
    required: true,
    code: 'invalid_access_token_bad_hash',
    spec: 'OIDC Core 3.2.2.9',
    back_spec: 'OIDC Core 3.1.3.8',
  },
  {
    claim: 'c_hash',
    of: 'code',
    // OIDC Core 3.3.2.10.
    required: true,
    code: 'invalid_authorization_code_bad_hash',
    spec: 'OIDC Core 3.3.2.10',
    back_spec: 'OIDC Core 3.3.3.6',
  },
  {
    // FAPI 1.0 Advanced 5.2.2.1; OIDC Core has none.
    claim: 's_hash',
    of: 'state',
    required: false,
    code: 'invalid_authorization_code_bad_hash',
    spec: 'FAPI 1.0 Advanced 5.1.1',
    back_spec: 'FAPI 1.0 Advanced 5.1.1',
  },
] as const

/** What came with the ID Token is what the OP issued with it, also where a browser was between. */
function checkHashes(claims: IDToken, alg: string, expected: ExpectedIdToken): void {
  for (const { claim, of, required, code, spec, back_spec } of HASHES) {
    const value = expected[of]
    if (value === undefined) continue
    if (claims[claim] === undefined) {
      if (required && expected.front_channel) requireClaim(claims, claim, spec)
      continue
    }
    const hash = createHash(hashOf(alg)).update(value).digest()
    const half = hash.subarray(0, hash.length / 2).toString('base64url')
    if (isSameText(claims[claim], half)) continue
    throw refuse(code, `the ${of} is not the one that the ID Token was issued with (${claim})`, {
      claim,
      spec: expected.front_channel ? spec : back_spec,
    })
  }
}

/** OIDC Core 12.2: an ID Token of a refresh speaks of the same login. */
function checkSameLogin(claims: IDToken, login: Members): void {
  const differs = (code: ErrorCode, claim: string, why: string, shown: Evidence = {}) =>
    refuse(code, why, { claim, spec: 'OIDC Core 12.2', ...shown })
  const { sub, iss, auth_time, azp, nonce } = claims
  if (sub !== login['sub']) {
    throw differs(
      'invalid_id_token_bad_sub',
      'sub',
      "the refreshed ID Token is another End-User's than the login's",
    )
  }
  // One issuer of many tenants has signed for all of them.
  if (iss !== (login['iss'] ?? iss)) {
    throw differs(
      'invalid_id_token_bad_issuer',
      'iss',
      "the refreshed ID Token is of another tenant than the login's",
      { expected: login['iss'], received: iss },
    )
  }
  if (auth_time !== undefined && (login['auth_time'] ?? auth_time) !== auth_time) {
    throw differs(
      'invalid_id_token_bad_auth_time',
      'auth_time',
      "the refreshed ID Token's auth_time is not the login's",
      { expected: login['auth_time'], received: auth_time },
    )
  }
  // Absent from one, it must be absent from the other.
  if (azp !== login['azp']) {
    throw differs(
      'invalid_id_token_bad_audience',
      'azp',
      "the refreshed ID Token's azp is not the login's",
      { expected: login['azp'], received: azp },
    )
  }
  if (nonce !== undefined && !isSameText(nonce, login['nonce'])) {
    throw differs(
      'invalid_id_token_bad_nonce',
      'nonce',
      "the refreshed ID Token's nonce is not the login's",
    )
  }
}

/** Compares in a time that does not tell how much of two texts is alike. */
function isSameText(one: unknown, other: unknown): boolean {
  if (typeof one !== 'string' || typeof other !== 'string') return false
  return sameDigest(Buffer.from(one), Buffer.from(other))
}
