import { hashBinding, isHttps, makeBinding } from '../binding.js'
import {
  command,
  integer,
  object,
  oxd_id,
  required,
  string,
  stringMap,
  strings,
} from '../command.js'
import { authorizationUrl } from '../op/authorization.js'
import { providerOf } from '../op/client.js'
import { optionsOf } from '../op/op_options.js'
import { quotaExceeded } from '../quota.js'
import { randomToken } from '../random.js'
import { makeExpiringId } from '../store/expiring_id.js'

export const get_authorization_url = command({
  doc: 'Starts a login: answers the address to send the browser to, and the cookie that ties the login to this browser. Send both in one response: the redirect and `Set-Cookie`.',
  spec: ['OIDC Core 3.1.2.1', 'RFC 6749 4.1.1', 'RFC 7636 4.3'],
  retry: 'safe',
  params: {
    oxd_id,
    scope: strings({
      doc: "Scopes to ask for instead of the site's own; openid is added if missing.",
      spec: 'OIDC Core 5.4',
    }),
    acr_values: strings({
      doc: 'Authentication contexts, in order of preference.',
      spec: 'OIDC Core 3.1.2.1',
    }),
    prompt: string({
      doc: '`none`, or any of `login`, `consent`, `select_account`, `create`, separated by a space.',
      spec: 'OIDC Core 3.1.2.1',
    }),
    max_age: integer({
      doc: 'Seconds since the End-User last authenticated, at most. It is checked when the login comes back.',
      spec: 'OIDC Core 3.1.2.1',
    }),
    login_hint: string({ doc: 'Who is about to log in.', spec: 'OIDC Core 3.1.2.1' }),
    ui_locales: strings({ doc: "Languages of the OP's pages.", spec: 'OIDC Core 3.1.2.1' }),
    claims: object({ doc: 'Single claims to ask for.', spec: 'OIDC Core 5.5' }),
    return_to: string({
      doc: 'Where the site sends the browser after the login. relyd does not look at it: it comes back with the tokens, and to nobody else.',
      maxLength: 2048,
      secret: 'address',
    }),
    custom_parameters: stringMap({
      doc: 'Further parameters for the OP. They cannot set what the protocol sets itself.',
    }),
  },
  result: {
    authorization_url: required(string({ doc: 'Where to send the browser.' })),
    state: required(string({ doc: 'Names this login.', spec: 'RFC 6749 4.1.1' })),
    binding: required(
      string({
        doc: "Ties the login to the browser. `set_cookie` carries it; a site that keeps it otherwise passes it to the callback's command.",
        secret: true,
      }),
    ),
    set_cookie: required(
      string({
        doc: 'Value of a `Set-Cookie` header that leaves the binding with the browser.',
        secret: 'cookies',
      }),
    ),
  },
  errors: [
    'invalid_oxd_id',
    'no_connect_discovery_response',
    'invalid_op_metadata',
    'op_host_not_allowed',
  ],
  async run({ realm, op, store, clock, settings, refuse }, site, params) {
    const { metadata, issuer } = await providerOf(op, site)
    const options = optionsOf(op.options, site.op_host)
    const is_posted = options?.response_mode === 'form_post'
    const has_binding = site.settings.login_binding !== 'none'
    if (is_posted && has_binding && !isHttps(site.redirect_uri)) {
      return refuse(
        'invalid_request',
        `logins at ${site.op_host} come back as a POST from there ([op ${options.name}] of relyd.cfg), with which browsers send the login's cookie over https only; give the site an https redirect URI`,
        { details: { field: 'authorization_redirect_uri' } },
      )
    }
    const state = makeExpiringId(clock() + settings.login_lifetime)
    const nonce = randomToken(24)
    const code_verifier = randomToken(32)
    const values = { state, nonce, code_verifier }
    const authorization_url = authorizationUrl(site, metadata, params, values, options)
    const { binding, set_cookie } = makeBinding(
      site.redirect_uri,
      state,
      settings.login_lifetime,
      is_posted,
    )
    const put = await store.putLogin(
      {
        state,
        oxd_id: site.oxd_id,
        issuer,
        redirect_uri: site.redirect_uri,
        binding_hash: has_binding ? hashBinding(binding) : null,
        max_age: params.max_age ?? null,
        secrets: {
          nonce,
          code_verifier,
          client_id: site.client.client_id,
          ...(params.return_to !== undefined && { return_to: params.return_to }),
        },
      },
      realm.quotas,
    )
    if (put === 'no_site') return refuse('invalid_oxd_id', 'the site was removed meanwhile')
    if (put !== 'stored') throw quotaExceeded(realm, put)
    return { authorization_url, state, binding, set_cookie }
  },
})
