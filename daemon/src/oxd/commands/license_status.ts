import { boolean, integer, required, string, strings } from '../../command.js'
import { oxdCommand } from '../oxd_command.js'

export const license_status = oxdCommand({
  doc: 'Answers that all is well, to clients of the time when oxD wanted a licence. relyd needs none.',
  since: '2.4.1',
  unprotected: true,
  params: {},
  result: {
    valid: required(boolean({ doc: 'Always true.' })),
    thread_count: required(integer({ doc: 'What a licence allowed; enough for anybody.' })),
    name: required(string({ doc: 'Of the licence that is not needed.' })),
    features: required(strings({ doc: 'None that would have to be paid for.' })),
  },
  async run() {
    return { valid: true, thread_count: 9999, name: 'relyd', features: [] }
  },
})
