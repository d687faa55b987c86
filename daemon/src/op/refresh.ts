/** Redeems a refresh token, and holds what comes back against the login that it belongs to. */
import { errors } from 'jose'
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { idTokenAlgs, listeningClientOf } from './client.js'
import { verifyIdTokenSignature } from './id_token.js'
import { asCommandError } from './op_errors.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'
import {
  checkTokenAnswer,
  LONGEST_TOKEN,
  type TokenAnswer,
  tokenAnswerErrors,
} from './token_answer.js'

/** Codes that a refresh at the OP can end with. */
export const refreshErrors = [
  ...tokenAnswerErrors,
  'invalid_id_token_bad_sub',
  'refresh_token_rejected',
] as const

export interface RefreshRequest {
  refresh_token: string
  /** Fewer scopes than were granted. */
  scope?: readonly string[] | undefined
  /** Claims of the ID Token of the login, where that is known. */
  login?: Record<string, unknown> | undefined
}

/**
 * What came of a refresh token that the OP took.
 *
 * `unverified`: nobody can tell yet, as the key that would verify the ID Token cannot be had, or the
 * clocks differ. `other_login`: the OP has signed that this is another End-User, or another issuer. `wrong`: a fault
 * of another kind.
 */
export type Redeemed =
  | { verdict: 'good'; answer: TokenAnswer }
  | {
      verdict: 'unverified' | 'other_login' | 'wrong'
      error: CommandError
      /** The one that the answer brought, if it did. */
      refresh_token?: string
    }

/**
 * RFC 6749 6, OIDC Core 12: redeems the refresh token.
 *
 * openid-client checks of an ID Token in the answer what it checks at a login (`iss`, `aud`, `exp`,
 * types), and knows nothing of the login before.
 *
 * @returns `refresh_token` is absent where the OP goes on with the old one
 * @throws CommandError with one of {@link refreshErrors}, where the OP answered no tokens
 */
export async function redeemRefreshToken(
  op: OpSide,
  site: Site,
  { refresh_token, scope, login }: RefreshRequest,
): Promise<Redeemed> {
  const { provider, configuration, heard } = await listeningClientOf(op, site)
  try {
    const answer = await client.refreshTokenGrant(
      configuration,
      refresh_token,
      scope && { scope: scope.join(' ') },
    )
    const tokens = await checkTokenAnswer(op, site, provider, answer)
    if (tokens.id_token_claims && login) checkSameLogin(tokens.id_token_claims, login)
    return { verdict: 'good', answer: tokens }
  } catch (caught) {
    const error = ofRefresh(await asCommandError(caught))
    const tokens = await readTokens(heard())
    if (!tokens) throw error
    const { refresh_token: brought } = tokens
    return {
      verdict: await judge(op, site, provider, error, tokens.id_token),
      error,
      ...(brought !== undefined && brought !== refresh_token && { refresh_token: brought }),
    }
  }
}

/** Of an answer that cannot be used, what concerns the refresh token. */
async function readTokens(
  answer: Response | undefined,
): Promise<{ refresh_token?: string; id_token?: string } | undefined> {
  if (answer?.status !== 200) return undefined
  const body: unknown = await answer.json().catch(() => undefined)
  if (typeof body !== 'object' || body === null) return undefined
  const { refresh_token, id_token } = body as Record<string, unknown>
  return {
    ...(isToken(refresh_token) && { refresh_token }),
    ...(isToken(id_token) && { id_token }),
  }
}

function isToken(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= LONGEST_TOKEN
}

async function judge(
  op: OpSide,
  site: Site,
  provider: Provider,
  error: CommandError,
  id_token: string | undefined,
): Promise<Exclude<Redeemed['verdict'], 'good'>> {
  const { code, details, cause } = error
  const isOfTokens = code.startsWith('invalid_id_token') || code === 'invalid_access_token_bad_hash'
  // What has details is the fault of another answer: that of the keys.
  const isOfAnswer = code === 'invalid_op_response' && details === undefined
  if (!isOfTokens && !isOfAnswer) return 'unverified'
  // Perhaps one that was asked for too often lately, and so not now.
  if (cause instanceof errors.JWKSNoMatchingKey) return 'unverified'
  // By which of the clocks, the OP's or ours?
  if (code === 'invalid_id_token_expired') return 'unverified'
  if (code === 'invalid_id_token_bad_sub') return 'other_login'
  if (code !== 'invalid_id_token_bad_issuer' || id_token === undefined) return 'wrong'
  // openid-client compares the issuer before anybody looks at the signature.
  const algs = idTokenAlgs(site, provider.metadata)
  return verifyIdTokenSignature(op, provider, id_token, algs).then(
    () => 'other_login' as const,
    () => 'wrong' as const,
  )
}

/**
 * OIDC Core 12.2: an ID Token of a refresh speaks of the same login.
 *
 * @throws CommandError
 */
function checkSameLogin(claims: client.IDToken, login: Record<string, unknown>): void {
  if (claims.sub !== login['sub']) {
    throw new CommandError(
      'invalid_id_token_bad_sub',
      "the refreshed ID Token is another End-User's than the login's",
    )
  }
  // One issuer of many tenants has signed for all of them.
  if (claims.iss !== (login['iss'] ?? claims.iss)) {
    throw new CommandError(
      'invalid_id_token_bad_issuer',
      "the refreshed ID Token is of another tenant than the login's",
    )
  }
  const { auth_time, azp, nonce } = claims
  if (auth_time !== undefined && (login['auth_time'] ?? auth_time) !== auth_time) {
    throw new CommandError(
      'invalid_id_token_bad_auth_time',
      "the refreshed ID Token's auth_time is not the login's",
    )
  }
  // Absent from one, it must be absent from the other.
  if (azp !== login['azp']) {
    throw new CommandError(
      'invalid_id_token_bad_audience',
      "the refreshed ID Token's azp is not the login's",
    )
  }
  if (nonce !== undefined && nonce !== login['nonce']) {
    throw new CommandError(
      'invalid_id_token_bad_nonce',
      "the refreshed ID Token's nonce is not the login's",
    )
  }
}

function ofRefresh(error: CommandError): CommandError {
  const { code, message, details, cause } = error
  // RFC 6749 5.2.
  if (code === 'op_error' && details?.['error'] === 'invalid_grant') {
    return new CommandError('refresh_token_rejected', `${message}; log in again`, {
      details,
      cause,
    })
  }
  // An ID Token is welcome here, and not needed: what is missing is something else.
  if (code === 'no_id_token') return new CommandError('invalid_op_response', message, { cause })
  return error
}
