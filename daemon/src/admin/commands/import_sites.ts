import { boolean, listRecords, oneOf, records, required, string } from '../../command.js'
import { CommandError } from '../../errors.js'
import { readOpHost } from '../../op/op_host.js'
import { quotaExceeded } from '../../quota.js'
import { refused } from '../../refused.js'
import { issuedSite } from '../../registrations.js'
import { checkLength, checkRedirectUri, settingsOf, warnOfUnsafe } from '../../site_settings.js'
import type { Site } from '../../store/store.js'
import { type AdminContext, adminCommand } from '../admin_command.js'
import { checkSame } from '../same_site.js'
import { servedRealm } from '../select_site.js'
import { type ImportedSite, importFields } from '../site_entry.js'
import {
  checkName,
  credentialParams,
  pick,
  requiredCredentialOf,
  settingParams,
} from '../site_params.js'

/** Sites that are checked at once: each may wait for its OP. */
const AT_ONCE = 10

const OXD_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

type ImportContext = AdminContext<'site_changed'>

/** What is to be done of one. */
type Checked = { site: Site; known: boolean } | { problem: CommandError; entry: ImportedSite }

export const import_sites = adminCommand({
  doc: 'Adds what export_sites answered on another host, with the secrets that it lacks: all of them, or none. What is there already, just so, is left as it is.',
  spec: [],
  params: {
    sites: required(
      listRecords(
        { doc: 'Sites as export_sites gives them, and their secrets.', secret: true },
        importFields,
      ),
    ),
    dry_run: boolean({ doc: 'Checks everything and adds nothing. Default: false.' }),
  },
  result: {
    sites: required(
      records(
        { doc: 'What became of each.' },
        {
          name: required(string({ doc: 'Its name.' })),
          realm: required(string({ doc: 'Its realm.' })),
          oxd_id: required(string({ doc: 'The site.' })),
          outcome: required(
            oneOf({ doc: '`added` (in a dry run: would be), or there before.' }, [
              'added',
              'unchanged',
            ]),
          ),
          login_binding: required(
            oneOf({ doc: '`none` is open to login CSRF.' }, ['required', 'none']),
          ),
        },
      ),
    ),
  },
  errors: ['site_changed'],
  async run(context, { sites: entries, dry_run = false }) {
    const checked: Checked[] = []
    for (let at = 0; at < entries.length; at += AT_ONCE) {
      const slice = entries.slice(at, at + AT_ONCE)
      checked.push(...(await Promise.all(slice.map((entry) => check(context, entry)))))
    }
    const problems = checked.flatMap((one) => ('problem' in one ? [one] : []))
    if (problems.length > 0) throw refusalOf(problems)
    const good = checked as Exclude<Checked, { problem: unknown }>[]
    const fresh = good.flatMap(({ site, known }) => (known ? [] : [site]))
    if (!dry_run) {
      await add(context, fresh)
      for (const { oxd_id, settings } of fresh) warnOfUnsafe(context.log, oxd_id, settings)
    }
    return {
      sites: good.map(({ site, known }) => ({
        name: site.name as string,
        realm: site.realm,
        oxd_id: site.oxd_id,
        outcome: known ? ('unchanged' as const) : ('added' as const),
        login_binding: site.settings.login_binding,
      })),
    }
  },
})

async function check(context: ImportContext, entry: ImportedSite): Promise<Checked> {
  try {
    return await checkEntry(context, entry)
  } catch (error) {
    if (error instanceof CommandError) return { problem: error, entry }
    throw error
  }
}

async function checkEntry(context: ImportContext, entry: ImportedSite): Promise<Checked> {
  const { store } = context
  const { name, client_id, redirect_uris } = entry
  checkName(name)
  if (!OXD_ID.test(entry.oxd_id)) throw refused('oxd_id', 'is none of relyd')
  const realm = servedRealm(context, entry.realm)
  if (redirect_uris.length === 0) throw refused('redirect_uris', 'is empty; give one at least')
  checkLength(pick(settingParams, entry))
  for (const uri of redirect_uris) checkRedirectUri(uri, 'redirect_uris')
  checkRedirectUri(entry.post_logout_redirect_uri, 'post_logout_redirect_uri')
  const credential = requiredCredentialOf(
    pick(credentialParams, entry),
    () => 'client_secret_basic',
  )
  const issued = await issuedSite(
    { ...context, realm, op: realm.op },
    readOpHost(realm.op.http, entry.op_host),
    {
      client_id,
      credential,
      redirect_uris: redirect_uris as [string, ...string[]],
      settings: settingsOf(entry),
    },
  )
  if (issued.issuer !== entry.issuer) {
    throw refused('issuer', `is not that of the OP any more, which calls itself ${issued.issuer}`)
  }
  const site: Site = { ...issued, name, oxd_id: entry.oxd_id }
  const named = await store.findSites(name, Number.MAX_SAFE_INTEGER)
  const holder = named.find((one) => one.name === name && one.realm === realm.name)
  if (!holder) return { site, known: false }
  if (holder.oxd_id !== site.oxd_id) {
    throw refused('name', `is that of another site of the realm (${holder.oxd_id.slice(0, 8)})`)
  }
  const stored = await store.getSite(site.oxd_id, realm.name)
  if (stored) checkSame(stored, site)
  return { site, known: stored !== undefined }
}

async function add(context: ImportContext, sites: readonly Site[]): Promise<void> {
  const { store, clock, realms } = context
  const quotasOf = (name: string) => servedRealm(context, name).quotas
  const added = await store.addSites(sites, clock(), quotasOf)
  if (added === 'added') return
  if (added.outcome === 'exceeded') throw quotaExceeded(realms.get(added.realm) as never, added)
  const id = added.oxd_id.slice(0, 8)
  context.refuse(
    'site_changed',
    `nothing was added: two of the sites are the same, or one was added, or removed within the last minutes, by somebody else (${id})`,
  )
}

function refusalOf(problems: Extract<Checked, { problem: unknown }>[]): CommandError {
  const told = problems.map(({ entry, problem }) => ({
    name: entry.name,
    realm: entry.realm,
    error: problem.code,
    error_description: problem.message,
  }))
  const [first] = told
  return new CommandError(
    'invalid_request',
    `nothing was added, as ${told.length} of the sites cannot be; the first: ${first?.name} of ${first?.realm}: ${first?.error_description}`,
    { details: { field: 'sites', problems: told } },
  )
}
