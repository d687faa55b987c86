import { oxd_id, required, token } from '../../command.js'
import { get_user_info as relyds } from '../../commands/get_user_info.js'
import { claims, oxdClaims } from '../claims.js'
import { alwaysNull, oxdCommand } from '../oxd_command.js'

export const get_user_info = oxdCommand({
  doc: "Asks the OP for the End-User's claims.",
  since: '2.4.1',
  asks_op: true,
  params: {
    oxd_id,
    access_token: required(token({ doc: 'The access token of a login of this site.' })),
  },
  result: {
    claims: required(claims({ doc: 'The claims.' })),
    refresh_token: alwaysNull({ doc: 'Of oxD 3.1.' }),
    access_token: alwaysNull({ doc: 'Of oxD 3.1.' }),
  },
  async run(context, site, params) {
    const { realm } = context
    const { claims } = await relyds.run(context, site, params)
    return {
      claims: oxdClaims(claims, realm),
      ...(realm.oxd_clients === '3.1' && { refresh_token: null, access_token: null }),
    }
  },
})
