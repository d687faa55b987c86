import { boolean, command, integer, oxd_id, required, string, strings, token } from '../command.js'
import { introspect, introspectionErrors } from '../op/introspection.js'
import { hashToken } from '../sessions.js'

export const introspect_access_token = command({
  doc: 'Asks the OP what an access token is worth that somebody brought, for a site that is an API.',
  spec: ['RFC 7662 2'],
  retry: 'safe',
  asks_op: true,
  params: {
    oxd_id,
    access_token: required(token({ doc: 'The access token.' })),
  },
  result: {
    active: required(
      boolean({
        doc: "Whether the access token is good now; if not, nothing else is told. Nor is one good that has expired by this host's clock, that another than the site's OP issued, that is of another type than Bearer, or that is bound to a key (`cnf`). A refresh token of a session here is not good either; of another one, and of an ID Token, the OP must say so by `token_type` or by `active`.",
        spec: 'RFC 7662 2.2',
      }),
    ),
    scope: string({ doc: 'Its scopes, separated by spaces.', spec: 'RFC 7662 2.2' }),
    client_id: string({ doc: 'The client that it was issued to.', spec: 'RFC 7662 2.2' }),
    username: string({ doc: 'A name of its End-User, for people to read.', spec: 'RFC 7662 2.2' }),
    token_type: string({ doc: 'How it is used.', spec: 'RFC 7662 2.2' }),
    exp: integer({ doc: 'When it expires, in seconds since the epoch.', spec: 'RFC 7662 2.2' }),
    iat: integer({ doc: 'When it was issued, in seconds since the epoch.', spec: 'RFC 7662 2.2' }),
    nbf: integer({
      doc: 'From when on it is good, in seconds since the epoch.',
      spec: 'RFC 7662 2.2',
    }),
    sub: string({ doc: 'Whom it stands for; most often the End-User.', spec: 'RFC 7662 2.2' }),
    aud: strings({ doc: 'For which APIs it was issued.', spec: 'RFC 7662 2.2' }),
    iss: string({ doc: 'Who issued it.', spec: 'RFC 7662 2.2' }),
    jti: string({ doc: 'Its own identifier.', spec: 'RFC 7662 2.2' }),
  },
  errors: ['invalid_oxd_id', ...introspectionErrors],
  async run({ op, store, clock }, site, { access_token }) {
    const hash = hashToken(access_token)
    // RFC 7662 2.1: an OP may take the hint for no more than that.
    const refreshed = await store.findSession(site.oxd_id, 'refresh', hash, clock())
    return refreshed ? { active: false } : introspect(op, site, access_token)
  },
})
