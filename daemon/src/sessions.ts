/** What several commands do with a session that a login has made. */
import type { Context } from './context.js'
import type { Site, StoredSession } from './store/store.js'

/**
 * The site's session, as it is stored.
 *
 * @throws CommandError `invalid_session_id`
 */
export async function sessionOf(
  { store, clock, refuse }: Context<'invalid_session_id'>,
  site: Site,
  session_id: string,
): Promise<StoredSession> {
  const session = await store.getSession(session_id, site.oxd_id, clock())
  if (!session) return refuse('invalid_session_id', SESSION_GONE)
  return session
}

const SESSION_GONE = 'the session expired or was ended; log in again'
