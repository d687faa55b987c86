import { command, object, oxd_id, required, string, strings } from '../command.js'
import { changedMembers } from '../op/registration_request.js'
import {
  atSitesCost,
  readRegistrationAtOp,
  registrationChangeErrors,
} from '../registration_changes.js'

export const get_site_registration = command({
  doc: "Asks the OP what it has registered for the caller's site, and goes by that from then on. For clients that relyd registered itself.",
  spec: ['RFC 7592 2.1'],
  // The OP may replace the token of it with each answer.
  retry: 'never',
  asks_op: true,
  params: { oxd_id },
  result: {
    oxd_id: required(string({ doc: 'The site.' })),
    client_metadata: required(
      object({ doc: 'What the OP has registered, without secrets.', spec: 'RFC 7591 3.2.1' }),
    ),
    changed: strings({
      doc: 'Metadata that the OP has registered otherwise than it was asked for, by its names.',
    }),
  },
  errors: [...registrationChangeErrors],
  async run(context, site) {
    const { oxd_id } = site
    const read = await readRegistrationAtOp(atSitesCost(context), site)
    const changed = changedMembers(read)
    // Where the OP lets relyd in is nothing to the site.
    const { registration_client_uri: _, ...client_metadata } = read.client
    return { oxd_id, client_metadata, ...(changed.length > 0 && { changed }) }
  },
})
