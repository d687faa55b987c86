import { oxd_id, required, string } from '../../command.js'
import { isRedirectUri } from '../../redirect_address.js'
import { paramFault } from '../../uma/params.js'
import { oxdCommand } from '../oxd_command.js'
import { needed, notServed, ticket } from '../uma.js'

export const uma_rp_get_claims_gathering_url = oxdCommand({
  doc: 'Where to send the browser, so that the AS can ask for claims.',
  since: '3.1.0',
  asks_op: true,
  params: {
    oxd_id,
    ticket,
    claims_redirect_uri: string({
      doc: 'Where the browser comes back; it must be there.',
      spec: 'UMA Grant 3.3.2',
    }),
  },
  result: {
    url: required(string({ doc: 'Where to send the browser.', secret: 'address' })),
    state: required(string({ doc: 'Comes back with the browser.', secret: true })),
  },
  async run(context, _site, params) {
    const code = 'invalid_claims_redirect_uri_parameter'
    needed(params.ticket, 'ticket', 'invalid_ticket_parameter')
    if (!isRedirectUri(needed(params.claims_redirect_uri, 'claims_redirect_uri', code))) {
      const what = 'must be an absolute http(s) URL without fragment'
      throw paramFault(code, 'claims_redirect_uri', what)
    }
    return notServed(context)
  },
})
