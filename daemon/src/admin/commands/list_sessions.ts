import { integer, records, required, session_ref, string, strings } from '../../command.js'
import { expiryOf, refOf } from '../../store/expiring_id.js'
import type { ListedSession } from '../../store/store.js'
import { adminCommand } from '../admin_command.js'
import { findSessions } from '../find_sessions.js'
import { selectErrors } from '../select_site.js'
import { filterOf, sessionParams } from '../session_params.js'
import { cut, LISTED_BYTES, shownInPart } from '../shown_in_part.js'

/** Sessions of an answer at most. */
const PAGE = 100

export const list_sessions = adminCommand({
  doc: 'Sessions of all sites, those that expire last first, in pages. Neither tokens nor session_ids are among it.',
  spec: [],
  params: sessionParams,
  result: {
    sessions: required(
      records(
        { doc: `At most ${PAGE}; there may be fewer, or none, on a page that is not the last.` },
        {
          session_ref,
          oxd_id: required(string({ doc: 'Its site.' })),
          name: string({ doc: "The operator's name of the site." }),
          realm: string({ doc: 'The realm of the site; absent if the site was removed.' }),
          issuer: required(string({ doc: 'The OP.', spec: 'OIDC Core 2' })),
          sub: required(string({ doc: 'The End-User at that OP.', spec: 'OIDC Core 2' })),
          sid: string({ doc: "The OP's session.", spec: 'OIDC Front-Channel Logout 3' }),
          acr: string({ doc: 'How the End-User was authenticated.', spec: 'OIDC Core 2' }),
          amr: strings({ doc: 'By what means.', spec: 'OIDC Core 2' }),
          auth_time: integer({ doc: 'When the End-User was authenticated.', spec: 'OIDC Core 2' }),
          created_at: required(integer({ doc: 'When the login was completed.' })),
          expires_at: required(integer({ doc: 'When the session ends.' })),
          cut,
        },
      ),
    ),
    next: string({ doc: 'Where the next page begins; absent on the last.' }),
  },
  errors: selectErrors,
  async run(context, params) {
    const filter = await filterOf(context, params)
    const { sessions, next } = await findSessions(context, filter, params.after, PAGE)
    return {
      sessions: sessions.map((session) => shownInPart(described(session), LISTED_BYTES)),
      ...(next !== undefined && { next }),
    }
  },
})

function described(session: ListedSession) {
  const { session_key, name, realm, sid, acr, amr, auth_time, ...row } = session
  return {
    session_ref: refOf(session_key),
    ...row,
    ...(name !== null && { name }),
    ...(realm !== null && { realm }),
    ...(sid !== null && { sid }),
    ...(acr !== null && { acr }),
    ...(amr !== null && { amr }),
    ...(auth_time !== null && { auth_time }),
    expires_at: expiryOf(session_key),
  }
}
