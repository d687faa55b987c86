import { boolean, command, oneOf, oxd_id, required, string, token } from '../command.js'
import { revocationErrors, revokeAtOp } from '../op/revocation.js'
import { dropTokens, hashToken, revokeTokens, sessionOf } from '../sessions.js'
import { tokenPolicy } from '../token_policy.js'

export const revoke_token = command({
  doc: 'Makes the OP forget a token: one that the site has, or the refresh token of a session (where it has none, its access token). What is revoked is not handed out again.',
  spec: ['RFC 7009 2'],
  retry: 'safe',
  asks_op: true,
  params: {
    oxd_id,
    token: token({ doc: 'An access or refresh token of this site.' }),
    token_type_hint: oneOf({ doc: 'Which of the two.', spec: 'RFC 7009 2.1' }, [
      'access_token',
      'refresh_token',
    ]),
    session_id: string({ doc: 'The session instead, whose login goes on.', secret: true }),
  },
  result: {
    revoked: required(
      boolean({
        doc: 'False where the session had no token left, as when the call is repeated. An OP says yes to tokens that it does not know.',
        spec: 'RFC 7009 2.2',
      }),
    ),
  },
  errors: ['invalid_oxd_id', 'invalid_session_id', 'tokens_kept_by_daemon', ...revocationErrors],
  async run(context, site, { token, token_type_hint, session_id }) {
    const { realm, op, store, clock, refuse } = context
    if ((session_id === undefined) === (token === undefined)) {
      return refuse('invalid_request', 'give either token or session_id', {
        details: { field: 'token' },
      })
    }
    if (session_id !== undefined) {
      const session = await sessionOf(context, site, session_id)
      const revoked = await revokeTokens(context, site, session)
      await dropTokens(context, site, session, revoked)
      return { revoked: revoked !== undefined }
    }
    if (tokenPolicy(realm, site) === 'daemon') {
      return refuse('tokens_kept_by_daemon', 'this site has no tokens; give session_id instead')
    }
    const given = token as string
    await revokeAtOp(op, site, given, token_type_hint)
    realm.passed_on.forget(site, given)
    const hash = hashToken(given)
    const refreshed = await store.findSession(site.oxd_id, 'refresh', hash, clock())
    // RFC 7009 2.1: access tokens go with the refresh token that they came of, also with one used up.
    if (refreshed) await dropTokens(context, site, refreshed.session, given)
    const opened = await store.findSession(site.oxd_id, 'access', hash, clock())
    if (opened && hash.equals(opened.session.access_token_hash)) {
      await store.dropTokens(opened.session.session_key, ['access'])
    }
    return { revoked: true }
  },
})
