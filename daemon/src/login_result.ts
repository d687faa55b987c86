/** What both commands that complete a login answer. */
import { integer, object, required, session_ref, string, token } from './command.js'
import type { RealmPolicy } from './context.js'
import type { CompletedLogin } from './logins.js'
import { withoutSources } from './op/userinfo.js'
import type { Site } from './store/store.js'
import { tokenPolicy } from './token_policy.js'

export const bindingParams = {
  binding: string({
    doc: 'The binding that get_authorization_url answered, for a site that keeps it itself.',
    secret: true,
  }),
  cookie: string({
    doc: "The request's whole Cookie header, from which the daemon reads the binding.",
    secret: 'cookies',
    minLength: 0,
    maxLength: 65_536,
  }),
}

const withheld = 'Absent where the daemon keeps the tokens.'

export const loginResult = {
  session_id: required(
    string({
      doc: 'Stands for the tokens in later commands. Keep it as the tokens themselves.',
      secret: true,
    }),
  ),
  session_ref,
  sub: required(string({ doc: 'The End-User, unique at this issuer.', spec: 'OIDC Core 2' })),
  issuer: required(string({ doc: 'The OP. Key users by issuer and sub.', spec: 'OIDC Core 2' })),
  id_token_claims: required(
    object({
      doc: "The validated ID Token's claims, names with language tags (`name#de`) too.",
      spec: 'OIDC Core 2',
    }),
  ),
  id_token: token({
    doc: `The signed ID Token; what was encrypted, if it came so. ${withheld}`,
    spec: 'OIDC Core 2',
  }),
  access_token: token({
    doc: `The access token. ${withheld} A login of response_type id_token brings none.`,
    spec: 'RFC 6749 5.1',
  }),
  refresh_token: token({
    doc: `The refresh token, if the OP issued one. ${withheld}`,
    spec: 'RFC 6749 1.5',
  }),
  expires_in: integer({
    doc: 'Seconds until the access token expires, if the OP said.',
    spec: 'RFC 6749 5.1',
  }),
  scope: string({ doc: 'What was granted, if the OP said.', spec: 'RFC 6749 3.3' }),
  return_to: string({
    doc: 'As get_authorization_url was given it.',
    secret: 'address',
  }),
  set_cookie: required(
    string({
      doc: "Value of a `Set-Cookie` header that takes the login's cookie from the browser.",
    }),
  ),
}

/** Leaves the tokens out where site or realm keep them in the daemon. */
export function describeLogin(
  realm: RealmPolicy,
  site: Site,
  { session_id, session_ref, tokens, return_to, set_cookie }: CompletedLogin,
) {
  const { id_token_claims, access_token, refresh_token, id_token, expires_in, scope } = tokens
  const visible =
    tokenPolicy(realm, site) === 'daemon'
      ? {}
      : {
          id_token,
          ...(access_token !== undefined && { access_token }),
          ...(refresh_token !== undefined && { refresh_token }),
        }
  return {
    session_id,
    session_ref,
    sub: id_token_claims.sub,
    issuer: id_token_claims.iss,
    id_token_claims: withoutSources(id_token_claims),
    ...visible,
    ...(expires_in !== undefined && { expires_in }),
    ...(scope !== undefined && { scope }),
    ...(return_to !== undefined && { return_to }),
    set_cookie,
  }
}
