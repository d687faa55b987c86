import { command, oxd_id, required, string } from '../command.js'
import { bindingParams, describeLogin, loginResult } from '../login_result.js'
import { completeLogin, loginErrors } from '../logins.js'

export const get_tokens_by_code = command({
  doc: 'Completes a login with the parts of the callback that the caller picked out. For logins of response_type code alone. get_tokens_by_callback takes it whole and is the better choice.',
  spec: ['OIDC Core 3.1.3', 'RFC 6749 4.1.3'],
  retry: 'never',
  asks_op: true,
  params: {
    oxd_id,
    code: required(string({ doc: 'Authorization code.', spec: 'RFC 6749 4.1.2', secret: true })),
    state: required(string({ doc: 'State the callback carried.', spec: 'RFC 6749 10.12' })),
    iss: string({
      doc: 'Issuer the callback carried. It may be left out only where all sites with this redirect URI use one OP.',
      spec: 'RFC 9207 2',
    }),
    ...bindingParams,
  },
  result: loginResult,
  errors: loginErrors,
  async run(context, site, { code, state, iss, binding, cookie }) {
    const login = await completeLogin(context, site, {
      response: new URLSearchParams({ code, state, ...(iss !== undefined && { iss }) }),
      came: undefined,
      ...(binding !== undefined && { binding }),
      ...(cookie !== undefined && { cookie }),
    })
    return describeLogin(context.realm, site, login)
  },
})
