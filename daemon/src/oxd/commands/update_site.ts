import { oxd_id, required, string } from '../../command.js'
import { oxdCommand } from '../oxd_command.js'
import { updateOxdSite } from '../registration.js'
import { registrationFields } from '../registration_params.js'

export const update_site = oxdCommand({
  doc: 'Changes what is given of the site, and puts it at the OP where relyd made the registration. What is not given stays.',
  since: '3.1.2',
  names: ['update_site_registration'],
  asks_op: true,
  // A setup client whose secret is over gets no token.
  unprotected: 'setup_client',
  params: { oxd_id, ...registrationFields },
  result: {
    oxd_id: required(string({ doc: 'The site.' })),
  },
  async run(context, site, { oxd_id, ...params }) {
    await updateOxdSite(context, site, params)
    return { oxd_id }
  },
})
