import { integer, oxd_id, required, string, strings, token } from '../../command.js'
import { get_access_token_by_refresh_token as relyds } from '../../commands/get_access_token_by_refresh_token.js'
import { orNull, oxdCommand } from '../oxd_command.js'

export const get_access_token_by_refresh_token = oxdCommand({
  doc: 'Redeems a refresh token.',
  since: '3.1.0',
  asks_op: true,
  params: {
    oxd_id,
    refresh_token: required(token({ doc: 'The refresh token.' })),
    scope: strings({ doc: 'Fewer scopes than were granted, for this access token alone.' }),
  },
  result: {
    access_token: required(token({ doc: 'The access token.' })),
    expires_in: required(
      integer({ doc: 'Seconds until it expires; -1 if the OP did not say.', minimum: -1 }),
    ),
    refresh_token: required(token({ doc: 'The refresh token from now on.' })),
    scope: orNull(string({ doc: 'What was granted, if the OP said.' })),
  },
  async run(context, site, params) {
    const answer = await relyds.run(context, site, params)
    const { access_token, expires_in = -1, refresh_token, scope = null } = answer
    return { access_token, expires_in, refresh_token, scope }
  },
})
