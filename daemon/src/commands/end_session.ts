import { boolean, command, oxd_id, required, session_id } from '../command.js'

export const end_session = command({
  doc: 'Forgets a session here, and then revokes its tokens at the OP, as far as the OP lets it. The End-User stays logged in at the OP: get_logout_uri ends that too.',
  spec: ['RFC 7009 2'],
  retry: 'safe',
  params: {
    oxd_id,
    session_id,
    revoke_tokens: boolean({
      doc: "Whether the OP shall forget the session's refresh token (else its access token). Default: true.",
    }),
  },
  result: {
    ended: required(boolean({ doc: 'Whether there was such a session; it is gone in any case.' })),
    tokens_revoked: required(
      boolean({
        doc: 'Whether the OP confirmed that it forgot the token. False where it does not answer or offers no revocation.',
      }),
    ),
  },
  errors: ['invalid_oxd_id'],
  async run({ refuse }) {
    return refuse('invalid_request', 'not built yet')
  },
})
