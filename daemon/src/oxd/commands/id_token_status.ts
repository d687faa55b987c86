import { boolean, integer, oxd_id, required, string, token } from '../../command.js'
import { withoutSources } from '../../op/userinfo.js'
import { claims, oxdClaims } from '../claims.js'
import { validIdToken } from '../id_token.js'
import { orNull, oxdCommand } from '../oxd_command.js'

export const id_token_status = oxdCommand({
  doc: 'Validates an ID Token of the site. Of one that is not valid nothing is told: oxD told its claims, which anybody may have written.',
  since: '2.2',
  names: ['check_id_token'],
  asks_op: true,
  params: {
    oxd_id,
    id_token: required(token({ doc: 'The ID Token.' })),
    nonce: string({ doc: 'Not looked at, as in oxD: the login has compared it.', secret: true }),
  },
  result: {
    active: required(
      boolean({ doc: "Whether it is the OP's, for this site, and has not expired." }),
    ),
    expires_at: orNull(integer({ doc: 'In seconds since the epoch.' })),
    issued_at: orNull(integer({ doc: 'In seconds since the epoch.' })),
    claims: orNull(claims({ doc: 'Its claims.' })),
  },
  async run({ realm, op }, site, { id_token }) {
    const valid = await validIdToken(op, site, id_token)
    if (!valid) return { active: false, expires_at: null, issued_at: null, claims: null }
    return {
      active: true,
      expires_at: Math.floor(valid.exp),
      issued_at: Math.floor(valid.iat),
      claims: oxdClaims(withoutSources(valid), realm),
    }
  },
})
