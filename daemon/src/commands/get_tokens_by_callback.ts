import { command, oxd_id, required, token } from '../command.js'
import { bindingParams, describeLogin, loginResult } from '../login_result.js'
import { completeLogin, loginErrors } from '../logins.js'
import { readCallback } from '../op/callback.js'

export const get_tokens_by_callback = command({
  doc: 'Completes a login with everything the browser brought back: checks state, binding and issuer, redeems the code, validates the ID Token and stores a session. A callback succeeds once.',
  spec: ['OIDC Core 3.1.2.7', 'OIDC Core 3.1.3', 'RFC 9207 2.4'],
  retry: 'never',
  asks_op: true,
  params: {
    oxd_id,
    callback: required(
      token({
        doc: 'The URL that the browser requested (whole, or from its path on), or the form body that it posted.',
        secret: 'address',
      }),
    ),
    ...bindingParams,
  },
  result: loginResult,
  errors: loginErrors,
  async run(context, site, { callback, binding, cookie }) {
    const login = await completeLogin(context, site, {
      response: readCallback(callback),
      whole: true,
      callback,
      ...(binding !== undefined && { binding }),
      ...(cookie !== undefined && { cookie }),
    })
    return describeLogin(context.realm, site, login)
  },
})
