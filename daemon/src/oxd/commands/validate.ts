import { oxd_id, required, string, token } from '../../command.js'
import { providerOf } from '../../op/client.js'
import { validateIdToken } from '../../op/id_token.js'
import { expectedOf } from '../../op/token.js'
import { oxdCommand } from '../oxd_command.js'

export const validate = oxdCommand({
  doc: 'Validates the parts of an authorization response before its code is redeemed: the login that it answers still waits afterwards. oxD refused every ID Token that was good.',
  since: '3.1.0',
  asks_op: true,
  told_as: { invalid_state: 'invalid_state', invalid_id_token_bad_nonce: 'invalid_nonce' },
  params: {
    oxd_id,
    code: required(string({ doc: 'The code.', secret: true })),
    state: required(string({ doc: 'The state.', secret: true })),
    id_token: token({
      doc: 'The ID Token that came with them, which must have the hashes of what it came with.',
    }),
    access_token: token({
      doc: 'The access token that came with them, for which the ID Token alone can vouch.',
    }),
    nonce: string({ doc: "The login's nonce.", secret: true }),
  },
  result: {},
  async run({ op, store, clock, refuse }, site, given) {
    const { code, state, id_token, access_token, nonce } = given
    const login = await store.getUnboundLogin(state, site.oxd_id, clock())
    if (!login) {
      return refuse(
        'invalid_state',
        'no login that an oxd client began at this site waits for this state: it expired or was completed before; start the login again',
      )
    }
    if (nonce !== undefined && nonce !== login.secrets.nonce) {
      return refuse('invalid_id_token_bad_nonce', "the nonce is not this login's")
    }
    if (id_token === undefined) {
      if (access_token === undefined) return {}
      return refuse('no_id_token', 'id_token is missing, which alone can vouch for access_token')
    }
    await validateIdToken(op, site, await providerOf(op, site), id_token, {
      ...expectedOf(login),
      front_channel: true,
      code,
      access_token,
    })
    return {}
  },
})
