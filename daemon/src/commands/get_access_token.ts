import { command, integer, oneOf, oxd_id, required, session_id, string, token } from '../command.js'

export const get_access_token = command({
  doc: "An access token for calls to APIs on behalf of the session's End-User. It is answered from the store while it is good, and refreshed otherwise: once, however many processes ask, and whatever `tokens` says.",
  spec: ['RFC 6749 6', 'OIDC Core 12'],
  retry: 'safe',
  params: {
    oxd_id,
    session_id,
    min_lifetime: integer({
      doc: 'Seconds that the access token shall be good for at least. Of tokens that the OP makes for less than twice as long, half of their lifetime. Default: 30.',
    }),
    rejected_access_token: token({
      doc: 'An access token that an API refused with 401. If it still is the one of the session, it is refreshed.',
      spec: 'RFC 6750 3.1',
    }),
  },
  result: {
    access_token: required(token({ doc: 'The access token.', spec: 'RFC 6749 1.4' })),
    token_type: required(oneOf({ doc: 'How it is used.', spec: 'RFC 6750 2.1' }, ['Bearer'])),
    expires_in: integer({
      doc: 'Seconds until it expires, if the OP said.',
      spec: 'RFC 6749 5.1',
    }),
    scope: string({ doc: 'What was granted, if the OP said.', spec: 'RFC 6749 3.3' }),
  },
  errors: [
    'invalid_oxd_id',
    'invalid_session_id',
    'no_refresh_token',
    'refresh_token_rejected',
    'refresh_in_progress',
    'op_unreachable',
    'op_error',
    'invalid_op_response',
  ],
  async run({ refuse }) {
    return refuse('invalid_request', 'not built yet')
  },
})
