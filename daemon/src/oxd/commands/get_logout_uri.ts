import { oxd_id, required, string, token } from '../../command.js'
import { get_logout_uri as relyds } from '../../commands/get_logout_uri.js'
import { oxdCommand } from '../oxd_command.js'

export const get_logout_uri = oxdCommand({
  doc: "Answers the address that ends the End-User's session at the OP. Send the browser there.",
  since: '2.4.2',
  names: ['logout'],
  asks_op: true,
  params: {
    oxd_id,
    id_token_hint: token({
      doc: 'The ID Token of the login. Without it the OP asks the End-User: oxD took the last one of the site, which may be of anybody.',
    }),
    post_logout_redirect_uri: string({
      doc: "Where the OP sends the browser afterwards, instead of the site's own.",
    }),
    state: string({ doc: 'Comes back to post_logout_redirect_uri.' }),
    session_state: string({
      doc: 'Of OIDC Session Management, which gives it to pages that watch a session; no logout takes it, and it goes nowhere.',
    }),
  },
  result: {
    uri: required(string({ doc: 'Where to send the browser.', secret: 'address' })),
  },
  run(context, site, { session_state: _, ...params }) {
    return relyds.run(context, site, params)
  },
})
