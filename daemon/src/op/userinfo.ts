/** Asks an OP for the claims of the End-User who logged in. */
import * as client from 'openid-client'
import { bounded, CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { clientOf, providerOf, userInfoEndpoint } from './client.js'
import { decryptJwt } from './jwt_encryption.js'
import {
  type Evidence,
  evidence,
  isNumericDate,
  type JwtKind,
  type Members,
  objectOf,
} from './jwt_parts.js'
import { encryptionOf, userinfoAlg } from './jwt_registered.js'
import { verifyJws } from './jwt_signature.js'
import { asCommandError } from './op_errors.js'
import { issuerOfTenant, optionsOf } from './op_options.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'

const userInfoKind: JwtKind = {
  name: 'UserInfo',
  malformed: 'invalid_op_response',
  bad_signature: 'invalid_user_info',
}

/**
 * OIDC Core 5.3: the UserInfo response, if its `sub` is the expected one. It is what the
 * registration says: JSON, a signed JWT, or either of them encrypted.
 *
 * @throws CommandError `op_host_not_allowed`, `op_error`, `op_unreachable`, `invalid_op_response`, `invalid_user_info`
 */
export async function fetchUserInfo(
  op: OpSide,
  site: Site,
  access_token: string,
  sub: string,
): Promise<Members> {
  const { provider, configuration } = await clientOf(op, site)
  const address = userInfoEndpoint(site, configuration)
  if (address === undefined) {
    throw new CommandError(
      'invalid_op_response',
      "the OP's metadata names no userinfo_endpoint; what it tells of the End-User is in the ID Token",
    )
  }
  const alg = userinfoAlg(site)
  const isJwt = alg !== undefined || encryptionOf(site, 'userinfo') !== undefined
  const method = optionsOf(op.options, site.op_host)?.userinfo_method ?? 'GET'
  const type = isJwt ? 'application/jwt' : 'application/json'
  let response: Response
  try {
    // RFC 6750 2.1: the token in the header, where no log of addresses or forms has it.
    response = await client.fetchProtectedResource(
      configuration,
      access_token,
      new URL(address),
      method,
      undefined,
      new Headers({ accept: type }),
    )
  } catch (error) {
    throw await asCommandError(error, 'OIDC Core 5.3.2')
  }
  checkAnswer(response, method, type)
  const claims = isJwt
    ? await claimsOfJwt(op, site, provider, await response.text(), alg)
    : objectOf(new Uint8Array(await response.arrayBuffer()))
  if (!claims) throw malformed('is no JSON object')
  checkSub(claims, sub)
  return withoutEmpty(claims)
}

/** OIDC Core 5.3.2: which of its forms it has is a matter of the registration. */
function checkAnswer(response: Response, method: string, type: string): void {
  const { status, headers } = response
  if (status !== 200) {
    const allow = bounded(headers.get('allow') ?? undefined, 100)
    const why =
      status === 405
        ? `takes no ${method}${allow ? ` but ${allow}` : ''}; set userinfo_method in the section [op NAME] of relyd.cfg`
        : `was answered with the status ${status}`
    throw new CommandError('invalid_op_response', `UserInfo ${why}`, {
      details: { http_status: status, ...(allow && { allow }) },
      spec: 'OIDC Core 5.3.2',
    })
  }
  const came = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (came === type) return
  throw malformed(
    type === 'application/jwt'
      ? 'is no JWT, though the registration says that it is signed or encrypted'
      : 'is no JSON, as which the site was registered to get it',
    { header: 'content-type', expected: type, received: came },
  )
}

async function claimsOfJwt(
  op: OpSide,
  site: Site,
  provider: Provider,
  jwt: string,
  alg: string | undefined,
): Promise<Members | undefined> {
  const text = await decryptJwt(site, jwt, encryptionOf(site, 'userinfo'), userInfoKind)
  // Encrypted alone: as good as JSON that came over TLS, and no better.
  if (alg === undefined) return objectOf(Buffer.from(text))
  const { client_secret } = site.secrets
  const { claims } = await verifyJws(
    op,
    { provider, algs: [alg], client_secret },
    text,
    userInfoKind,
  )
  checkParties(op, site, provider, claims)
  return claims
}

/** OIDC Core 5.3.2: a signed one should say whose and for whom it is; what it says must be so. */
function checkParties(op: OpSide, site: Site, provider: Provider, claims: Members): void {
  const { iss, aud, exp, nbf } = claims
  const options = optionsOf(op.options, site.op_host)
  const issuers = options?.tenants
    ? options.tenants.map((tenant) => issuerOfTenant(options, tenant))
    : [provider.issuer]
  if (iss !== undefined && !issuers.some((one) => one === iss)) {
    throw notOurs("the UserInfo's issuer is not the OP's", {
      claim: 'iss',
      expected: issuers,
      received: iss,
    })
  }
  const { client_id } = site.client
  if (aud !== undefined && ![aud].flat().includes(client_id)) {
    throw notOurs('the UserInfo is for another client', {
      claim: 'aud',
      expected: client_id,
      received: aud,
    })
  }
  const now = op.clock()
  const late = (claim: string, received: unknown) =>
    notOurs('the UserInfo is of another time; compare the clocks of this host and the OP', {
      claim,
      expected: { now, clock_tolerance: op.clock_tolerance },
      received,
    })
  if (exp !== undefined && !(isNumericDate(exp) && exp > now - op.clock_tolerance)) {
    throw late('exp', exp)
  }
  if (nbf !== undefined && !(isNumericDate(nbf) && nbf <= now + op.clock_tolerance)) {
    throw late('nbf', nbf)
  }
}

/** OIDC Core 5.3.2: UserInfo whose sub is not the ID Token's must not be used. */
function checkSub(claims: Members, sub: string): void {
  if (typeof claims['sub'] !== 'string' || claims['sub'] === '') {
    throw malformed('lacks the claim sub', { claim: 'sub' })
  }
  if (claims['sub'] !== sub) throw notOurs("UserInfo's sub is not the login's", { claim: 'sub' })
}

/** OIDC Core 5.3.2: a claim that the OP has no value of should not be there, as null or an empty text. */
export function withoutEmpty(claims: Members): Members {
  const members = Object.entries(claims)
  return Object.fromEntries(members.filter(([, value]) => value !== null && value !== ''))
}

function malformed(what: string, shown: Evidence = {}): CommandError {
  const said = evidence({ spec: 'OIDC Core 5.3.2', ...shown })
  return new CommandError('invalid_op_response', `the OP's UserInfo ${what}`, said)
}

function notOurs(why: string, shown: Evidence): CommandError {
  return new CommandError('invalid_user_info', why, evidence(shown))
}

/** Claims that are about a token, the login or the client, and not of the End-User (OIDC Core 2, 3.1.3.6). */
const OF_THE_TOKEN = new Set([
  'iss',
  'aud',
  'azp',
  'exp',
  'iat',
  'nbf',
  'jti',
  'nonce',
  'nonce_supported',
  'at_hash',
  'c_hash',
  's_hash',
  'sid',
  'acr',
  'amr',
  'auth_time',
])

/** Whether the OP answers claims at all, or has them in the ID Token alone (Apple). */
export async function hasUserInfo(op: OpSide, site: Site): Promise<boolean> {
  const { metadata } = await providerOf(op, site)
  return metadata.userinfo_endpoint !== undefined
}

/** What an ID Token says of the End-User (OIDC Core 5.1), for an OP without UserInfo. */
export function claimsOfEndUser(id_token_claims: Members): Members {
  const claims = Object.entries(id_token_claims)
  return Object.fromEntries(claims.filter(([name]) => !OF_THE_TOKEN.has(name)))
}

/**
 * An ID Token's claims as a site is told them: without others' claims that nobody has verified yet, and
 * the access tokens for them (OIDC Core 5.6.2), which `get_user_info` uses.
 */
export function withoutSources(id_token_claims: Members): Members {
  const { _claim_names: _, _claim_sources: __, ...claims } = id_token_claims
  return claims
}

/** Whether somebody else than the OP may have a say in a claim: who it is about, none but the OP has. */
export function isOfEndUser(name: string): boolean {
  return name !== 'sub' && !name.startsWith('_claim_') && !OF_THE_TOKEN.has(name)
}
