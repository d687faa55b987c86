import Type from 'typebox'
import {
  type FieldDoc,
  LIST_LENGTH,
  object,
  oxd_id,
  required,
  STRING_LENGTH,
  string,
  strings,
} from '../../command.js'
import { get_authorization_url as relyds } from '../../commands/get_authorization_url.js'
import { refused } from '../../refused.js'
import { oxdCommand } from '../oxd_command.js'
import { isSetupClient } from '../protection.js'
import { unbound } from '../unbound.js'

export const get_authorization_url = oxdCommand({
  doc: 'Starts a login.',
  since: '2.4.1',
  asks_op: true,
  params: {
    oxd_id,
    scope: strings({ doc: "Instead of the site's own." }),
    acr_values: strings({ doc: 'Authentication contexts, in order of preference.' }),
    prompt: string({ doc: 'As OIDC Core 3.1.2.1 has it.' }),
    hd: string({ doc: "Google's: the domain of the account." }),
    custom_parameters: plainValues({
      doc: 'Further parameters for the OP: texts, numbers, booleans. They cannot set what the protocol sets itself.',
    }),
    params: plainValues({ doc: 'The same, as oxD 4 calls them.' }),
  },
  result: {
    authorization_url: required(string({ doc: 'Where to send the browser.' })),
  },
  async run(context, site, { hd, custom_parameters, params, ...request }) {
    if (isSetupClient(site)) {
      throw refused(
        'oxd_id',
        'is that of a setup client, which logs nobody in; give that of the site, which setup_client answers as oxd_id',
      )
    }
    const custom = textsOf({ ...params, ...custom_parameters, ...(hd !== undefined && { hd }) })
    const { authorization_url } = await relyds.run(context, unbound(site), {
      ...request,
      ...withOwnPlaces(custom),
    })
    return { authorization_url }
  },
})

/** Custom parameters, of which some are parameters of relyd's command, and checked there when the login comes back. */
function withOwnPlaces({ login_hint, max_age, ...custom }: Record<string, string>) {
  const isAge = max_age !== undefined && /^\d{1,9}$/.test(max_age)
  const rest = { ...custom, ...(max_age !== undefined && !isAge && { max_age }) }
  return {
    ...(login_hint && { login_hint }),
    ...(isAge && { max_age: Number(max_age) }),
    ...(Object.keys(rest).length > 0 && { custom_parameters: rest }),
  }
}

type PlainValue = string | number | boolean | null

function plainValues(doc: FieldDoc) {
  const text = Type.String({ maxLength: STRING_LENGTH })
  const plain = Type.Union([text, Type.Number(), Type.Boolean(), Type.Null()])
  const schema = Type.Object({}, { additionalProperties: plain, maxProperties: LIST_LENGTH })
  return { ...object(doc), schema: Type.Unsafe<Record<string, PlainValue>>(schema) }
}

function textsOf(values: Record<string, PlainValue>): Record<string, string> {
  const told = Object.entries(values).filter(([, value]) => value !== null)
  return Object.fromEntries(told.map(([name, value]) => [name, String(value)]))
}
