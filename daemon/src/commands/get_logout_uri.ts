import { command, oxd_id, required, string, token } from '../command.js'
import { endSessionEndpoint, logoutUri } from '../op/logout.js'
import { endSession, revoke_tokens, sessionGone } from '../sessions.js'

export const get_logout_uri = command({
  doc: "Ends a session: forgets it here and answers the address that ends it at the OP. Send the browser there, and end the website's own session as well.",
  spec: ['OIDC RP-Initiated Logout 2'],
  retry: 'never',
  asks_op: true,
  params: {
    oxd_id,
    session_id: string({
      doc: 'The session that the login answered. Its ID Token becomes the hint.',
      secret: true,
    }),
    id_token_hint: token({
      doc: 'An ID Token of the session instead, if the site has it.',
      spec: 'OIDC RP-Initiated Logout 2',
    }),
    post_logout_redirect_uri: string({
      doc: "Where the OP sends the browser afterwards, instead of the site's own; it must be registered.",
      spec: 'OIDC RP-Initiated Logout 3',
    }),
    revoke_tokens: revoke_tokens(false),
    state: string({
      doc: 'Comes back to post_logout_redirect_uri unchanged. Not at OPs with a logout of their own (relyd.cfg, logout_return_parameter).',
    }),
  },
  result: {
    uri: required(
      string({
        doc: 'Where to send the browser. It carries the ID Token, whatever `tokens` says, unless the OP has a logout of its own.',
        secret: 'address',
      }),
    ),
  },
  errors: [
    'invalid_oxd_id',
    'invalid_session_id',
    'no_end_session_endpoint_at_op',
    'no_connect_discovery_response',
    'invalid_op_metadata',
    'op_host_not_allowed',
  ],
  async run(context, site, { session_id, id_token_hint, revoke_tokens = false, ...request }) {
    // Looked up first: a session is not ended by a command that fails.
    const endpoint = await endSessionEndpoint(context.op, site)
    if (request.state !== undefined && endpoint.return_parameter !== undefined) {
      return context.refuse(
        'invalid_request',
        "this OP's logout brings no state back; put it into post_logout_redirect_uri, as far as the OP allows that",
        { details: { field: 'state' } },
      )
    }
    if (session_id === undefined) {
      return { uri: logoutUri(site, endpoint, { ...request, id_token_hint }) }
    }
    const ended = await endSession(context, site, session_id, revoke_tokens)
    if (!ended) throw sessionGone()
    const { id_token } = ended.session.secrets
    return { uri: logoutUri(site, endpoint, { ...request, id_token_hint: id_token }) }
  },
})
