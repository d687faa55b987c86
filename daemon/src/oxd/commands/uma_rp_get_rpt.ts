import { boolean, oxd_id, required, string, strings, token } from '../../command.js'
import { orNull, oxdCommand } from '../oxd_command.js'
import { needed, notServed, ticket, uma1 } from '../uma.js'

export const uma_rp_get_rpt = oxdCommand({
  doc: 'Asks the AS for an RPT.',
  since: '2.4.4',
  asks_op: true,
  // oxdpython takes every other code for success without an RPT.
  heeded: ['need_info', 'invalid_ticket'],
  params: {
    oxd_id,
    ticket,
    claim_token: token({ doc: 'Claims for the AS.', spec: 'UMA Grant 3.3.1' }),
    claim_token_format: string({ doc: 'How they are written.' }),
    pct: token({ doc: 'The persisted claims token.', spec: 'UMA Grant 3.3.1' }),
    rpt: token({ doc: 'An earlier RPT, to be extended.' }),
    scope: strings({ doc: "Beside the ticket's." }),
    state: string({ doc: 'As uma_rp_get_claims_gathering_url answered it.', secret: true }),
    force_new: boolean({ doc: 'Of UMA 1, which is not spoken.' }),
  },
  result: {
    access_token: required(token({ doc: 'The RPT.' })),
    token_type: required(string({ doc: 'Bearer.' })),
    pct: orNull(token({ doc: 'The persisted claims token.' })),
    updated: required(boolean({ doc: 'Whether it is the earlier RPT, extended.' })),
    upgraded: required(boolean({ doc: 'The same, as documentation called it.' })),
  },
  async run(context, _site, params) {
    const { realm } = context
    const isUma1 = params.force_new !== undefined || realm.oxd_clients !== '3.1'
    if (params.ticket === undefined && isUma1) return uma1(context)
    needed(params.ticket, 'ticket', 'invalid_ticket_parameter')
    return notServed(context)
  },
})
