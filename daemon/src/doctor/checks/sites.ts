/** Whether the sites' redirect addresses and client secrets are, and stay, good for a login. */
import type { Seconds } from '../../clock.js'
import { bounded } from '../../errors.js'
import { isAtLoopback, isInTheClear } from '../../redirect_address.js'
import { type Finding, fault, note, warning } from '../finding.js'
import type { SiteView } from '../store_view.js'
import type { World } from '../world.js'

const DAY: Seconds = 24 * 60 * 60
const SOON = 30 * DAY

export async function sites({ config, store, now }: World): Promise<Finding[]> {
  const { sites: all } = await store
  return [
    ...all.flatMap((site) => [...ofAddress(site), ...ofSecret(site, now)]),
    ...ofRealms(all, new Set(config.realms.keys())),
    ...ofSharedAddresses(all),
  ]
}

function ofAddress(site: SiteView): Finding[] {
  const { redirect_uri } = site
  const about = nameOf(site)
  if (!URL.canParse(redirect_uri)) {
    return [fault(about, `its redirect address ${bounded(redirect_uri)} is no URL`, change(site))]
  }
  const url = new URL(redirect_uri)
  if (isInTheClear(url)) {
    const why = `its logins come back to ${bounded(redirect_uri)} without TLS, where codes can be read on their way`
    return [fault(about, why, change(site))]
  }
  if (!isAtLoopback(url)) return []
  const why = `its logins come back to ${bounded(redirect_uri)}, which is the browser's own computer`
  return [note(about, why, `good for development only; else ${change(site)}`)]
}

/** What gives the site another redirect address. */
function change(site: SiteView): string {
  return site.registered_by === 'operator'
    ? `enter the site's https address at the OP and in its cfg, and: relyd sites update ${selectorOf(site)} --redirect-uri URI`
    : `set authorization_redirect_uri to the site's https address in its cfg, and ${registerAnew(site)}`
}

/** What an operator added, the site itself may not remove. */
function registerAnew({ name }: SiteView): string {
  return name === undefined
    ? 'let it register anew: relyd call remove_site --cfg FILE; the next login registers it'
    : `register anew: relyd sites remove ${name}, and relyd sites add`
}

/** As `relyd sites` takes it. */
function selectorOf({ name, oxd_id }: SiteView): string {
  return name ?? oxd_id.slice(0, 8)
}

function ofSecret(site: SiteView, now: Seconds): Finding[] {
  // RFC 7591 3.2.1: 0 means never.
  const { client_secret_expires_at: until = 0 } = site
  if (until === 0 || until > now + SOON) return []
  const day = new Date(until * 1000).toISOString().slice(0, 10)
  const about = nameOf(site)
  const expired = `its client secret has expired on ${day}: the OP refuses its logins`
  if (site.registered_by === 'relyd') {
    const told = 'journalctl -u relyd | grep "registration not renewed" tells why'
    return until <= now
      ? [
          fault(
            about,
            `${expired}, and relyd could not renew it`,
            `${told}; else ${registerAnew(site)}`,
          ),
        ]
      : [
          note(
            about,
            `its client secret expires on ${day}; relyd renews it before`,
            `if not, ${told}`,
          ),
        ]
  }
  const cure = `get a new secret of the OP, and: relyd sites update ${selectorOf(site)} --client-secret-file FILE`
  return until <= now
    ? [fault(about, expired, cure)]
    : [warning(about, `its client secret expires on ${day}`, cure)]
}

function ofRealms(all: readonly SiteView[], served: ReadonlySet<string>): Finding[] {
  const gone = new Set(all.map(({ realm }) => realm).filter((realm) => !served.has(realm)))
  return [...gone].map((realm) => {
    const count = all.filter((site) => site.realm === realm).length
    const why = `no listener serves it, and it has ${count} ${count === 1 ? 'site' : 'sites'}, which cannot log anybody in`
    return warning(`realm ${realm}`, why, `add a listener with "realm = ${realm}" to relyd.cfg`)
  })
}

/** OAuth 2.0 Security BCP (RFC 9700) 4.4: one address for several OPs needs `iss` in the callback. */
function ofSharedAddresses(all: readonly SiteView[]): Finding[] {
  const issuers = new Map<string, Set<string>>()
  const silent = new Map<string, Set<string>>()
  for (const { realm, redirect_uri, issuer, names_itself } of all) {
    const key = `${realm} ${redirect_uri}`
    issuers.set(key, (issuers.get(key) ?? new Set()).add(issuer))
    if (!names_itself) silent.set(key, (silent.get(key) ?? new Set()).add(issuer))
  }
  return [...issuers].flatMap(([key, some]) => {
    if (some.size < 2) return []
    const [realm, address] = key.split(' ', 2) as [string, string]
    const unnamed = [...(silent.get(key) ?? [])]
    if (unnamed.length > 1) {
      const what = `logins of ${unnamed.length} OPs that do not name themselves in their responses come back to ${bounded(address)}: ${bounded(unnamed.join(', '))}; relyd refuses them, for a code of one could be sent to another`
      const cure =
        'give each OP a redirect address of its own, at the OPs and in the cfgs: {op} in it becomes a name of the OP'
      return [fault(`realm ${realm}`, what, cure)]
    }
    const why = `logins of ${some.size} OPs come back to ${bounded(address)}: ${bounded([...some].join(', '))}; callbacks without \`iss\` (get_tokens_by_code) are refused`
    return [
      note(
        `realm ${realm}`,
        why,
        'give each OP a redirect address of its own, or pass the whole callback (get_tokens_by_callback)',
      ),
    ]
  })
}

/** Enough of the oxd_id to tell it from others: on TCP it is a secret. */
function nameOf({ name, oxd_id, redirect_uri, realm }: SiteView): string {
  const host = URL.canParse(redirect_uri) ? new URL(redirect_uri).host : oxd_id.slice(0, 8)
  return `site ${name ?? bounded(host)} (${oxd_id.slice(0, 8)}, realm ${realm})`
}
