import { boolean, integer, oxd_id, required, token } from '../../command.js'
import { validIdToken } from '../id_token.js'
import { orNull, oxdCommand } from '../oxd_command.js'

export const access_token_status = oxdCommand({
  doc: 'Tells whether an access token is the one that an ID Token of the site was issued with (at_hash). What it is worth at the OP, introspect_access_token tells.',
  since: '2.2',
  names: ['check_access_token'],
  asks_op: true,
  params: {
    oxd_id,
    id_token: required(token({ doc: 'The ID Token.' })),
    access_token: required(token({ doc: 'The access token.' })),
  },
  result: {
    active: required(
      boolean({ doc: 'Whether the ID Token is valid and vouches for the access token.' }),
    ),
    expires_at: orNull(integer({ doc: "The ID Token's, in milliseconds since the epoch." })),
    issued_at: orNull(integer({ doc: "The ID Token's, in milliseconds since the epoch." })),
  },
  async run({ op }, site, { id_token, access_token }) {
    const valid = await validIdToken(op, site, id_token, { access_token, front_channel: true })
    if (!valid) return { active: false, expires_at: null, issued_at: null }
    return {
      active: true,
      expires_at: Math.floor(valid.exp * 1000),
      issued_at: Math.floor(valid.iat * 1000),
    }
  },
})
