import { boolean, command, oneOf, oxd_id, required, string, token } from '../command.js'

export const revoke_token = command({
  doc: 'Makes the OP forget a token: one that the site has, or the refresh token of a session (where it has none, its access token). What is revoked is not handed out again.',
  spec: ['RFC 7009 2'],
  retry: 'safe',
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
        doc: 'False where the session had no token left. An OP says yes to tokens that it does not know.',
        spec: 'RFC 7009 2.2',
      }),
    ),
  },
  errors: [
    'invalid_oxd_id',
    'invalid_session_id',
    'tokens_kept_by_daemon',
    'no_revocation_endpoint_at_op',
    'op_unreachable',
    'op_error',
  ],
  async run({ refuse }) {
    return refuse('invalid_request', 'not built yet')
  },
})
