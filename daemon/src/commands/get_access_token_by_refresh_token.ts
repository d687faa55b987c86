import type { Seconds } from '../clock.js'
import { command, oxd_id, required, strings, token } from '../command.js'
import type { TokenAnswer } from '../op/token_answer.js'
import { sessionRefreshErrors } from '../refreshes.js'
import {
  accessTokenResult,
  describeAccessToken,
  hashToken,
  isGoodFor,
  MIN_LIFETIME,
} from '../sessions.js'
import type { StoredSession } from '../store/store.js'
import { tokenPolicy } from '../token_policy.js'

export const get_access_token_by_refresh_token = command({
  doc: 'Redeems a refresh token that the site keeps itself. If it belongs to a session here, that session is refreshed. Within a minute of its use it answers the tokens that it brought, so that all who ask with the same token are one refresh. get_access_token needs no token and is the better choice.',
  spec: ['RFC 6749 6', 'OIDC Core 12'],
  retry: 'never',
  asks_op: true,
  params: {
    oxd_id,
    refresh_token: required(token({ doc: 'The refresh token.', spec: 'RFC 6749 1.5' })),
    scope: strings({
      doc: 'Fewer scopes than were granted, for this access token alone; the session keeps its own.',
      spec: 'RFC 6749 6',
    }),
  },
  result: {
    ...accessTokenResult,
    refresh_token: required(
      token({
        doc: 'The refresh token from now on: a new one, or the same where the OP goes on with it.',
        spec: 'RFC 6749 6',
      }),
    ),
    id_token: token({ doc: 'An ID Token, if the OP issued one.', spec: 'OIDC Core 12.2' }),
  },
  errors: ['invalid_oxd_id', 'tokens_kept_by_daemon', ...sessionRefreshErrors],
  async run({ realm, op, store, clock, refreshes, refuse }, site, { refresh_token, scope }) {
    if (tokenPolicy(realm, site) === 'daemon') {
      return refuse(
        'tokens_kept_by_daemon',
        'this site has no refresh tokens; use get_access_token',
      )
    }
    const hash = hashToken(refresh_token)
    const found = await store.findSession(site.oxd_id, 'refresh', hash, clock())
    if (!found) {
      const { answer, asked_at } = await realm.passed_on.redeem(op, site, refresh_token, scope)
      return describeAnswer(answer, refresh_token, clock() - asked_at)
    }
    const { access_token_hash } = found.session
    // What a use of the token has brought, lately or meanwhile, is the answer to all of its uses.
    const isDone = (session: StoredSession) =>
      scope === undefined &&
      (!found.current || !access_token_hash.equals(session.access_token_hash)) &&
      isGoodFor(session, MIN_LIFETIME, clock())
    const { session, answer } = isDone(found.session)
      ? { session: found.session }
      : await refreshes.refresh(op, site, found.session, { isDone, scope })
    const { secrets } = session
    const current = secrets.refresh_token ?? refresh_token
    if (scope !== undefined && answer) return describeAnswer(answer, current, 0)
    return {
      ...describeAccessToken(session, clock()),
      refresh_token: current,
      ...(answer?.id_token !== undefined && { id_token: answer.id_token }),
    }
  },
})

function describeAnswer(
  { access_token, expires_in, refresh_token, id_token, scope }: TokenAnswer,
  used: string,
  age: Seconds,
) {
  return {
    access_token,
    token_type: 'Bearer' as const,
    refresh_token: refresh_token ?? used,
    ...(expires_in !== undefined && { expires_in: Math.max(0, expires_in - age) }),
    ...(id_token !== undefined && { id_token }),
    ...(scope !== undefined && { scope }),
  }
}
