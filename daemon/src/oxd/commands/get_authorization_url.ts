import { oxd_id, required, string, stringMap, strings } from '../../command.js'
import { get_authorization_url as relyds } from '../../commands/get_authorization_url.js'
import { oxdCommand } from '../oxd_command.js'
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
    custom_parameters: stringMap({ doc: 'Further parameters for the OP.' }),
  },
  result: {
    authorization_url: required(string({ doc: 'Where to send the browser.' })),
  },
  async run(context, site, { hd, custom_parameters, ...params }) {
    const custom = { ...custom_parameters, ...(hd !== undefined && { hd }) }
    const { authorization_url } = await relyds.run(context, unbound(site), {
      ...params,
      ...(Object.keys(custom).length > 0 && { custom_parameters: custom }),
    })
    return { authorization_url }
  },
})
