import { boolean, integer, oxd_id, required, token } from '../../command.js'
import { hashToken } from '../../sessions.js'
import type { Site } from '../../store/store.js'
import { validIdToken } from '../id_token.js'
import { type OxdContext, orNull, oxdCommand } from '../oxd_command.js'

export const access_token_status = oxdCommand({
  doc: 'Tells whether an access token is the one that an ID Token of the site was issued with: by its at_hash, or, as not all OPs tell that, because a login brought both. What it is worth at the OP, introspect_access_token tells.',
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
  async run(context, site, { id_token, access_token }) {
    const valid = await validIdToken(context.op, site, id_token, access_token)
    const has_hash = valid?.['at_hash'] !== undefined
    if (!valid || !(has_hash || (await cameTogether(context, site, { id_token, access_token })))) {
      return { active: false, expires_at: null, issued_at: null }
    }
    return {
      active: true,
      expires_at: Math.floor(valid.exp * 1000),
      issued_at: Math.floor(valid.iat * 1000),
    }
  },
})

/** Whether a login of the site brought both, and is still remembered. */
async function cameTogether(
  { store, clock }: OxdContext,
  site: Site,
  tokens: { id_token: string; access_token: string },
): Promise<boolean> {
  const hash = hashToken(tokens.access_token)
  const found = await store.findSession(site.oxd_id, 'access', hash, clock())
  return found?.session.secrets.id_token === tokens.id_token
}
