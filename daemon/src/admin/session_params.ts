/** Parameters by which the operator's commands say which sessions they mean. */
import { string, type Values } from '../command.js'
import type { AdminServices } from './admin_command.js'
import type { SessionFilter } from './find_sessions.js'
import { selectSite } from './select_site.js'
import { realmParam, siteParams } from './site_params.js'

const site = { ...siteParams.site, required: false as const }

export const sessionParams = {
  site: { ...site, doc: 'Only those of this site: its name, or its oxd_id.' },
  realm: realmParam,
  issuer: string({ doc: 'Only those of this OP.', spec: 'OIDC Core 2' }),
  sub: string({ doc: 'Only those of this End-User.', spec: 'OIDC Core 2' }),
  session_ref: string({ doc: 'Only the one of this name.', maxLength: 64 }),
  after: string({ doc: '`next` of the answer before.', maxLength: 64 }),
}

/** @throws CommandError `no_such_site` */
export async function filterOf(
  context: Pick<AdminServices, 'store'>,
  { site, realm, issuer, sub, session_ref }: Values<typeof sessionParams>,
): Promise<SessionFilter> {
  const filter = { issuer, sub, session_ref }
  if (site === undefined) return { ...filter, realm }
  const { oxd_id } = await selectSite(context, { site, ...(realm !== undefined && { realm }) })
  return { ...filter, oxd_id }
}
