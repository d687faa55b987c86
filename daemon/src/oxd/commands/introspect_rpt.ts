import {
  boolean,
  integer,
  oxd_id,
  records,
  required,
  string,
  strings,
  token,
} from '../../command.js'
import { orNull, oxdCommand } from '../oxd_command.js'
import { needed, notServed } from '../uma.js'

const exp = orNull(integer({ doc: 'When it expires, in seconds of Unix time.' }))

export const introspect_rpt = oxdCommand({
  doc: 'What an RPT is worth, as the AS says.',
  since: '3.1.2',
  asks_op: true,
  params: {
    oxd_id,
    rpt: token({ doc: 'The RPT; it must be there.' }),
  },
  result: {
    active: required(boolean({ doc: 'Whether it is worth anything.' })),
    exp,
    iat: orNull(integer({ doc: 'When it was issued.' })),
    nbf: orNull(integer({ doc: 'Before when it is worth nothing.' })),
    permissions: orNull(
      records(
        { doc: 'What it permits.' },
        {
          resource_id: required(string({ doc: 'At which resource.' })),
          resource_scopes: required(strings({ doc: 'To do what.' })),
          exp,
        },
      ),
    ),
    client_id: orNull(string({ doc: 'Whose it is.' })),
    sub: orNull(string({ doc: 'For whom.' })),
    aud: orNull(string({ doc: 'At whom.' })),
    iss: orNull(string({ doc: 'Who issued it.' })),
    jti: orNull(string({ doc: 'Its name.' })),
  },
  async run(context, _site, { rpt }) {
    needed(rpt, 'rpt', 'invalid_rpt_parameter')
    return notServed(context)
  },
})
