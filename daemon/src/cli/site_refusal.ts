/** Tells what the daemon refused in the words of the command line: options instead of parameters. */
import { RefusedError } from './admin_client.js'
import type { SiteOptions } from './site_options.js'

/** The option that gives a parameter of add_site and update_site, where one alone does. */
export const optionOf: Record<string, string> = {
  op_host: '--op',
  realm: '--realm',
  client_id: '--client-id',
  auth_method: '--auth-method',
  client_secret: '--client-secret-file',
  signing_alg: '--signing-alg',
  client_assertion_file: '--client-assertion-file',
  team_id: '--apple-team-id',
  redirect_uris: '--redirect-uri',
  post_logout_redirect_uri: '--post-logout-redirect-uri',
  scope: '--scope',
  acr_values: '--acr-values',
  ui_locales: '--ui-locales',
  response_type: '--response-type',
  response_mode: '--response-mode',
  client_name: '--client-name',
  id_token_signed_response_alg: '--id-token-alg',
  login_binding: '--login-binding',
  tokens: '--tokens',
}

/** Those of the credentials, by which of them was given. */
function credentialOptions(given: SiteOptions): Record<string, string> {
  if (given.appleTeamId ?? given.appleKeyId ?? given.appleKey) {
    return { private_key: '--apple-key', key_id: '--apple-key-id' }
  }
  if (given.tlsCertificate ?? given.tlsKey) {
    return { private_key: '--tls-key', certificate: '--tls-certificate' }
  }
  return { private_key: '--private-key', key_id: '--key-id', certificate: '--certificate' }
}

/** @returns the error, which names options if the daemon refused what they gave */
export function inOptions(error: unknown, given: SiteOptions): unknown {
  if (!(error instanceof RefusedError)) return error
  const { details, error_description } = error.data
  const names = { ...optionOf, ...credentialOptions(given) }
  // A member of a list is told with its place.
  const [field = ''] = String(details?.['field'] ?? '').split('.')
  const told = error_description.replace(/[a-z]+(_[a-z]+)*(\.\d+)?/g, (word, _, place, at) => {
    const [name = ''] = word.split('.')
    // Most names could be no words of a sentence; what is one is the field only where it begins.
    const is_meant = name.includes('_') || (at === 0 && name === field)
    const option = is_meant && Object.hasOwn(names, name) ? names[name] : undefined
    if (option === undefined) return word
    return place === undefined ? option : `${option} (number ${Number(place.slice(1)) + 1})`
  })
  return new RefusedError({ ...error.data, error_description: told })
}
