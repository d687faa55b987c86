import { oxd_id, token } from '../../command.js'
import { oxdCommand } from '../oxd_command.js'
import { needed, same_oxd_id, ticket, uma1 } from '../uma.js'

export const uma_rp_authorize_rpt = oxdCommand({
  doc: 'Has the AS add permissions to an RPT, by UMA 1, which is not spoken.',
  since: '2.4.4',
  params: {
    oxd_id,
    rpt: token({ doc: 'The RPT; it must be there.' }),
    ticket,
  },
  result: { oxd_id: same_oxd_id },
  async run(context, _site, { rpt, ticket }) {
    needed(rpt, 'rpt', 'invalid_rpt_parameter')
    needed(ticket, 'ticket', 'invalid_ticket_parameter')
    return uma1(context)
  },
})
