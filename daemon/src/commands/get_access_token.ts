import type { Seconds } from '../clock.js'
import { command, integer, oxd_id, session_id, token } from '../command.js'
import { CommandError } from '../errors.js'
import { describeFault } from '../faults.js'
import { sessionRefreshErrors } from '../refreshes.js'
import {
  accessTokenResult,
  describeAccessToken,
  hashToken,
  isGoodFor,
  MIN_LIFETIME,
  sessionOf,
} from '../sessions.js'
import type { StoredSession } from '../store/store.js'

export const get_access_token = command({
  doc: "An access token for calls to APIs on behalf of the session's End-User. It is answered from the store while it is good, and refreshed otherwise: once, however many processes ask, and whatever `tokens` says.",
  spec: ['RFC 6749 6', 'OIDC Core 12'],
  retry: 'safe',
  asks_op: true,
  params: {
    oxd_id,
    session_id,
    min_lifetime: integer({
      doc: 'Seconds that the access token shall be good for at least. Of tokens that the OP makes for less than twice as long, half of their lifetime. Default: 30, and less while a new one cannot be had, unless the OP rejects the refresh token.',
    }),
    rejected_access_token: token({
      doc: 'An access token that an API refused with 401. If it still is the one of the session, it is refreshed.',
      spec: 'RFC 6750 3.1',
    }),
  },
  result: accessTokenResult,
  errors: ['invalid_oxd_id', ...sessionRefreshErrors],
  async run(context, site, { session_id, min_lifetime, rejected_access_token }) {
    const { op, store, clock, log, refreshes } = context
    const rejected =
      rejected_access_token === undefined ? undefined : hashToken(rejected_access_token)
    const isGood = (session: StoredSession, lifetime: Seconds) =>
      isGoodFor(session, lifetime, clock()) && !rejected?.equals(session.access_token_hash)
    const isDone = (session: StoredSession) => isGood(session, min_lifetime ?? MIN_LIFETIME)
    // Nobody asked for more than a token that works.
    const isEnough = (session: StoredSession) => min_lifetime === undefined && isGood(session, 1)
    const session = await sessionOf(context, site, session_id)
    if (isDone(session) || (isEnough(session) && refreshes.hasJustFailed(session))) {
      return describeAccessToken(session, clock())
    }
    try {
      const refreshed = await refreshes.refresh(op, site, session, { isDone })
      return describeAccessToken(refreshed.session, clock())
    } catch (error) {
      if (isFinal(error)) throw error
      // Whatever else happened meanwhile, its tokens may have been revoked.
      const present = await store.getSession(session_id, site.oxd_id, clock())
      if (!present || !isEnough(present)) throw error
      if (!(error instanceof CommandError)) log.error(describeFault(error), 'tokens not refreshed')
      return describeAccessToken(present, clock())
    }
  },
})

/** Whether a refresh failed in a way that ends the session's tokens. */
function isFinal(error: unknown): boolean {
  const codes = ['invalid_session_id', 'refresh_token_rejected']
  return error instanceof CommandError && codes.includes(error.code)
}
