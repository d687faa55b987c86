import { command, integer, oneOf, oxd_id, required, string, strings, token } from '../command.js'

export const get_access_token_by_refresh_token = command({
  doc: 'Redeems a refresh token that the site keeps itself. If it belongs to a session here, that session is refreshed, once for all who ask with the same token: within a minute of its use it answers the tokens that it brought. get_access_token needs no token and is the better choice.',
  spec: ['RFC 6749 6', 'OIDC Core 12'],
  retry: 'never',
  params: {
    oxd_id,
    refresh_token: required(token({ doc: 'The refresh token.', spec: 'RFC 6749 1.5' })),
    scope: strings({
      doc: 'Fewer scopes than were granted, for this access token alone; the session keeps its own.',
      spec: 'RFC 6749 6',
    }),
  },
  result: {
    access_token: required(token({ doc: 'The access token.', spec: 'RFC 6749 1.4' })),
    token_type: required(oneOf({ doc: 'How it is used.', spec: 'RFC 6750 2.1' }, ['Bearer'])),
    expires_in: integer({
      doc: 'Seconds until it expires, if the OP said.',
      spec: 'RFC 6749 5.1',
    }),
    refresh_token: required(
      token({
        doc: 'The refresh token from now on: a new one, or the same where the OP goes on with it.',
        spec: 'RFC 6749 6',
      }),
    ),
    id_token: token({ doc: 'An ID Token, if the OP issued one.', spec: 'OIDC Core 12.2' }),
    scope: string({ doc: 'What was granted, if the OP said.', spec: 'RFC 6749 3.3' }),
  },
  errors: [
    'invalid_oxd_id',
    'tokens_kept_by_daemon',
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
