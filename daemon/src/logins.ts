/** A login's second half: from the browser's return to a stored session. */
import { forgetBinding, hashBinding, isHttps, readBinding } from './binding.js'
import type { Seconds } from './clock.js'
import { LIST_LENGTH, STRING_LENGTH } from './command.js'
import type { Context } from './context.js'
import { checkArrival } from './op/arrival.js'
import type { Came } from './op/callback.js'
import { redeem, type Tokens, tokenErrors } from './op/token.js'
import { randomBytes } from './random.js'
import { accessSecrets, hashToken } from './sessions.js'
import { hideExpiringId, makeExpiringId, parseExpiringId, refOf } from './store/expiring_id.js'
import type { Login, Session, Site, TakenLogin } from './store/store.js'

/** Codes that completing a login can end with. */
export const loginErrors = [
  'invalid_oxd_id',
  'invalid_state',
  'invalid_binding',
  ...tokenErrors,
] as const

export interface CompletedLogin {
  session_id: string
  session_ref: string
  tokens: Tokens
  /** As the site gave it when the login began. */
  return_to?: string
  /** Takes the login's cookie from the browser. */
  set_cookie: string
}

type LoginContext = Context<(typeof loginErrors)[number]>

/** What the browser brought: the whole authorization response, and its binding in either form. */
export interface BroughtBack {
  response: URLSearchParams
  /** How all of it came; undefined where parts were picked out of it, and `iss` may merely have been dropped. */
  came: Came | undefined
  /** As the site passed it on, which may tell where it came. */
  callback?: string
  binding?: string
  cookie?: string
  /**
   * The response lacks its `state`. It can then be of one login only: the site's only one that waits
   * and is bound to no browser. If it is of another, PKCE has the OP refuse its code.
   */
  is_only_login?: true
}

/**
 * Takes the pending login, redeems the response and stores the session.
 *
 * @throws CommandError with one of {@link loginErrors}
 */
export async function completeLogin(
  context: LoginContext,
  site: Site,
  brought: BroughtBack,
): Promise<CompletedLogin> {
  const login = await takeLogin(context, site, brought)
  checkArrival(brought.callback, login)
  // The operator may have moved the site meanwhile; the OP wants the address it was asked with.
  const { redirect_uri } = login
  const site_then = redirect_uri === site.redirect_uri ? site : { ...site, redirect_uri }
  const { came } = brought
  if (came === undefined) requireCodeAlone(context, login)
  const response = brought.is_only_login
    ? new URLSearchParams([...brought.response, ['state', login.state]])
    : brought.response
  const parameters =
    came === undefined ? await withIssuer(context, site, login, response) : response
  const tokens = await redeem(context.op, site_then, login, { parameters, came })
  const session_id = await storeSession(context, site, tokens)
  const session_ref = refOf(hideExpiringId(parseExpiringId(session_id) as Buffer))
  const { return_to } = login.secrets
  return {
    session_id,
    session_ref,
    tokens,
    ...(return_to !== undefined && { return_to }),
    set_cookie: forgetBinding(redirect_uri, login.state),
  }
}

async function takeLogin(context: LoginContext, site: Site, brought: BroughtBack): Promise<Login> {
  const { refuse } = context
  const login = brought.is_only_login
    ? await takeOnly(context, site)
    : await takeNamed(context, site, brought)
  // A login belongs to the issuer it was sent to, should the site have moved since.
  if (login === 'unknown' || login.issuer !== site.issuer) {
    return refuse(
      'invalid_state',
      'no login of this site waits for this state: it expired or was completed before; start the login again',
    )
  }
  // RFC 6749 4.1.3: a code is for the client that asked. The operator's change of it is none of ours.
  const { client_id = site.client.client_id } = login.secrets
  if (client_id !== site.client.client_id && site.registered_by === 'relyd') {
    return refuse(
      'invalid_state',
      'the site was registered anew at the OP since this login began; start the login again',
    )
  }
  return login
}

async function takeOnly(
  { store, clock, refuse }: LoginContext,
  site: Site,
): Promise<Login | 'unknown'> {
  const login = await store.takeOnlyLogin(site.oxd_id, clock())
  if (login !== 'several') return login
  return refuse(
    'invalid_request',
    'state is missing, and several logins of this site wait, so that nobody can tell whose code this is; pass the state that the callback brought, or start the login again later',
    { details: { field: 'state' } },
  )
}

