/** A site with other redirect URIs and settings, as the OP has yet to hear of them. */

import type { CommandError } from './errors.js'
import { redirectUriFor } from './op/arrival.js'
import { metadataFields } from './op/client_metadata.js'
import { checkWishes, wishesOf } from './op/registration_request.js'
import { refused } from './refused.js'
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
  if (site.registered_by === 'relyd') {
    return { ...site, settings: changedSettings(site.settings, params, unset) }
  }
  const known = answerAlgs({ metadata: site.client })
  const settings = changedSettings({ ...site.settings, metadata: known }, params, unset)
  checkIssued(settings)
  for (const name of unset) if (isRegistered(name)) throw ofNoUse(name)
  checkWishes({ ...wishesOf(site), settings })
  const client: ClientMetadata = { ...site.client }
  for (const name of Object.keys(known)) delete client[name]
  return {
    ...site,
    client: { ...client, ...answerAlgs(settings) },
    settings: withoutMetadata(settings),
  }
}

/**
 * Refuses metadata that nobody hears of: a client that the OP's operator issued is not registered.
 *
 * @throws CommandError `invalid_request`
 */
export function checkIssued({ metadata = {} }: Pick<SiteSettings, 'metadata'>): void {
  const stray = Object.keys(metadata).find(isRegistered)
  if (stray !== undefined) throw ofNoUse(stray)
}

function isRegistered(name: string): boolean {
  return Object.hasOwn(metadataFields, name) && !ANSWER_ALG.test(name)
}

function ofNoUse(name: string): CommandError {
  return refused(
    name,
    `is of no use with a client that the OP's operator issued, for relyd registers nothing then: have it entered at the OP, and leave it out; ${HOW_IT_AUTHENTICATES.test(name) ? 'how it authenticates is said where its credentials are' : 'or leave client_id out, so that relyd registers one'}`,
  )
}

const HOW_IT_AUTHENTICATES = /^token_endpoint_auth_/

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
