import { oxd_id, required, string } from '../../command.js'
import { oxdCommand } from '../oxd_command.js'
import { isSetupClient } from '../protection.js'
import { updateOxdSite } from '../registration.js'
import { registrationFields } from '../registration_params.js'
import { changesOfSetupClient } from '../setup_clients.js'

export const update_site = oxdCommand({
  doc: 'Changes what is given of the site, and puts it at the OP where relyd made the registration. What is not given stays.',
  since: '3.1.2',
  names: ['update_site_registration'],
  asks_op: true,
  params: { oxd_id, ...registrationFields },
  result: {
    oxd_id: required(string({ doc: 'The site.' })),
  },
  async run(context, site, { oxd_id, ...params }) {
    await updateOxdSite(context, site, isSetupClient(site) ? changesOfSetupClient(params) : params)
    return { oxd_id }
  },
})
