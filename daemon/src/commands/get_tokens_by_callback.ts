import { command, oxd_id, required, token } from '../command.js'
import { bindingParams, describeLogin, loginResult } from '../login_result.js'
import { completeLogin, loginErrors } from '../logins.js'
import { readCallback } from '../op/callback.js'

export const get_tokens_by_callback = command({
  doc: 'Completes a login with everything the browser brought back: checks state, binding and issuer, redeems the code, validates the ID Token (one that came through the browser, before anything is asked of the OP) and stores a session. A callback succeeds once.',
  spec: [
    'OIDC Core 3.1.2.7',
    'OIDC Core 3.1.3',
    'OIDC Core 3.2.2.8',
    'OIDC Core 3.3.2.8',
    'RFC 9207 2.4',
  ],
  retry: 'never',
  asks_op: true,
  params: {
    oxd_id,
    callback: required(
      token({
        doc: 'The URL that the browser requested (whole, or from its path on; with its fragment, where the response came in that), the form body that it posted, or the text of the fragment, which a page of the site posted.',
        secret: 'address',
      }),
    ),
    ...bindingParams,
  },
  result: loginResult,
  errors: loginErrors,
  async run(context, site, { callback, binding, cookie }) {
    const login = await completeLogin(context, site, {
      ...readCallback(callback),
      callback,
      ...(binding !== undefined && { binding }),
      ...(cookie !== undefined && { cookie }),
    })
    return describeLogin(context.realm, site, login)
  },
})
