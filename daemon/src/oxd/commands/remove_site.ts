import { oxd_id, required, string } from '../../command.js'
import { remove_site as relyds } from '../../commands/remove_site.js'
import { oxdCommand } from '../oxd_command.js'

export const remove_site = oxdCommand({
  doc: 'Forgets the site. A registration that relyd made is removed at the OP first.',
  since: '3.1.2',
  asks_op: true,
  params: { oxd_id },
  result: {
    oxd_id: required(string({ doc: 'The site that is gone.' })),
  },
  async run(context, site, params) {
    const { oxd_id } = await relyds.run(context, site, params)
    return { oxd_id }
  },
})
