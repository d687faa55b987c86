import { required, string } from '../../command.js'
import { oxdCommand } from '../oxd_command.js'
import { setupClientForNewSite } from '../protection.js'
import { registerOxdSite } from '../registration.js'
import { registrationFields } from '../registration_params.js'

export const register_site = oxdCommand({
  doc: "Registers the site at its OP, or takes the client that the OP's operator issued. Each call makes a site.",
  since: '2.4.1',
  asks_op: true,
  params: registrationFields,
  result: {
    oxd_id: required(string({ doc: 'The site, in every other command.' })),
    op_host: required(string({ doc: 'The OP it is registered at.' })),
  },
  async run(context, _site, params) {
    const setup_client = await setupClientForNewSite(context, params)
    return registerOxdSite(context, params, { setup_client })
  },
})
