import { boolean, command, oxd_id, required, string } from '../command.js'
import { removeRegistration } from '../registration_changes.js'

export const remove_site = command({
  doc: "Forgets the site with its logins and sessions. A registration that relyd made is removed at the OP first; one that the OP's operator made is left there. A site that the operator of relyd added can be removed by the operator only.",
  spec: ['RFC 7592 2.3'],
  retry: 'never',
  asks_op: true,
  params: { oxd_id },
  result: {
    oxd_id: required(string({ doc: 'The site that is gone.' })),
    removed_at_op: required(
      boolean({
        doc: 'Whether the OP removed the registration. False where relyd did not make it, or the OP offers no removal.',
      }),
    ),
  },
  errors: ['invalid_oxd_id', 'op_host_not_allowed', 'remove_site_failed'],
  async run(context, site) {
    const { sites, events, refuse } = context
    // Its credentials came from the operator, and would be lost to a site that was broken into.
    if (site.name) {
      return refuse(
        'remove_site_failed',
        'the operator added this site; `relyd sites remove` removes it',
        { retryable: false },
      )
    }
    const removed_at_op = await removeRegistration(context, site)
    await sites.remove(site)
    events.forgetSite(site.oxd_id)
    return { oxd_id: site.oxd_id, removed_at_op }
  },
})
