/** A site as it is carried to another host: all of it but its secrets. */
import { oneOf, required, string, type Values } from '../command.js'
import { pemOf } from '../op/client_certificate.js'
import { credentialMethods } from '../op/credential_methods.js'
import { keysOf } from '../op/own_keys.js'
import { answerAlgs } from '../site_changes.js'
import { areTooLong } from '../site_settings.js'
import type { ListedSite } from '../store/store.js'
import { credentialParams, settingParams } from './site_params.js'
import { authMethodOf, redirectUrisOf } from './site_result.js'

const { client_secret, private_key, ...publicCredentials } = credentialParams

/** What is exported. */
export const entryFields = {
  name: required(string({ doc: "The operator's name of the site.", maxLength: 64 })),
  realm: required(string({ doc: 'Its realm.', maxLength: 32 })),
  oxd_id: required(string({ doc: 'The site, so that its cfg stays as it is.', maxLength: 64 })),
  op_host: required(string({ doc: 'The OP as it was named.' })),
  issuer: required(string({ doc: "The OP's issuer, which must still be that." })),
  client_id: required(string({ doc: 'Its client_id at the OP.' })),
  ...publicCredentials,
  auth_method: required(
    oneOf({ doc: 'How the daemon authenticates to the OP.' }, credentialMethods),
  ),
  ...settingParams,
  setup_client: string({
    doc: 'For oxd clients: the oxd_id of the site whose access tokens protect its commands, or `self`.',
    maxLength: 64,
  }),
  redirect_uris: required(settingParams.redirect_uris),
}

/** What is imported: the same, with what the file of an export does not hold. */
export const importFields = { ...entryFields, client_secret, private_key }

export type ExportedSite = Values<typeof entryFields>

export type ImportedSite = Values<typeof importFields>

/** @returns undefined for a site that is not carried: it is not the operator's, or no daemon would take it any more */
export function exportedSite(site: ListedSite): ExportedSite | undefined {
  const { client, name } = site
  const { moved_at: _, ...settings } = site.settings
  if (!name || site.registered_by !== 'operator') return undefined
  if (areTooLong({ ...settings, redirect_uris: redirectUrisOf(site) })) return undefined
  const method = authMethodOf(site) as ExportedSite['auth_method']
  const [key] = keysOf(client)
  const signing_alg = client.token_endpoint_auth_signing_alg
  return {
    name,
    realm: site.realm,
    oxd_id: site.oxd_id,
    op_host: site.op_host,
    issuer: site.issuer,
    client_id: client.client_id,
    auth_method: method,
    ...(key && (method === 'private_key_jwt' || method === 'apple') && { key_id: key.kid }),
    ...(signing_alg && /_jwt$/.test(method) && { signing_alg }),
    ...(client.client_assertion_file && { client_assertion_file: client.client_assertion_file }),
    ...(key?.x5c && { certificate: pemOf(key.x5c) }),
    ...(client.apple_team_id && { team_id: client.apple_team_id }),
    redirect_uris: redirectUrisOf(site),
    ...answerAlgs({ ...settings, metadata: client }),
    ...settings,
  }
}
