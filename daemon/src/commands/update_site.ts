import { command, listOf, oxd_id, required, string, strings } from '../command.js'
import { checkApart, lastPlace } from '../op/arrival.js'
import { providerOf } from '../op/client.js'
import { metadataFields } from '../op/client_metadata.js'
import { changedMembers, wishesOf } from '../op/registration_request.js'
import { checkExposure } from '../op/response_type.js'
import { refused } from '../refused.js'
import {
  atSitesCost,
  changeRegistration,
  registrationChangeErrors,
} from '../registration_changes.js'
import { accessFields, accessOf, withAccess } from '../registration_secrets.js'
import { withRedirectUris, withSettings } from '../site_changes.js'
import {
  checkLength,
  checkRedirectUri,
  settingFields,
  unsettable,
  warnOfUnsafe,
} from '../site_settings.js'

export const update_site = command({
  doc: "Changes the caller's site: all of what is given, or nothing. Where the OP must know of it and relyd made the registration, the whole of it is put there anew, and the OP has the last word. A site that the operator of relyd added can be changed by the operator only.",
  spec: ['RFC 7592 2.2'],
  retry: 'never',
  asks_op: true,
  params: {
    oxd_id,
    authorization_redirect_uri: string({
      doc: 'Where the OP sends the browser back to after a login.',
      spec: 'RFC 6749 3.1.2',
    }),
    redirect_uris: strings({
      doc: 'Further redirect URIs, instead of all that there were.',
      spec: 'RFC 7591 2',
    }),
    ...settingFields,
    ...metadataFields,
    ...accessFields,
    unset: listOf({ doc: 'What the site shall not have any more.' }, unsettable),
  },
  result: {
    oxd_id: required(string({ doc: 'The site.' })),
    changed: strings({
      doc: 'Metadata that the OP registered otherwise than it was asked for, by its names.',
      spec: 'RFC 7591 3.2.1',
    }),
    authorization_redirect_uri: string({
      doc: 'Where logins come back to, where that was given with `{op}` in it.',
    }),
  },
  errors: ['invalid_authorization_redirect_uri', ...registrationChangeErrors],
  async run(context, site, params) {
    const { refuse, log } = context
    const { oxd_id, unset, authorization_redirect_uri, redirect_uris, ...settings } = params
    if (site.name) {
      return refuse(
        'invalid_request',
        'the operator added this site; `relyd sites update` changes it',
        { details: { field: 'oxd_id' } },
      )
    }
    if (Object.keys(params).length === 1) {
      return refuse(
        'invalid_request',
        'params have nothing that shall change; give a setting, or name one in unset',
        { details: { field: 'params' } },
      )
    }
    checkRedirectUri(authorization_redirect_uri, 'authorization_redirect_uri')
    for (const uri of redirect_uris ?? []) checkRedirectUri(uri, 'redirect_uris')
    checkRedirectUri(params.post_logout_redirect_uri, 'post_logout_redirect_uri')
    const access = accessOf(params)
    const stray = Object.keys(accessFields).find((name) => name in params)
    if (site.registered_by === 'operator' && stray !== undefined) {
      const why = "is of no use with a client that the OP's operator issued; leave it out"
      throw refused(stray, why)
    }
    if (authorization_redirect_uri !== undefined || redirect_uris) {
      const { redirect_uris: all } = wishesOf(
        withRedirectUris(site, authorization_redirect_uri, redirect_uris),
      )
      const { store, op, realm } = context
      const others = all.filter((uri) => uri !== site.redirect_uri)
      await checkApart(store, op, await providerOf(op, site), realm.name, others, lastPlace(false))
    }
    const updated = await changeRegistration(atSitesCost(context), site, (one) => {
      const moved = withRedirectUris(one, authorization_redirect_uri, redirect_uris)
      const changed = withSettings(moved, settings, unset)
      // It is the last at its new address, however old it is.
      if (changed.redirect_uri !== one.redirect_uri) changed.settings.moved_at = context.clock()
      checkLength({ ...changed.settings, ...changed.settings.metadata })
      checkExposure(changed.settings, context.realm)
      return { ...changed, secrets: withAccess(changed.secrets, access) }
    })
    warnOfUnsafe(log, oxd_id, updated.settings)
    const changed = changedMembers(updated)
    const is_made =
      authorization_redirect_uri !== undefined &&
      updated.redirect_uri !== authorization_redirect_uri
    return {
      oxd_id,
      ...(changed.length > 0 && { changed }),
      ...(is_made && { authorization_redirect_uri: updated.redirect_uri }),
    }
  },
})
