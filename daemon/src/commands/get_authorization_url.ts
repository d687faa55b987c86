import { hashBinding, isHttps, makeBinding } from '../binding.js'
import {
  boolean,
  command,
  integer,
  object,
  oneOf,
  oxd_id,
  required,
  string,
  stringMap,
  strings,
  token,
} from '../command.js'
import type { Context } from '../context.js'
import { checkApart, placeOf } from '../op/arrival.js'
import { askFor, responseWishOf } from '../op/authorization.js'
import { providerOf } from '../op/client.js'
import { defaultMaxAge, untoldMaxAge } from '../op/demands.js'
import { optionsOf } from '../op/op_options.js'
import {
  checkRegisteredType,
  checkResponseWish,
  checkTransport,
  responseModes,
  responseTypes,
} from '../op/response_type.js'
import { quotaExceeded } from '../quota.js'
import { randomToken } from '../random.js'
import { sessionOf } from '../sessions.js'
import { makeExpiringId } from '../store/expiring_id.js'
import type { Site } from '../store/store.js'

export const get_authorization_url = command({
  doc: 'Starts a login: answers the address to send the browser to, and the cookie that ties the login to this browser. Send both in one response: the redirect and `Set-Cookie`.',
  spec: ['OIDC Core 3.1.2.1', 'RFC 6749 4.1.1', 'RFC 7636 4.3'],
  retry: 'safe',
  // Of a site whose client secret has expired: for another one.
  asks_op: true,
  params: {
    oxd_id,
    scope: strings({
      doc: "Scopes to ask for instead of the site's own; openid is added if missing. With offline_access, some OPs give a refresh token only if prompt has consent, others without: relyd adds no prompt by itself.",
      spec: 'OIDC Core 5.4, 11',
    }),
    acr_values: strings({
      doc: 'Authentication contexts, in order of preference.',
      spec: 'OIDC Core 3.1.2.1',
    }),
    require_acr: boolean({
      doc: 'Whether the login fails unless the End-User was authenticated in one of acr_values, which alone are a wish. It asks the OP by `claims`, where its metadata says that it knows them, and is checked when the login comes back. Default: false.',
      spec: 'OIDC Core 5.5.1.1',
    }),
    prompt: string({
      doc: '`none`, or any of `login`, `consent`, `select_account`, `create`, separated by a space.',
      spec: 'OIDC Core 3.1.2.1',
    }),
    max_age: integer({
      doc: 'Seconds since the End-User last authenticated, at most. It is checked when the login comes back.',
      spec: 'OIDC Core 3.1.2.1',
    }),
    display: oneOf({ doc: "How the OP's pages are shown.", spec: 'OIDC Core 3.1.2.1' }, [
      'page',
      'popup',
      'touch',
      'wap',
    ]),
    login_hint: string({ doc: 'Who is about to log in.', spec: 'OIDC Core 3.1.2.1' }),
    session_id: string({
      doc: 'A session whose End-User shall log in again, as for a stronger `acr`: its ID Token goes along as id_token_hint, and the login fails if another End-User comes back. The session itself stays as it is.',
      spec: 'OIDC Core 3.1.2.1',
      secret: true,
    }),
    id_token_hint: token({
      doc: 'An ID Token instead, if the site has one. Nobody else than its `sub` may come back; of one that is encrypted for the OP, relyd cannot tell, and leaves that to the OP.',
      spec: 'OIDC Core 3.1.2.1',
    }),
    ui_locales: strings({ doc: "Languages of the OP's pages.", spec: 'OIDC Core 3.1.2.1' }),
    claims_locales: strings({ doc: 'Languages of the claims.', spec: 'OIDC Core 5.2' }),
    claims: object({
      doc: 'Single claims to ask for. What is asked of the ID Token is checked when the login comes back: `sub` with a value or values, `acr` as essential, `auth_time` as essential.',
      spec: 'OIDC Core 5.5',
    }),
    registration: object({
      doc: 'What a self-issued OP shall know of the site; other OPs look at their own registration, or refuse it.',
      spec: 'OIDC Core 7.2.1',
    }),
    response_type: oneOf(
      {
        doc: "What the OP answers with, instead of the site's own response_type. Those with `token` need the realm's front_channel_access_tokens.",
        spec: 'OIDC Core 3',
      },
      responseTypes,
    ),
    response_mode: oneOf(
      {
        doc: "How the answer comes back, instead of the site's own response_mode: in the callback's query or fragment, or as a form that is posted to it (https only).",
        spec: 'OAuth Response Modes 2.1',
      },
      responseModes,
    ),
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
    'invalid_session_id',
    'no_connect_discovery_response',
    'invalid_op_metadata',
    'op_host_not_allowed',
    'invalid_authorization_redirect_uri',
  ],
  async run(context, site, params) {
    const { realm, op, store, clock, settings, refuse } = context
    const provider = await providerOf(op, site)
    const { metadata, issuer } = provider
    await checkApart(store, op, provider, site.realm, [site.redirect_uri], placeOf(site))
    const options = optionsOf(op.options, site.op_host)
    const wish = responseWishOf(site, params, options)
    // What relyd.cfg says of the OP is the operator's word against its metadata.
    if (wish.response_type !== 'code' || wish.response_mode !== options?.response_mode) {
      checkResponseWish(wish, metadata, realm)
    }
    checkRegisteredType(wish.response_type, site.client['response_types'])
    checkTransport(wish.response_type, site.redirect_uri)
    const is_posted = wish.response_mode === 'form_post'
    const has_binding = site.settings.login_binding !== 'none'
    if (is_posted && has_binding && !isHttps(site.redirect_uri)) {
      return refuse(
        'invalid_request',
        options?.response_mode === 'form_post'
          ? `logins at ${site.op_host} come back as a POST from there ([op ${options.name}] of relyd.cfg), with which browsers send the login's cookie over https only; give the site an https redirect URI`
          : "with response_mode form_post a login comes back as a POST from the OP, with which browsers send the login's cookie over https only; give the site an https redirect URI, or take another mode",
        { details: { field: 'authorization_redirect_uri' } },
      )
    }
    const max_age = params.max_age ?? untoldMaxAge(site)
    const wanted = max_age === undefined ? params : { ...params, max_age }
    const request = wanted.session_id === undefined ? wanted : await withHint(context, site, wanted)
    const state = makeExpiringId(clock() + settings.login_lifetime)
    const nonce = randomToken(24)
    const code_verifier = randomToken(32)
    const asked = askFor(site, metadata, request, { state, nonce, code_verifier }, options)
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
        max_age: max_age ?? null,
        secrets: {
          nonce,
          code_verifier,
          client_id: site.client.client_id,
          ...(params.return_to !== undefined && { return_to: params.return_to }),
          ...((max_age ?? defaultMaxAge(site)) === 0 && { began_at: clock() }),
          ...asked.kept,
        },
      },
      realm.quotas,
    )
    if (put === 'no_site') return refuse('invalid_oxd_id', 'the site was removed meanwhile')
    if (put !== 'stored') throw quotaExceeded(realm, put)
    return { authorization_url: asked.authorization_url, state, binding, set_cookie }
  },
})

/** The request with the ID Token of its session, which a site whose tokens the daemon keeps does not have. */
async function withHint<R extends { session_id?: string; id_token_hint?: string }>(
  context: Context<'invalid_session_id'>,
  site: Site,
  request: R,
): Promise<R> {
  if (request.id_token_hint !== undefined) {
    return context.refuse('invalid_request', 'give either session_id or id_token_hint', {
      details: { field: 'session_id' },
    })
  }
  const { secrets } = await sessionOf(context, site, request.session_id ?? '')
  return { ...request, id_token_hint: secrets.id_token }
}
