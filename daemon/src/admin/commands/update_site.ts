import { listOf, string, type Values } from '../../command.js'
import { checkRegistration } from '../../op/client.js'
import { isSecretMethod } from '../../op/client_authentication.js'
import { issuedClient } from '../../op/client_credential.js'
import { asksOtherwise } from '../../op/registration.js'
import { wishesOf } from '../../op/registration_request.js'
import { checkExposure } from '../../op/response_type.js'
import { changeRegistration, registrationChangeErrors } from '../../registration_changes.js'
import { answerAlgs, withRedirectUris, withSettings } from '../../site_changes.js'
import { checkLength, checkRedirectUri, unsettable, warnOfUnsafe } from '../../site_settings.js'
import type { Site } from '../../store/store.js'
import { adminCommand } from '../admin_command.js'
import { selectErrors, selectSite, servedRealm, wholeSite } from '../select_site.js'
import {
  type Credentials,
  checkName,
  credentialOf,
  credentialParams,
  pick,
  settingParams,
  siteParams,
  wishedMethod,
} from '../site_params.js'
import { authMethodOf, describeOneSite, oneSiteResult, redirectUrisOf } from '../site_result.js'

const params = {
  ...siteParams,
  name: string({ doc: 'Its new name.' }),
  ...credentialParams,
  ...settingParams,
  unset: listOf({ doc: 'What it shall not have any more.' }, unsettable),
}

type Params = Values<typeof params>

export const update_site = adminCommand({
  doc: 'Changes a site, all of what is given or nothing. Logins under way go on, with the credentials that it has by then. Where relyd registered the client itself, the OP is told first, and has the last word; of another, what the OP must know, its operator changes there.',
  spec: ['OIDC Core 9', 'RFC 7592 2.2'],
  params,
  result: oneSiteResult,
  errors: [
    ...selectErrors,
    'invalid_authorization_redirect_uri',
    'site_exists',
    ...registrationChangeErrors,
  ],
  async run(context, params) {
    const { store, sites, clock, refuse } = context
    if (Object.keys(params).every((name) => name in siteParams)) {
      return refuse(
        'invalid_request',
        'params have nothing that shall change; give a setting, or name one in unset',
        { details: { field: 'params' } },
      )
    }
    const listed = await selectSite(context, params)
    const stored = await wholeSite(context, listed)
    const { redirect_uris, name } = params
    if (name !== undefined) checkName(name)
    if (redirect_uris?.length === 0) {
      return refuse('invalid_request', 'redirect_uris is empty; give one at least')
    }
    checkLength(pick(settingParams, params))
    for (const uri of redirect_uris ?? []) checkRedirectUri(uri, 'redirect_uris')
    checkRedirectUri(params.post_logout_redirect_uri, 'post_logout_redirect_uri')
    const change = (site: Site): Site => changedSite(site, params, clock())
    const changed = change(stored)
    if (params.response_type ?? params.response_mode) {
      checkExposure(changed.settings, servedRealm(context, stored.realm))
    }
    if (stored.registered_by === 'relyd' && asksOtherwise(wishesOf(stored), wishesOf(changed))) {
      const { op } = servedRealm(context, stored.realm)
      await changeRegistration({ ...context, op }, stored, change)
      return describeOneSite(await selectSite(context, { site: stored.oxd_id }))
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
  const given = { ...pick(credentialParams, params), ...answerAlgs({ metadata: params }) }
  return params.redirect_uris !== undefined || Object.keys(given).length > 0
}

function changedSite(stored: Site, params: Params, now: number): Site {
  const { redirect_uris, name, unset } = params
  const is_ours = stored.registered_by === 'relyd'
  const wished = is_ours ? wishedMethod(pick(credentialParams, params)) : {}
  const site = {
    ...stored,
    ...(!is_ours && credentialsOf(stored, params, now)),
    name: name ?? stored.name ?? null,
    updated_at: now,
  }
  const [own, ...others] = redirect_uris ?? []
  const moved = own === undefined ? site : withRedirectUris(site, own, others)
  return withSettings(moved, { ...pick(settingParams, params), ...wished }, unset)
}

/** Of a client that the OP's operator issued. */
function credentialsOf(
  stored: Site,
  params: Params,
  now: number,
): Pick<Site, 'client' | 'secrets'> {
  const { client } = stored
  const method = authMethodOf(stored)
  const credential = credentialOf(withAlg(pick(credentialParams, params), stored), () =>
    isSecretMethod(method) ? method : 'client_secret_basic',
  )
  if (!credential) return stored
  const issued = issuedClient(client.client_id, credential, now)
  return {
    secrets: issued.secrets,
    client: {
      ...issued.client,
      ...answerAlgs({ ...stored.settings, metadata: client }),
      redirect_uris: redirectUrisOf({ ...stored, sessions: 0 }),
    },
  }
}

/** A new secret alone leaves it at what is signed with the secret. */
function withAlg(given: Credentials, { client }: Site): Credentials {
  const { token_endpoint_auth_method: method, token_endpoint_auth_signing_alg: alg } = client
  const is_new_secret = given.client_secret !== undefined && given.auth_method === undefined
  if (!is_new_secret || method !== 'client_secret_jwt' || alg === undefined) return given
  return { signing_alg: alg, ...given }
}
