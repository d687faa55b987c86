/** What several commands do with a session that a login has made. */
import type { Seconds } from './clock.js'
import { boolean, integer, oneOf, required, string, token } from './command.js'
import type { Context } from './context.js'
import { sha256 } from './digest.js'
import { CommandError } from './errors.js'
import { revokeAtOp } from './op/revocation.js'
import type { TokenAnswer } from './op/token_answer.js'
import type { SessionSecrets, Site, StoredSession } from './store/store.js'

/** A parameter of the commands that end a session. */
export function revoke_tokens(by_default: boolean) {
  return boolean({
    doc: `Whether the OP shall forget the session's refresh token (else its access token) too, as far as it does. Otherwise that lives on at the OP until it expires there, and nobody here can revoke it later. Default: ${by_default}.`,
    spec: 'RFC 7009 2.1',
  })
}

/** Seconds for which an access token is good at least when nobody says otherwise: a call's time. */
export const MIN_LIFETIME: Seconds = 30

/** Seconds for which a token that a refresh used or replaced still finds what came of it. */
export const GRACE: Seconds = 60

/** By which the store finds the session of a token. */
export function hashToken(token: string): Buffer {
  return sha256(token)
}

/**
 * The site's session, as it is stored.
 *
 * @throws CommandError `invalid_session_id`
 */
export async function sessionOf(
  { store, clock }: Pick<Context<'invalid_session_id'>, 'store' | 'clock'>,
  site: Site,
  session_id: string,
): Promise<StoredSession> {
  const session = await store.getSession(session_id, site.oxd_id, clock())
  if (!session) throw sessionGone()
  return session
}

export function sessionGone(): CommandError {
  return new CommandError('invalid_session_id', 'the session expired or was ended; log in again')
}

/** What is kept of an access token. @param asked_at when the OP was asked for it, at the latest */
export function accessSecrets(
  { access_token, expires_in, scope }: TokenAnswer,
  asked_at: Seconds,
): Partial<SessionSecrets> {
  return {
    access_token,
    ...(expires_in !== undefined && {
      access_token_expires_at: asked_at + expires_in,
      access_token_lifetime: expires_in,
    }),
    ...(scope !== undefined && { scope }),
  }
}

/**
 * Whether the session's access token is good for so long. Of one whose whole life is short, half of
 * that is enough: otherwise each call would ask the OP for another.
 */
export function isGoodFor(
  { secrets, created_at }: StoredSession,
  min_lifetime: Seconds,
  now: Seconds,
): boolean {
  const { access_token, access_token_expires_at: expires_at, access_token_lifetime } = secrets
  if (access_token === undefined) return false
  if (expires_at === undefined) return true
  const lifetime = access_token_lifetime ?? expires_at - created_at
  return expires_at - now >= Math.max(1, Math.min(min_lifetime, Math.floor(lifetime / 2)))
}

/** What commands answer of an access token. */
export const accessTokenResult = {
  access_token: required(token({ doc: 'The access token.', spec: 'RFC 6749 1.4' })),
  token_type: required(oneOf({ doc: 'How it is used.', spec: 'RFC 6750 2.1' }, ['Bearer'])),
  expires_in: integer({ doc: 'Seconds until it expires, if the OP said.', spec: 'RFC 6749 5.1' }),
  scope: string({ doc: 'What was granted, if the OP said.', spec: 'RFC 6749 3.3' }),
}

/** The session's access token as {@link accessTokenResult}. */
export function describeAccessToken({ secrets }: StoredSession, now: Seconds) {
  const { access_token, access_token_expires_at: expires_at, scope } = secrets
  return {
    access_token: access_token as string,
    token_type: 'Bearer' as const,
    ...(expires_at !== undefined && { expires_in: Math.max(0, expires_at - now) }),
    ...(scope !== undefined && { scope }),
  }
}

export interface EndedSession {
  session: StoredSession
  /** Whether the OP confirmed that it forgot the tokens. */
  tokens_revoked: boolean
}

/**
 * Forgets the session and then has the OP forget its tokens, as far as it does: an OP that is down
 * keeps no session alive.
 *
 * @returns undefined if there is no such session
 */
export async function endSession(
  { op, store, clock, events }: Pick<Context<never>, 'op' | 'store' | 'clock' | 'events'>,
  site: Site,
  session_id: string,
  revoke_tokens: boolean,
): Promise<EndedSession | undefined> {
  const session = await store.takeSession(session_id, site.oxd_id, clock())
  if (!session) return undefined
  events.sessionEnded(session)
  if (!revoke_tokens) return { session, tokens_revoked: false }
  const revoked = await revokeTokens({ op }, site, session).catch(ifRefused)
  return { session, tokens_revoked: revoked !== undefined }
}

/** The session's refresh token, unless the OP has rejected it. */
export function refreshTokenOf({
  refresh_token,
  refresh_rejected,
}: SessionSecrets): string | undefined {
  return refresh_rejected ? undefined : refresh_token
}

/**
 * RFC 7009 2.1: has the OP forget the refresh token, and with it the access tokens that came of it;
 * where there is none, the access token.
 *
 * @param revoked what the OP has been told of
 * @returns the token that was revoked; undefined if the session has none
 * @throws CommandError with one of `revocationErrors`
 */
export async function revokeTokens(
  { op }: Pick<Context<never>, 'op'>,
  site: Site,
  { secrets }: Pick<StoredSession, 'secrets'>,
  revoked?: string,
): Promise<string | undefined> {
  const refresh_token = refreshTokenOf(secrets)
  const token = refresh_token ?? secrets.access_token
  if (token === undefined || token === revoked) return token
  await revokeAtOp(op, site, token, refresh_token ? 'refresh_token' : 'access_token')
  return token
}

/**
 * Takes the tokens out of a session of which the OP has been told to forget one. A refresh may have
 * brought others since, or before: the OP is told of these too, as far as it listens.
 */
export async function dropTokens(
  { op, store }: Pick<Context<never>, 'op' | 'store'>,
  site: Site,
  { session_key }: StoredSession,
  revoked: string | undefined,
): Promise<void> {
  const secrets = await store.dropTokens(session_key, ['refresh', 'access'])
  if (secrets) await revokeTokens({ op }, site, { secrets }, revoked).catch(ifRefused)
}

/** Lets pass that the OP did not do what it is asked for as far as it does. */
export function ifRefused(error: unknown): undefined {
  if (error instanceof CommandError) return undefined
  throw error
}
