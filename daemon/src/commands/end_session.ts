import { boolean, command, oxd_id, required, session_id } from '../command.js'
import { endSession, revoke_tokens } from '../sessions.js'

export const end_session = command({
  doc: 'Forgets a session here, and then revokes its tokens at the OP, as far as the OP lets it. The End-User stays logged in at the OP: get_logout_uri ends that too.',
  spec: ['RFC 7009 2'],
  retry: 'safe',
  asks_op: true,
  params: {
    oxd_id,
    session_id,
    revoke_tokens: revoke_tokens(true),
  },
  result: {
    ended: required(
      boolean({
        doc: 'Whether there was such a session; it is gone in any case. A repeated call answers false.',
      }),
    ),
    tokens_revoked: required(
      boolean({
        doc: 'Whether the OP confirmed that it forgot the token. False where it does not answer or offers no revocation, and when the call is repeated.',
      }),
    ),
  },
  errors: ['invalid_oxd_id'],
  async run(context, site, { session_id, revoke_tokens = true }) {
    const ended = await endSession(context, site, session_id, revoke_tokens)
    return { ended: ended !== undefined, tokens_revoked: ended?.tokens_revoked ?? false }
  },
})
