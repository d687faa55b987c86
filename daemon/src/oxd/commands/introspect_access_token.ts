import Type from 'typebox'
import {
  boolean,
  type FieldDoc,
  integer,
  oxd_id,
  required,
  string,
  strings,
  token,
} from '../../command.js'
import { introspect_access_token as relyds } from '../../commands/introspect_access_token.js'
import { alwaysNull, orNull, oxdCommand } from '../oxd_command.js'

export const introspect_access_token = oxdCommand({
  doc: 'Asks the OP what an access token is worth.',
  since: '3.1.2',
  asks_op: true,
  params: {
    oxd_id,
    access_token: required(token({ doc: 'The access token.' })),
  },
  result: {
    active: required(boolean({ doc: 'Whether it is good now; if not, nothing else is told.' })),
    scope: orNull(string({ doc: 'Its scopes, separated by spaces.' })),
    scopes: orNull(strings({ doc: 'The same as a list, as it was before oxD 3.1.4.' })),
    client_id: orNull(string({ doc: 'The client that it was issued to.' })),
    username: orNull(string({ doc: 'A name of its End-User.' })),
    token_type: orNull(string({ doc: 'How it is used.' })),
    exp: orNull(integer({ doc: 'When it expires, in seconds since the epoch.' })),
    iat: orNull(integer({ doc: 'When it was issued, in seconds since the epoch.' })),
    sub: orNull(string({ doc: 'Whom it stands for.' })),
    aud: orNull(textOrList({ doc: 'For which API it was issued; a list if for several.' })),
    iss: orNull(string({ doc: 'Who issued it.' })),
    jti: orNull(string({ doc: 'Its own identifier.' })),
    acr_values: required(alwaysNull({ doc: 'No OP but that of oxD told it.' })),
  },
  async run(context, site, params) {
    const told = await relyds.run(context, site, params)
    const { active, scope = null, client_id = null, username = null, token_type = null } = told
    const { exp = null, iat = null, sub = null, iss = null, jti = null, aud } = told
    return {
      active,
      scope,
      scopes: scope?.split(' ').filter(Boolean) ?? null,
      client_id,
      username,
      token_type,
      exp,
      iat,
      sub,
      aud: (aud?.length === 1 ? aud[0] : aud) ?? null,
      iss,
      jti,
      acr_values: null,
    }
  },
})

function textOrList(doc: FieldDoc) {
  const one = string(doc)
  return { ...one, schema: Type.Union([one.schema, strings(doc).schema]) }
}
