import { oxd_id, string, strings } from '../../command.js'
import { oxdCommand } from '../oxd_command.js'
import { PASSWORDS, refusePasswords } from '../passwords.js'

export const get_authorization_code = oxdCommand({
  doc: PASSWORDS,
  since: '2.4.1',
  params: {
    oxd_id,
    username: string({ doc: "The End-User's name." }),
    password: string({ doc: "The End-User's password.", secret: true }),
    state: string({ doc: 'A state of the site.' }),
    nonce: string({ doc: 'A nonce of the site.', secret: true }),
    acr_values: strings({ doc: 'Authentication contexts.' }),
  },
  result: {},
  run: refusePasswords,
})
