import { boolean, object, oxd_id, required } from '../../command.js'
import { refused } from '../../refused.js'
import { oxdCommand } from '../oxd_command.js'
import { siteRecord } from '../site_record.js'

export const get_rp = oxdCommand({
  doc: 'What is known of the site, without its secrets.',
  since: '3.1.4',
  params: {
    oxd_id: { ...oxd_id, required: false as const },
    list: boolean({ doc: 'Refused: whoever knows the oxd_id of a site may speak for it.' }),
  },
  result: {
    node: required(object({ doc: "The site, by the names of oxd's own record." })),
  },
  async run({ refuse }, site, { list }) {
    if (list) {
      return refuse(
        'invalid_request',
        'list is not for the socket of websites, where an oxd_id is all that a site shows; `relyd sites list` lists them to the operator',
        { details: { field: 'list' } },
      )
    }
    if (!site) throw refused('oxd_id', 'is missing')
    return { node: siteRecord(site) as Record<string, unknown> }
  },
})
