/** Links from citations, as the code writes them, to the specifications. */

const openid: [prefix: string, page: string, anchor: string][] = [
  ['OIDC Core', 'openid-connect-core-1_0.html', '#section-'],
  ['OIDC Discovery', 'openid-connect-discovery-1_0.html', '#section-'],
  ['OIDC Registration', 'openid-connect-registration-1_0.html', '#section-'],
  ['OIDC Front-Channel Logout', 'openid-connect-frontchannel-1_0.html', '#section-'],
  ['OIDC RP-Initiated Logout', 'openid-connect-rpinitiated-1_0.html', '#section-'],
]

const UMA_GRANT = 'https://docs.kantarainitiative.org/uma/wg/rec-oauth-uma-grant-2.0.html'

/** @throws when a citation has no known form, so that none stays without a link */
export function specLink(citation: string): string {
  const rfc = /^RFC (\d+) ([\d.]+)$/.exec(citation)
  if (rfc) return `https://www.rfc-editor.org/rfc/rfc${rfc[1]}.html#section-${rfc[2]}`
  const uma = /^UMA Grant ([\d.]+)$/.exec(citation)
  if (uma) return `${UMA_GRANT}#rfc.section.${uma[1]}`
  for (const [prefix, page, anchor] of openid) {
    if (citation.startsWith(`${prefix} `)) {
      return `https://openid.net/specs/${page}${anchor}${citation.slice(prefix.length + 1)}`
    }
  }
  throw new Error(`no link is known for the citation "${citation}"`)
}

/** A citation as a Markdown link. */
export function specReference(citation: string): string {
  return `[${citation}](${specLink(citation)})`
}
