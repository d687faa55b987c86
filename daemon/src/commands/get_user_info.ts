import {
  command,
  object,
  oneOf,
  oxd_id,
  records,
  required,
  string,
  strings,
  token,
} from '../command.js'
import type { Context } from '../context.js'
import { CommandError } from '../errors.js'
import { withSources } from '../op/claims_sources.js'
import { claimsOfEndUser, fetchUserInfo, hasUserInfo } from '../op/userinfo.js'
import { sessionRefreshErrors } from '../refreshes.js'
import { hashToken, isGoodFor, refreshTokenOf, sessionOf } from '../sessions.js'
import type { Site, StoredSession } from '../store/store.js'

export const get_user_info = command({
  doc: "Asks the OP for the End-User's claims, and checks that they are this End-User's.",
  spec: ['OIDC Core 5.3'],
  retry: 'safe',
  asks_op: true,
  params: {
    oxd_id,
    session_id: string({
      doc: 'The session that the login answered. Its access token is refreshed, if it can be, where it has expired or the OP takes it no more.',
      secret: true,
    }),
    access_token: token({
      doc: 'Its access token instead, if the site has it. It must come from a login of this site.',
    }),
  },
  result: {
    claims: required(
      object({
        doc: 'The claims as the OP answered them, names with language tags (`name#de`) too; without those that are null or an empty text, of which the OP has no value.',
        spec: 'OIDC Core 5.3.2',
      }),
    ),
    sourced_claims: records(
      {
        doc: 'Aggregated and distributed claims: those that others vouch for, of whom the operator lists each (`claims_providers`), verified. What `sub` or another claim of the OP says is not theirs to say.',
        spec: 'OIDC Core 5.6.2',
      },
      {
        source: required(string({ doc: "The OP's name of where they come from." })),
        issuer: required(string({ doc: 'Who signed them.' })),
        claims: required(object({ doc: 'Those that the OP said come from there.' })),
      },
    ),
    failed_sources: records(
      { doc: 'Sources whose claims were not used.', spec: 'OIDC Core 5.6.2' },
      {
        source: required(string({ doc: "The OP's name of it." })),
        claim_names: required(strings({ doc: 'Claims that would have come from there.' })),
        error: required(
          string({ doc: 'Why not, as a code of errors.md; such as claims_provider_not_trusted.' }),
        ),
        error_description: required(string({ doc: 'The same in words.' })),
      },
    ),
    source: oneOf(
      {
        doc: '`id_token`: the OP has no UserInfo (Apple), or the login asked for an ID Token alone (response_type id_token), and these are the claims that the ID Token of the login, or of its latest refresh, had of the End-User.',
        spec: 'OIDC Core 5.1',
      },
      ['id_token'],
    ),
  },
  errors: ['invalid_oxd_id', 'unknown_access_token', 'invalid_user_info', ...sessionRefreshErrors],
  async run(context, site, { session_id, access_token }) {
    const { op, store, clock, refuse } = context
    if ((session_id === undefined) === (access_token === undefined)) {
      return refuse('invalid_request', 'give either session_id or access_token', {
        details: { field: 'session_id' },
      })
    }
    if (session_id !== undefined) {
      const found = await sessionOf(context, site, session_id)
      if (found.secrets.without_access_token || !(await hasUserInfo(op, site))) {
        return fromIdToken(op, site, found)
      }
      return withSources(op, site, await claimsOf(context, site, found))
    }
    const token = access_token as string
    const found = await store.findSession(site.oxd_id, 'access', hashToken(token), clock())
    if (!found) {
      return refuse(
        'unknown_access_token',
        'no session of this site has this access token; pass session_id, or log in again',
      )
    }
    if (!(await hasUserInfo(op, site))) return fromIdToken(op, site, found.session)
    return withSources(op, site, await fetchUserInfo(op, site, token, found.session.sub))
  },
})

async function fromIdToken(
  op: Context<never>['op'],
  site: Site,
  { secrets }: Pick<StoredSession, 'secrets'>,
) {
  const claims = claimsOfEndUser(secrets.id_token_claims)
  return { ...(await withSources(op, site, claims)), source: 'id_token' as const }
}

type SessionContext = Pick<Context<never>, 'op' | 'clock' | 'refreshes'>

/** UserInfo by the session's access token, or by a fresh one where the OP takes that no more. */
async function claimsOf(context: SessionContext, site: Site, found: StoredSession) {
  const { op, clock } = context
  const session = await withToken(context, site, found, (one) => isGoodFor(one, 1, clock()))
  try {
    return await askWith(op, site, session)
  } catch (error) {
    // RFC 6750 3.1: no longer good before its time, as after a change of the OP's keys.
    if (!isRejected(error) || refreshTokenOf(session.secrets) === undefined) throw error
    const { access_token_hash: rejected } = session
    const isOther = (one: StoredSession) => !one.access_token_hash.equals(rejected)
    return askWith(op, site, await withToken(context, site, session, isOther))
  }
}

function isRejected(error: unknown): boolean {
  return error instanceof CommandError && error.details?.['http_status'] === 401
}

function askWith(op: SessionContext['op'], site: Site, { secrets, sub }: StoredSession) {
  if (secrets.access_token !== undefined) return fetchUserInfo(op, site, secrets.access_token, sub)
  throw new CommandError('no_refresh_token', "the session's tokens were revoked; log in again")
}

/** The session, with its tokens refreshed where that is due and can be done. */
async function withToken(
  { op, refreshes }: SessionContext,
  site: Site,
  session: StoredSession,
  isDone: (one: StoredSession) => boolean,
): Promise<StoredSession> {
  if (refreshTokenOf(session.secrets) === undefined || isDone(session)) return session
  const refreshed = await refreshes.refresh(op, site, session, { isDone })
  return refreshed.session
}
