import { boolean, integer, required, string } from '../../command.js'
import { unregisterClient } from '../../op/registration.js'
import { adminCommand } from '../admin_command.js'
import { selectErrors, selectSite, servedRealm, wholeSite } from '../select_site.js'
import { siteParams } from '../site_params.js'

export const remove_site = adminCommand({
  doc: 'Forgets the site with its credentials, logins and sessions. A registration that relyd made is removed at the OP first.',
  spec: ['RFC 7592 2.3'],
  params: {
    ...siteParams,
    keep_at_op: boolean({
      doc: 'Leaves the registration at the OP, where that does not answer any more. Default: false.',
    }),
  },
  result: {
    oxd_id: required(string({ doc: 'The site that is gone.' })),
    name: string({ doc: 'As it was called.' }),
    realm: required(string({ doc: 'Where it was.' })),
    sessions: required(integer({ doc: 'How many it had.' })),
    removed_at_op: required(
      boolean({
        doc: 'Whether the OP removed the registration. False where relyd did not make it.',
      }),
    ),
  },
  errors: [...selectErrors, 'remove_site_failed', 'op_host_not_allowed'],
  async run(context, { keep_at_op = false, ...given }) {
    const { sites, events } = context
    const listed = await selectSite(context, given)
    const site = await wholeSite(context, listed)
    const asks = site.registered_by === 'relyd' && !keep_at_op
    const removed_at_op =
      asks && (await unregisterClient(servedRealm(context, site.realm).op, site))
    await sites.remove(site)
    events.forgetSite(site.oxd_id)
    const { oxd_id, realm, name, sessions } = listed
    return { oxd_id, ...(name && { name }), realm, sessions, removed_at_op }
  },
})
