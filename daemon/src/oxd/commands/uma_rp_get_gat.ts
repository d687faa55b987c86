import { oxd_id, required, strings, token } from '../../command.js'
import { oxdCommand } from '../oxd_command.js'
import { uma1 } from '../uma.js'

export const uma_rp_get_gat = oxdCommand({
  doc: 'Asks the AS for a token of scopes of its own, by UMA 1, which is not spoken.',
  since: '2.4.4',
  params: {
    oxd_id,
    scopes: required(strings({ doc: 'The scopes.' })),
  },
  result: { rpt: required(token({ doc: 'The token.' })) },
  run: async (context) => uma1(context),
})