async function takeNamed(
  context: LoginContext,
  site: Site,
  brought: BroughtBack,
): Promise<Login | 'unknown'> {
  const { refuse } = context
  const state = brought.response.get('state') ?? ''
  const now = readBinding(brought, site.redirect_uri, state)
  let login = await takeBound(context, site, state, now)
  let then: string | undefined
  if (login === 'wrong_binding' && brought.binding === undefined) {
    // Begun before the site moved between http and https, it has a cookie of the other name.
    then = readBinding(brought, movedFrom(site.redirect_uri), state)
    if (then !== undefined) login = await takeBound(context, site, state, then)
  }
  // The name counts as much as the value: one with __Host- can be of no other host.
  const named = then === undefined ? site.redirect_uri : movedFrom(site.redirect_uri)
  const isMisnamed =
    typeof login === 'object' &&
    login.binding_hash !== null &&
    brought.binding === undefined &&
    isHttps(login.redirect_uri) !== isHttps(named)
  if (login === 'wrong_binding' || isMisnamed) {
    return refuse(
      'invalid_binding',
      now === undefined && then === undefined
        ? "the login's cookie did not come back; pass the request's Cookie header as `cookie`, or the value as `binding`"
        : 'the login was started in another browser',
    )
  }
  return login
}

function takeBound(
  { store, clock }: LoginContext,
  site: Site,
  state: string,
  binding: string | undefined,
): Promise<TakenLogin> {
  const binding_hash = binding === undefined ? null : hashBinding(binding)
  return store.takeLogin(state, site.oxd_id, binding_hash, clock())
}

function movedFrom(redirect_uri: string): string {
  return redirect_uri.replace(/^https?:/i, isHttps(redirect_uri) ? 'http:' : 'https:')
}

/** Of another response, what was not picked out is what had to be checked. */
function requireCodeAlone({ refuse }: LoginContext, { secrets }: Login): void {
  const { response_type } = secrets
  if (response_type === undefined || response_type === 'code') return
  refuse(
    'invalid_request',
    `the login began with response_type ${response_type}, of which the code is a part only; pass the whole callback to get_tokens_by_callback`,
    { details: { field: 'code' } },
  )
}

/**
 * RFC 9207 2.4. A caller of get_tokens_by_code may have dropped `iss`. Where all of a redirect
 * URI's logins go to one issuer, nobody else's response can have arrived there.
 */
async function withIssuer(
  { store, op }: LoginContext,
  site: Site,
  login: Login,
  response: URLSearchParams,
): Promise<URLSearchParams> {
  if (response.has('iss')) return response
  const provider = await op.providers.get(site.op_host)
  if (!provider.metadata.authorization_response_iss_parameter_supported) return response
  const issuers = await store.issuersOfRedirectUri(site.realm, login.redirect_uri)
  if (issuers.length !== 1) return response
  const completed = new URLSearchParams(response)
  completed.set('iss', site.issuer)
  return completed
}

async function storeSession(
  { store, clock, settings }: LoginContext,
  site: Site,
  tokens: Tokens,
): Promise<string> {
  const now = clock()
  const { id_token_claims: claims, access_token, id_token } = tokens
  const session: Session = {
    session_id: makeExpiringId(now + settings.session_lifetime),
    oxd_id: site.oxd_id,
    issuer: claims.iss,
    sub: claims.sub,
    sid: text(claims['sid']),
    acr: text(claims['acr']),
    amr: texts(claims['amr']),
    auth_time: time(claims.auth_time),
    created_at: now,
    // Of a login that brought none, what nobody can have.
    access_token_hash: access_token === undefined ? randomBytes(32) : hashToken(access_token),
    secrets: {
      ...(access_token === undefined
        ? { without_access_token: true as const }
        : accessSecrets({ ...tokens, access_token }, now)),
      id_token,
      id_token_claims: claims,
      ...(tokens.refresh_token !== undefined && { refresh_token: tokens.refresh_token }),
    },
  }
  await store.putSession(session)
  return session.session_id
}

// Of these claims an ID Token may hold anything. What is no such thing is left to `id_token_claims`.

function text(claim: unknown): string | null {
  return typeof claim === 'string' && claim !== '' && claim.length <= STRING_LENGTH ? claim : null
}

function texts(claim: unknown): string[] | null {
  if (!Array.isArray(claim) || claim.length > LIST_LENGTH) return null
  return claim.every((one) => text(one) !== null) ? claim : null
}

/** RFC 7519 2: a NumericDate may have a fraction. */
function time(claim: unknown): Seconds | null {
  const seconds = Math.floor(Number(claim))
  return typeof claim === 'number' && Number.isSafeInteger(seconds) && seconds >= 0 ? seconds : null
}
