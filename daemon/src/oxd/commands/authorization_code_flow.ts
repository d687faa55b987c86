import { string } from '../../command.js'
import { oxdCommand } from '../oxd_command.js'
import { flowParams, PASSWORDS, refusePasswords } from '../passwords.js'

export const authorization_code_flow = oxdCommand({
  doc: PASSWORDS,
  since: '2.3',
  params: { ...flowParams, acr: string({ doc: 'An authentication context.' }) },
  result: {},
  run: refusePasswords,
})
