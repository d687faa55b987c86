import { command, integer, oneOf, oxd_id, required, string, strings } from '../command.js'
import { tokenPolicy } from '../token_policy.js'

export const get_site = command({
  doc: "What the daemon knows of the caller's site, without secrets.",
  spec: [],
  retry: 'safe',
  params: { oxd_id },
  result: {
    oxd_id: required(string({ doc: 'The site.' })),
    op_host: required(string({ doc: 'The OP as it was named.' })),
    issuer: required(string({ doc: "The OP's issuer.", spec: 'OIDC Core 2' })),
    client_id: required(string({ doc: "The site's client_id at the OP." })),
    registered_by: required(
      oneOf({ doc: 'Who made the registration at the OP.' }, ['relyd', 'operator']),
    ),
    authorization_redirect_uri: required(string({ doc: 'Where logins come back to.' })),
    post_logout_redirect_uri: string({ doc: 'Where logouts come back to.' }),
    scope: required(strings({ doc: 'Scopes of a login that names none.' })),
    client_name: string({ doc: 'Name that the OP shows.' }),
    token_endpoint_auth_method: string({ doc: 'How the daemon authenticates to the OP.' }),
    client_secret_expires_at: integer({
      doc: "When the registration's secret expires, in seconds since the epoch; 0 never.",
      spec: 'RFC 7591 3.2.1',
    }),
    login_binding: required(oneOf({ doc: 'As registered.' }, ['required', 'none'])),
    tokens: required(oneOf({ doc: 'As registered, or as the realm has it.' }, ['site', 'daemon'])),
    created_at: required(integer({ doc: 'Seconds since the epoch.' })),
  },
  errors: ['invalid_oxd_id'],
  async run({ realm }, site) {
    const { client, settings } = site
    return {
      oxd_id: site.oxd_id,
      op_host: site.op_host,
      issuer: site.issuer,
      client_id: client.client_id,
      registered_by: site.registered_by,
      authorization_redirect_uri: site.redirect_uri,
      scope: settings.scope,
      login_binding: settings.login_binding,
      tokens: tokenPolicy(realm, site),
      created_at: site.created_at,
      ...(settings.post_logout_redirect_uri && {
        post_logout_redirect_uri: settings.post_logout_redirect_uri,
      }),
      ...(settings.client_name && { client_name: settings.client_name }),
      ...(client.token_endpoint_auth_method && {
        token_endpoint_auth_method: client.token_endpoint_auth_method,
      }),
      ...(client.client_secret_expires_at !== undefined && {
        client_secret_expires_at: client.client_secret_expires_at,
      }),
    }
  },
})
