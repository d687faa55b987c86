/** A site with other redirect URIs and settings, as the OP has yet to hear of them. */
import { redirectUriFor } from './op/arrival.js'
import { wishesOf } from './op/registration_request.js'
import { changedSettings, type unsettable, type WishedSettings } from './site_settings.js'
import type { ClientMetadata, Site, SiteSettings } from './store/store.js'

/**
 * The site with other redirect URIs.
 *
 * @param own absent, it keeps its own
 * @param further absent, it keeps those it had
 */
export function withRedirectUris(
  site: Site,
  own: string | undefined,
  further: readonly string[] | undefined,
): Site {
  if (own === undefined && further === undefined) return site
  const [, ...others] = wishesOf(site).redirect_uris
  const here = [own ?? site.redirect_uri, ...(further ?? others)]
  const all = [...new Set(here.map((uri) => redirectUriFor(uri, site.issuer)))]
  const [redirect_uri = site.redirect_uri] = all
  // Of a client that the OP's operator issued, nobody answers what they are.
  if (site.registered_by === 'operator') {
    return { ...site, redirect_uri, client: { ...site.client, redirect_uris: all } }
  }
  // Also one alone: without it, what the OP has registered so far would be asked for again.
  return { ...site, redirect_uri, settings: { ...site.settings, redirect_uris: all } }
}

/**
 * The site with other settings.
 *
 * @param params what is given replaces what was
 * @param unset what shall be there no more
 */
export function withSettings(
  site: Site,
  params: WishedSettings,
  unset: readonly (typeof unsettable)[number][] = [],
): Site {
  const settings = changedSettings(site.settings, params, unset)
  if (site.registered_by === 'relyd') return { ...site, settings }
  const client: ClientMetadata = { ...site.client, ...answerAlgs(settings) }
  for (const name of unset) if (ANSWER_ALG.test(name)) delete client[name]
  return { ...site, client, settings: withoutMetadata(settings) }
}

const ANSWER_ALG =
  /^((id_token|userinfo)_(signed|encrypted)_response_(alg|enc)|default_max_age|require_auth_time)$/

/**
 * How an OP signs and encrypts what it answers, which of a client that its operator issued must be
 * told, and what its ID Tokens are held against.
 */
export function answerAlgs({
  metadata = {},
}: Pick<SiteSettings, 'metadata'>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(metadata).filter(([name]) => ANSWER_ALG.test(name)))
}

/** Settings of a client that nobody registers. */
export function withoutMetadata({ metadata: _, ...settings }: SiteSettings): SiteSettings {
  return settings
}
