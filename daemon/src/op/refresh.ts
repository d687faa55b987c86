/** Redeems a refresh token, and holds what comes back against the login that it belongs to. */
import { errors } from 'jose'
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { listeningClientOf } from './client.js'
import { LONGEST_TOKEN } from './jwt_parts.js'
import { asCommandError } from './op_errors.js'
import type { OpSide } from './op_side.js'
import { checkTokenAnswer, type TokenAnswer, tokenAnswerErrors } from './token_answer.js'
import { isRefreshToken } from './token_text.js'

/** Codes that a refresh at the OP can end with. */
export const refreshErrors = [...tokenAnswerErrors, 'refresh_token_rejected'] as const

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
    const tokens = await checkTokenAnswer(op, site, provider, answer, {
      refreshed: true,
      login,
    })
    return { verdict: 'good', answer: tokens }
  } catch (caught) {
    const error = ofRefresh(await asCommandError(caught, 'RFC 6749 5.1'))
    const tokens = await readTokens(heard())
    if (!tokens) throw error
    const { refresh_token: brought } = tokens
    return {
      verdict: judge(error),
      error,
      ...(brought !== undefined && brought !== refresh_token && { refresh_token: brought }),
    }
  }
}

/** Of an answer that cannot be used, what concerns the refresh token. */
async function readTokens(
  answer: Response | undefined,
): Promise<{ refresh_token?: string } | undefined> {
  if (answer?.status !== 200) return undefined
  const body: unknown = await answer.json().catch(() => undefined)
  if (typeof body !== 'object' || body === null) return undefined
  const { refresh_token } = body as Record<string, unknown>
  return isToken(refresh_token) ? { refresh_token } : {}
}

function isToken(value: unknown): value is string {
  return isRefreshToken(value) && value.length <= LONGEST_TOKEN
}

function judge({ code, details, cause }: CommandError): Exclude<Redeemed['verdict'], 'good'> {
  const isOfTokens = code.startsWith('invalid_id_token') || code === 'invalid_access_token_bad_hash'
  // What names its status is the fault of another answer: that of the keys.
  const isOfAnswer =
    code === 'op_error' ||
    (code === 'invalid_op_response' && details?.['http_status'] === undefined)
  if (!isOfTokens && !isOfAnswer) return 'unverified'
  // Perhaps one that was asked for too often lately, and so not now.
  if (cause instanceof errors.JWKSNoMatchingKey) return 'unverified'
  // By which of the clocks, the OP's or ours?
  if (code === 'invalid_id_token_expired') return 'unverified'
  // Both are told of an ID Token whose signature is the OP's.
  const isOther = ['invalid_id_token_bad_sub', 'invalid_id_token_bad_issuer'].includes(code)
  return isOther ? 'other_login' : 'wrong'
}

function ofRefresh(error: CommandError): CommandError {
  const { code, message, details, cause } = error
  // RFC 6749 5.2. An OP that says so with 200 does not follow it, and is not believed for good.
  const isRejected = details?.['error'] === 'invalid_grant' && details['http_status'] !== 200
  if (code === 'op_error' && isRejected) {
    return new CommandError('refresh_token_rejected', `${message}; log in again`, {
      details,
      cause,
    })
  }
  return error
}
