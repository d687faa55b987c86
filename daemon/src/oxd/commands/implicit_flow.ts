import { oxdCommand } from '../oxd_command.js'
import { flowParams, PASSWORDS, refusePasswords } from '../passwords.js'

export const implicit_flow = oxdCommand({
  doc: PASSWORDS,
  since: '2.3',
  params: flowParams,
  result: {},
  run: refusePasswords,
})
