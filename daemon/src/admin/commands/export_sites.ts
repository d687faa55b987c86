import { integer, records, required, string } from '../../command.js'
import { adminCommand } from '../admin_command.js'
import { PAGE_BYTES } from '../shown_in_part.js'
import { entryFields, exportedSite } from '../site_entry.js'
import { realmParam } from '../site_params.js'

/** Sites of an answer at most: each may have a chain of certificates. */
const PAGE = { rows: 50, bytes: PAGE_BYTES }

export const export_sites = adminCommand({
  doc: 'The sites that the operator added, as import_sites takes them on another host, in pages. Secrets are not among it: they move with a backup, or are given anew.',
  spec: [],
  params: {
    realm: realmParam,
    after: string({ doc: '`next` of the page before.', maxLength: 64 }),
  },
  result: {
    sites: required(records({ doc: 'Those of this page.' }, entryFields)),
    left_out: required(
      integer({
        doc: 'How many of this page registered themselves, or were registered by relyd: on another host they do so anew. Among them are those of before relyd bounded what a site may have, if they have more.',
      }),
    ),
    next: string({ doc: 'Where the next page begins; absent on the last.' }),
  },
  errors: [],
  async run({ store }, { realm, after = '' }) {
    const { rows, more } = await store.listSites(after, PAGE)
    const next = more ? rows.at(-1)?.oxd_id : undefined
    const wanted = rows.filter((site) => realm === undefined || site.realm === realm)
    const sites = wanted.flatMap((site) => exportedSite(site) ?? [])
    return { sites, left_out: wanted.length - sites.length, ...(next !== undefined && { next }) }
  },
})
