import {
  command,
  integer,
  object,
  oxd_id,
  required,
  session_id,
  session_ref,
  string,
  strings,
} from '../command.js'
import { withoutSources } from '../op/userinfo.js'
import { sessionOf } from '../sessions.js'
import { expiryOf, refOf } from '../store/expiring_id.js'

export const get_session = command({
  doc: 'Who is logged in: what the login found out, without asking the OP and without any token.',
  spec: ['OIDC Core 2'],
  retry: 'safe',
  params: { oxd_id, session_id },
  result: {
    session_ref,
    sub: required(string({ doc: 'The End-User, unique at this issuer.', spec: 'OIDC Core 2' })),
    issuer: required(string({ doc: 'The OP. Key users by issuer and sub.', spec: 'OIDC Core 2' })),
    id_token_claims: required(
      object({ doc: "The claims of the login's ID Token.", spec: 'OIDC Core 2' }),
    ),
    sid: string({
      doc: 'The session at the OP, if it named one.',
      spec: 'OIDC Front-Channel Logout 3',
    }),
    acr: string({
      doc: 'How the End-User authenticated, if the OP said.',
      spec: 'OIDC Core 2',
    }),
    amr: strings({ doc: 'By which methods, if the OP said.', spec: 'OIDC Core 2' }),
    auth_time: integer({
      doc: 'When, if the OP said, in seconds since the epoch.',
      spec: 'OIDC Core 2',
    }),
    created_at: required(
      integer({ doc: 'When the login was completed, in seconds since the epoch.' }),
    ),
    expires_at: required(
      integer({ doc: 'When the session ends in relyd, in seconds since the epoch.' }),
    ),
    scope: string({ doc: 'What was granted, if the OP said.', spec: 'RFC 6749 3.3' }),
  },
  errors: ['invalid_oxd_id', 'invalid_session_id'],
  async run(context, site, { session_id }) {
    const session = await sessionOf(context, site, session_id)
    const { sub, issuer, sid, acr, amr, auth_time, created_at, session_key } = session
    const { id_token_claims, scope } = session.secrets
    return {
      session_ref: refOf(session_key),
      sub,
      issuer,
      id_token_claims: withoutSources(id_token_claims),
      ...(sid !== null && { sid }),
      ...(acr !== null && { acr }),
      ...(amr !== null && { amr }),
      ...(auth_time !== null && { auth_time }),
      created_at,
      expires_at: expiryOf(session_key),
      ...(scope !== undefined && { scope }),
    }
  },
})
