import { listOf, string, type Values } from '../../command.js'
import { CommandError } from '../../errors.js'
import { redirectUriFor } from '../../op/arrival.js'
import { checkRegistration } from '../../op/client.js'
import { issuedClient } from '../../op/client_credential.js'
import { checkLength, checkRedirectUri, settingsOf, warnOfUnsafe } from '../../site_settings.js'
import type { Site } from '../../store/store.js'
import { adminCommand } from '../admin_command.js'
import { selectErrors, selectSite, servedRealm, wholeSite } from '../select_site.js'
import {
  checkName,
  credentialOf,
  credentialParams,
  pick,
  settingParams,
  siteParams,
} from '../site_params.js'
import { authMethodOf, describeOneSite, oneSiteResult, redirectUrisOf } from '../site_result.js'

/** Settings that a site need not have. */
const optional = [
  'post_logout_redirect_uri',
  'acr_values',
  'ui_locales',
  'claims_locales',
  'client_name',
] as const

const params = {
  ...siteParams,
  name: string({ doc: 'Its new name.' }),
  ...credentialParams,
  ...settingParams,
  unset: listOf({ doc: 'Settings that it shall not have any more.' }, optional),
}

type Params = Values<typeof params>

export const update_site = adminCommand({
  doc: 'Changes a site, all of what is given or nothing. Logins under way go on, with the credentials that it has by then. The OP is told nothing: what it must know, its operator changes there.',
  spec: ['OIDC Core 9'],
  params,
  result: oneSiteResult,
  errors: [
    ...selectErrors,
    'invalid_authorization_redirect_uri',
    'site_exists',
    'site_changed',
    'op_host_not_allowed',
    'no_connect_discovery_response',
    'invalid_op_metadata',
    'op_unreachable',
    'op_error',
    'invalid_op_response',
  ],
  async run(context, params) {
    const { store, sites, clock, refuse } = context
    if (Object.keys(params).every((name) => name in siteParams)) {
      return refuse('invalid_request', 'nothing is given that shall change')
    }
    const listed = await selectSite(context, params)
    const stored = await wholeSite(context, listed)
    const { name } = params
    const redirect_uris = params.redirect_uris?.map((uri) => redirectUriFor(uri, stored.issuer))
    if (name !== undefined) checkName(name)
    if (redirect_uris?.length === 0) {
      return refuse('invalid_request', 'redirect_uris is empty; give one at least')
    }
    checkLength(pick(settingParams, params))
    for (const uri of redirect_uris ?? []) checkRedirectUri(uri, 'redirect_uris')
    checkRedirectUri(params.post_logout_redirect_uri, 'post_logout_redirect_uri')
    const changed: Site = {
      ...stored,
      ...changedClient(stored, { ...params, ...(redirect_uris && { redirect_uris }) }, clock()),
      redirect_uri: redirect_uris?.[0] ?? stored.redirect_uri,
      settings: changedSettings(stored, params),
      name: name ?? stored.name ?? null,
      updated_at: clock(),
    }
    // Its cached client is of the old object.
    if (isClientGiven(params))
      await checkRegistration(servedRealm(context, stored.realm).op, changed)
    const outcome = await store.updateSite(changed)
    if (outcome === 'name_taken') {
      return refuse('site_exists', `the realm ${stored.realm} has a site ${name} already`)
    }
    if (outcome === 'changed') {
      return refuse('site_changed', 'somebody else changed or removed the site just now')
    }
    sites.forget(changed)
    warnOfUnsafe(context.log, changed.oxd_id, changed.settings)
    return describeOneSite(await selectSite(context, { site: changed.oxd_id }))
  },
})

function isClientGiven(params: Params): boolean {
  const { redirect_uris, id_token_signed_response_alg } = params
  const given = [
    redirect_uris,
    id_token_signed_response_alg,
    ...Object.values(pick(credentialParams, params)),
  ]
  return given.some((one) => one !== undefined)
}

/** What is the OP's matter as much as ours. */
function changedClient(
  stored: Site,
  params: Params,
  now: number,
): Pick<Site, 'client' | 'secrets'> {
  if (!isClientGiven(params)) return stored
  if (stored.registered_by === 'relyd') {
    throw new CommandError(
      'invalid_request',
      'relyd registered this client itself, and the OP would not know of the change; remove the site and add it anew',
    )
  }
  const { client } = stored
  const method = authMethodOf(client)
  const credential = credentialOf(pick(credentialParams, params), () =>
    method === 'client_secret_post' ? method : 'client_secret_basic',
  )
  const issued = credential ? issuedClient(client.client_id, credential, now) : stored
  const listed = { ...stored, sessions: 0 }
  const alg = params.id_token_signed_response_alg ?? client.id_token_signed_response_alg
  return {
    secrets: issued.secrets,
    client: {
      ...issued.client,
      redirect_uris: params.redirect_uris
        ? [...new Set(params.redirect_uris)]
        : redirectUrisOf(listed),
      ...(alg !== undefined && { id_token_signed_response_alg: alg }),
    },
  }
}

function changedSettings({ settings }: Site, params: Params): Site['settings'] {
  const merged = { ...settings, ...pick(settingParams, params) }
  for (const name of params.unset ?? []) delete merged[name]
  return settingsOf(merged)
}
