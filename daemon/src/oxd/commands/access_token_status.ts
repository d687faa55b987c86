import { boolean, integer, oxd_id, required, token } from '../../command.js'
import { hashToken } from '../../sessions.js'
import type { Site } from '../../store/store.js'
import { validIdToken } from '../id_token.js'
import { type OxdContext, orNull, oxdCommand } from '../oxd_command.js'

export const access_token_status = oxdCommand({
  doc: 'Tells whether an access token is the one that an ID Token of the site was issued with: by its at_hash, or, as not all OPs tell that, because both are of one login: the ID Token the one that the login or its latest refresh brought, the access token any of that login that is still remembered. What it is worth at the OP, introspect_access_token tells.',
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
    const tokens = { id_token, access_token, nonce: valid?.['nonce'] }
    const has_hash = valid?.['at_hash'] !== undefined
    if (!valid || !(has_hash || (await areOfOneLogin(context, site, tokens)))) {
      return { active: false, expires_at: null, issued_at: null }
    }
    return {
      active: true,
      expires_at: Math.floor(valid.exp * 1000),
      issued_at: Math.floor(valid.iat * 1000),
    }
  },
})

/**
 * Whether both are of one login of the site. A refresh replaces the access token and perhaps the ID
 * Token, which need not have the nonce then (OIDC Core 12.2); the login's has it, and no other login's.
 */
async function areOfOneLogin(
  { store, clock }: OxdContext,
  site: Site,
  tokens: { id_token: string; access_token: string; nonce: unknown },
): Promise<boolean> {
  const hash = hashToken(tokens.access_token)
  const found = await store.findSession(site.oxd_id, 'access', hash, clock())
  if (!found) return false
  const { id_token, id_token_claims } = found.session.secrets
  if (id_token === tokens.id_token) return true
  return typeof tokens.nonce === 'string' && tokens.nonce === id_token_claims['nonce']
}
