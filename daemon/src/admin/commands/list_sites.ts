import { required, string } from '../../command.js'
import { adminCommand } from '../admin_command.js'
import { PAGE_BYTES } from '../shown_in_part.js'
import { realmParam } from '../site_params.js'
import { describeSite, siteRecords } from '../site_result.js'

/** Sites of an answer at most. */
const PAGE = { rows: 200, bytes: PAGE_BYTES }

export const list_sites = adminCommand({
  doc: 'The sites of all realms, without secrets, in pages.',
  spec: [],
  params: {
    realm: realmParam,
    after: string({ doc: '`next` of the page before.', maxLength: 64 }),
  },
  result: {
    sites: required(siteRecords('Those of this page, which may be few, or none, of the realm.')),
    next: string({ doc: 'Where the next page begins; absent on the last.' }),
  },
  errors: [],
  async run({ store }, { realm, after = '' }) {
    const { rows, more } = await store.listSites(after, PAGE)
    const next = more ? rows.at(-1)?.oxd_id : undefined
    const sites = rows.filter((site) => realm === undefined || site.realm === realm)
    return { sites: sites.map(describeSite), ...(next !== undefined && { next }) }
  },
})
