import { boolean, integer, required, string } from '../../command.js'
import { CommandError } from '../../errors.js'
import { removeRegistration } from '../../registration_changes.js'
import { adminCommand } from '../admin_command.js'
import { selectErrors, selectSite, servedRealm, wholeSite } from '../select_site.js'
import { siteParams } from '../site_params.js'

export const remove_site = adminCommand({
  doc: 'Forgets the site with its credentials, logins and sessions. A registration that relyd made is removed at the OP first.',
  spec: ['RFC 7592 2.3'],
  params: {
    ...siteParams,
    end_sessions: boolean({
      doc: 'Removes it also if it has sessions, which end. Default: false.',
    }),
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
  errors: [...selectErrors, 'site_has_sessions', 'remove_site_failed', 'op_host_not_allowed'],
  async run(context, { end_sessions = false, keep_at_op = false, ...given }) {
    const { sites, events, refuse } = context
    const listed = await selectSite(context, given)
    const { oxd_id, realm, name, sessions } = listed
    if (sessions > 0 && !end_sessions) {
      return refuse('site_has_sessions', `the site has sessions (${sessions}), which would end`, {
        details: { sessions },
      })
    }
    const site = await wholeSite(context, listed)
    const asks = site.registered_by === 'relyd' && !keep_at_op
    const removed_at_op =
      asks &&
      (await removeRegistration(
        { ...context, op: servedRealm(context, site.realm).op },
        site,
      ).catch((error: unknown) => {
        throw withWayOut(error)
      }))
    await sites.remove(site)
    events.forgetSite(site.oxd_id)
    return { oxd_id, ...(name && { name }), realm, sessions, removed_at_op }
  },
})

/** An OP that is gone for good must not keep its sites here. */
function withWayOut(error: unknown): unknown {
  if (!(error instanceof CommandError)) return error
  const { code, message, details, retryable, spec } = error
  return new CommandError(
    code,
    `${message}; keep_at_op forgets it here, and leaves the client at the OP`,
    { details, retryable, spec, cause: error },
  )
}
