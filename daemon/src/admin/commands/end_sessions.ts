import { integer, required, string } from '../../command.js'
import { CommandError } from '../../errors.js'
import { revoke_tokens, revokeTokens } from '../../sessions.js'
import type { RemovedSession } from '../../store/store.js'
import { type AdminContext, adminCommand } from '../admin_command.js'
import { findSessions } from '../find_sessions.js'
import { selectErrors } from '../select_site.js'
import { filterOf, sessionParams } from '../session_params.js'

/** Sessions that a call ends at most: one commit, and twenty milliseconds. */
const PAGE = 200

/** The same where an OP is told of each. */
const REVOKED_PAGE = 20

/** Of which so many at once. */
const AT_ONCE = 5

type EndContext = AdminContext<(typeof selectErrors)[number]>

export const end_sessions = adminCommand({
  doc: 'Ends sessions: a part of those that are meant with each call. Who logs in meanwhile keeps the new session. The End-User stays logged in at the OP.',
  spec: ['RFC 7009 2'],
  params: { ...sessionParams, revoke_tokens: revoke_tokens(false) },
  result: {
    ended: required(integer({ doc: 'How many sessions this call ended.' })),
    tokens_revoked: required(
      integer({ doc: 'Of how many of them the OP confirmed that it forgot the tokens.' }),
    ),
    next: string({ doc: 'More may be left: the next call goes on from here.' }),
  },
  errors: selectErrors,
  async run(context, params) {
    const { revoke_tokens = false, site, issuer, sub, session_ref, after } = params
    if ([site, issuer, sub, session_ref].every((one) => one === undefined)) {
      return context.refuse(
        'invalid_request',
        'site, issuer, sub or session_ref must say which sessions are meant',
        { details: { field: 'site' } },
      )
    }
    const filter = await filterOf(context, params)
    const most = revoke_tokens ? REVOKED_PAGE : PAGE
    const { sessions, next } = await findSessions(context, filter, after, most)
    const removed =
      sessions.length === 0
        ? []
        : await context.store.removeSessions(sessions.map(({ session_key }) => session_key))
    for (const session of removed) context.events.sessionEnded(session)
    const realms = new Map(sessions.map(({ oxd_id, realm }) => [oxd_id, realm]))
    const tokens_revoked = revoke_tokens ? await revoke(context, removed, realms) : 0
    return { ended: removed.length, tokens_revoked, ...(next !== undefined && { next }) }
  },
})

/** Has the OPs forget the tokens, as far as they do; one that does not answer is not asked again. */
async function revoke(
  { store, realms }: EndContext,
  sessions: readonly RemovedSession[],
  realm_names: ReadonlyMap<string, string | null>,
): Promise<number> {
  const silent = new Set<string>()
  let revoked = 0
  const revokeOne = async ({ oxd_id, issuer, secrets }: RemovedSession) => {
    const realm = realms.get(realm_names.get(oxd_id) ?? '')
    const site = realm && (await store.getSite(oxd_id, realm.name))
    if (!site || !secrets || silent.has(issuer)) return
    try {
      if (await revokeTokens({ op: realm.op }, site, { secrets })) revoked += 1
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      if (error.code === 'op_unreachable') silent.add(issuer)
    }
  }
  for (let at = 0; at < sessions.length; at += AT_ONCE) {
    await Promise.all(sessions.slice(at, at + AT_ONCE).map(revokeOne))
  }
  return revoked
}
