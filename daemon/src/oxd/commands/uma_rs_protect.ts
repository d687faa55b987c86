import { boolean, objects, oxd_id } from '../../command.js'
import { readResources } from '../../uma/resources.js'
import { oxdCommand } from '../oxd_command.js'
import { notServed, same_oxd_id } from '../uma.js'

export const uma_rs_protect = oxdCommand({
  doc: 'Protects paths of a resource server, each for some HTTP methods.',
  since: '2.4.4',
  asks_op: true,
  params: {
    oxd_id,
    resources: objects({
      doc: '`[{path, conditions: [{httpMethods, scopes, ticketScopes, scope_expression: {rule, data}}]}]`, with scopes or a scope_expression in each condition. It must be there, as a list or as its JSON text.',
    }),
    overwrite: boolean({ doc: 'Instead of what is protected already.' }),
  },
  result: { oxd_id: same_oxd_id },
  async run(context, _site, { resources }) {
    readResources(resources)
    return notServed(context)
  },
})
