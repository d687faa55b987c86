import { command, object, oxd_id, required, string, token } from '../command.js'
import { hashAccessToken } from '../logins.js'
import { fetchUserInfo } from '../op/userinfo.js'

export const get_user_info = command({
  doc: "Asks the OP for the End-User's claims, and checks that they are this End-User's.",
  spec: ['OIDC Core 5.3'],
  retry: 'safe',
  params: {
    oxd_id,
    session_id: string({ doc: 'The session that the login answered.', secret: true }),
    access_token: token({
      doc: 'Its access token instead, if the site has it. It must come from a login of this site.',
    }),
  },
  result: {
    claims: required(
      object({ doc: 'The claims as the OP answered them.', spec: 'OIDC Core 5.3.2' }),
    ),
  },
  errors: [
    'invalid_oxd_id',
    'invalid_session_id',
    'unknown_access_token',
    'no_connect_discovery_response',
    'invalid_op_metadata',
    'op_host_not_allowed',
    'op_unreachable',
    'op_error',
    'invalid_op_response',
    'invalid_user_info',
  ],
  async run({ op, store, clock, refuse }, site, { session_id, access_token }) {
    if ((session_id === undefined) === (access_token === undefined)) {
      return refuse('invalid_request', 'give either session_id or access_token', {
        details: { field: 'session_id' },
      })
    }
    if (session_id !== undefined) {
      const session = await store.getSession(session_id, site.oxd_id, clock())
      if (!session)
        return refuse('invalid_session_id', 'the session expired or was ended; log in again')
      const claims = await fetchUserInfo(op, site, session.secrets.access_token, session.sub)
      return { claims }
    }
    const token = access_token as string
    const sub = await store.subjectOfAccessToken(site.oxd_id, hashAccessToken(token), clock())
    if (sub === undefined) {
      return refuse(
        'unknown_access_token',
        'no session of this site has this access token; pass session_id, or log in again',
      )
    }
    return { claims: await fetchUserInfo(op, site, token, sub) }
  },
})
