import { adminCommand } from '../admin_command.js'
import { selectErrors, selectSite } from '../select_site.js'
import { siteParams } from '../site_params.js'
import { describeOneSite, oneSiteResult } from '../site_result.js'

export const show_site = adminCommand({
  doc: 'What the daemon knows of a site, without secrets.',
  spec: [],
  params: siteParams,
  result: oneSiteResult,
  errors: selectErrors,
  async run(context, params) {
    return describeOneSite(await selectSite(context, params))
  },
})
