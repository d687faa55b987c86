/** What a site may wish of relyd, whoever registers it: checked, and as it is stored. */
import { oneOf, string, strings } from './command.js'
import { CommandError } from './errors.js'
import type { Log } from './log.js'
import { metadataFields } from './op/client_metadata.js'
import { DEFAULT_SCOPE } from './op/registration_request.js'
import { responseModes, responseTypes } from './op/response_type.js'
import { isRedirectUri } from './redirect_address.js'
import { refused } from './refused.js'
import type { SiteSettings } from './store/store.js'

/** As a site asks for them itself, and as its operator does. */
export const settingFields = {
  post_logout_redirect_uri: string({
    doc: 'Where the OP sends the browser after a logout.',
    spec: 'OIDC RP-Initiated Logout 3.1',
  }),
  scope: strings({
    doc: 'Scopes of a login that names none. Default: openid, profile, email.',
    spec: 'OIDC Core 5.4',
  }),
  acr_values: strings({
    doc: 'Authentication contexts of a login that names none, in order of preference.',
    spec: 'OIDC Core 3.1.2.1',
  }),
  ui_locales: strings({
    doc: "Languages of the OP's pages for a login that names none.",
    spec: 'OIDC Core 3.1.2.1',
  }),
  claims_locales: strings({ doc: 'Languages of the claims.', spec: 'OIDC Core 5.2' }),
  response_type: oneOf(
    {
      doc: "What logins that name none ask the OP to answer with. Those with `token` bring access tokens through the browser, and need the realm's front_channel_access_tokens. Default: `code`.",
      spec: 'OIDC Core 3',
    },
    responseTypes,
  ),
  response_mode: oneOf(
    {
      doc: 'How the answer to logins that name none comes back. Default: `query` for `code`, `fragment` for the others.',
      spec: 'OAuth Response Modes 2.1',
    },
    responseModes,
  ),
  client_name: string({ doc: 'Name that the OP shows to End-Users.', spec: 'RFC 7591 2' }),
  login_binding: oneOf(
    {
      doc: '`none` lets a callback complete a login that another browser started. Unsafe: it opens the site to login CSRF. Default: `required`.',
      spec: 'RFC 6749 10.12',
    },
    ['required', 'none'],
  ),
  tokens: oneOf(
    {
      doc: '`daemon` keeps tokens from the site, which works with the session_id; access tokens it gets of get_access_token alone. Default: `site`.',
    },
    ['site', 'daemon'],
  ),
}

/** Settings that have no default. */
const optional = [
  'client_name',
  'acr_values',
  'ui_locales',
  'claims_locales',
  'response_type',
  'response_mode',
  'post_logout_redirect_uri',
] as const satisfies readonly (keyof SiteSettings)[]

/** Settings as they are asked for, and among them the metadata of the registration. */
export type WishedSettings = {
  [S in Exclude<keyof SiteSettings, 'metadata'>]?: SiteSettings[S] | undefined
} & Partial<Record<keyof typeof metadataFields, unknown>>

/** What was wished, and the defaults. */
export function settingsOf(params: WishedSettings): SiteSettings {
  const given = optional.flatMap((name) => (params[name] ? [[name, params[name]] as const] : []))
  const metadata = metadataOf(params)
  return {
    scope: params.scope ?? DEFAULT_SCOPE,
    login_binding: params.login_binding ?? 'required',
    tokens: params.tokens ?? 'site',
    ...Object.fromEntries(given),
    ...(params.setup_client && { setup_client: params.setup_client }),
    ...(params.told_client_id && { told_client_id: params.told_client_id }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  }
}

function metadataOf(params: object): Record<string, unknown> {
  const given = Object.entries(params).filter(
    ([name, value]) => Object.hasOwn(metadataFields, name) && value !== undefined,
  )
  // An empty list wishes for nothing.
  return Object.fromEntries(given.filter(([, value]) => !(Array.isArray(value) && !value.length)))
}

/** Settings and metadata that a site need not have, by the names of their parameters. */
export const unsettable = [
  ...optional,
  ...(Object.keys(metadataFields) as (keyof typeof metadataFields)[]),
] as const

/**
 * Settings with some of them changed.
 *
 * @param params what is given replaces what was; of `metadata`, the whole
 * @param unset what shall be there no more
 * @throws CommandError `invalid_request` for what is given and unset at once, and for an empty list
 */
export function changedSettings(
  before: SiteSettings,
  params: WishedSettings,
  unset: readonly (typeof unsettable)[number][] = [],
): SiteSettings {
  for (const [name, value] of Object.entries(params)) {
    if (!Array.isArray(value) || value.length > 0) continue
    const isOptional = (unsettable as readonly string[]).includes(name)
    const cure = isOptional ? `; give it in unset, if there shall be none` : '; name one at least'
    throw refused(name, `is empty${cure}`)
  }
  const { metadata, wished_scope, redirect_uris, moved_at, ...rest } = before
  const merged: WishedSettings = {
    ...rest,
    ...metadata,
    ...(wished_scope && { scope: wished_scope }),
    ...withoutUndefined(params),
  }
  for (const name of unset) {
    if (params[name] !== undefined) throw refused('unset', `names ${name}, which is given too`)
    delete merged[name]
  }
  return {
    ...settingsOf(merged),
    ...(redirect_uris && { redirect_uris }),
    ...(moved_at !== undefined && { moved_at }),
  }
}

function withoutUndefined(params: object): object {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined))
}

/** Bytes that the texts of a site may have in all, as JSON. */
const TEXTS_BYTES = 64 * 1024

/** Whether they are more than a site may have. */
export function areTooLong(texts: object): boolean {
  return Buffer.byteLength(JSON.stringify(texts)) > TEXTS_BYTES
}

/**
 * What one site may make everybody carry: each command of the site reads it, and the operator's lists.
 *
 * @param texts of a registration, by their parameters
 * @throws CommandError `invalid_request`, naming the longest
 */
export function checkLength(texts: object): void {
  if (!areTooLong(texts)) return
  const length = ([, value]: [string, unknown]) => JSON.stringify(value)?.length ?? 0
  const [[field] = ['']] = Object.entries(texts).sort((a, b) => length(b) - length(a))
  throw new CommandError(
    'invalid_request',
    `${field} is too long: all that is said of a site may have ${TEXTS_BYTES} bytes`,
    { details: { field } },
  )
}

/** Tells the log of what makes a site unsafe. */
export function warnOfUnsafe(log: Log, oxd_id: string, { login_binding }: SiteSettings): void {
  if (login_binding !== 'none') return
  log.warn({ site: oxd_id.slice(0, 8) }, 'login_binding = none: open to login CSRF')
}

/**
 * RFC 6749 3.1.2: absolute, without fragment.
 *
 * @throws CommandError `invalid_authorization_redirect_uri`
 */
export function checkRedirectUri(uri: string | undefined, field: string): void {
  if (uri === undefined || isRedirectUri(uri)) return
  throw new CommandError(
    'invalid_authorization_redirect_uri',
    `${field} must be an absolute http(s) URL without fragment`,
    { details: { field } },
  )
}
