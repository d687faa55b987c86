/** A website's login on the web's own Request and Response: for any framework, and for none. */
import type { Client } from '../client.js'
import { CommandError } from '../errors.js'
import { SessionCookie } from './cookies.js'
import { finishLogin, startLogin, startLoginOf } from './login.js'
import { logOut, logoutPage } from './logout.js'
import { NOT_KEPT } from './page.js'
import { readPlaces } from './places.js'
import { readForm } from './posted.js'
import { kindOf } from './request_kind.js'
import { returnAddress } from './return_address.js'
import {
  answerTrouble,
  type LoginParams,
  type Session,
  type Setting,
  type WebsiteOptions,
} from './setting.js'
import { trouble, troubleOf } from './trouble.js'

/**
 * Login, logout and sessions of a website. The browser holds an opaque session id in a cookie, and
 * relyd the session: any number of a site's processes agree on who is logged in.
 *
 * For Express, Fastify and `node:http` there are adapters: `@relyd/sdk/express`, `/fastify`, `/node`.
 *
 * @example
 * ```ts
 * const site = new Website(new Client('/etc/mysite/site.cfg'))
 *
 * async function answer(request: Request): Promise<Response> {
 *   const own = await site.handle(request)
 *   if (own) return own
 *   const session = await site.requireLogin(request)
 *   if (session instanceof Response) return session
 *   return new Response(`Hello, ${session.sub}`, { headers: private_headers })
 * }
 * ```
 */
export class Website {
  /** The website's origin, such as `https://site.example`, by its cfg. */
  readonly origin: string
  /** The paths that {@link handle} answers, exactly so: callback, login, logout. */
  readonly paths: readonly string[]
  /** Those of them to which OPs may have a browser post a form: callback and login. */
  readonly form_paths: readonly string[]
  readonly #setting: Setting
  readonly #sessions = new WeakMap<Request, Promise<Session | undefined>>()

  /**
   * @param client made from the site's cfg, whose `authorization_redirect_uri` says where the
   *   website is and which path the OP sends browsers back to
   * @throws TypeError if an option will not do
   */
  constructor(client: Client, options: WebsiteOptions = {}) {
    const places = readPlaces(client.authorization_redirect_uri, options)
    const cookie = new SessionCookie(places.origin, options.cookie_name)
    this.origin = places.origin
    this.paths = [...places.own_paths]
    this.form_paths = [places.callback_path, places.login_path]
    this.#setting = { client, places, cookie, options }
  }

  /**
   * Answers requests for the login, callback and logout paths.
   *
   * The login's path is the site's `initiate_login_uri` too (OIDC Core 4): with `iss`, which must be
   * its OP, it starts a login for whoever sent the browser there.
   *
   * @param request of its URL only path and query count: behind a proxy, the origin may be another.
   *   Its body is read if it is a form that was posted to callback or login, and else left alone
   * @returns undefined if the request is for another path
   */
  async handle(request: Request): Promise<Response | undefined> {
    const url = new URL(request.url)
    const { places } = this.#setting
    if (places.isCallback(url)) {
      return this.#only(request, ['GET', 'POST'], () =>
        finishLogin(this.#setting, request, () => this.session(request)),
      )
    }
    if (url.pathname === places.login_path) {
      return this.#only(request, ['GET', 'POST'], () => this.#login(request, url))
    }
    if (url.pathname === places.logout_path) {
      return this.#only(request, ['GET', 'HEAD', 'POST'], async () =>
        request.method === 'POST' ? logOut(this.#setting, request) : logoutPage(this.#setting),
      )
    }
    return undefined
  }

  /**
   * Who is logged in. relyd is asked once for a request. A page made with it should not be cached:
   * send {@link private_headers} along.
   *
   * @returns undefined for nobody: no cookie, or a session that expired or was ended
   * @throws {CommandError | TransportError} if that cannot be known now
   */
  session(request: Request): Promise<Session | undefined> {
    const known = this.#sessions.get(request)
    if (known) return known
    const found = this.#find(request)
    this.#sessions.set(request, found)
    return found
  }

  /**
   * Lets nobody pass who is not logged in: a page's visitor is sent to the OP and comes back to
   * that page; a script (XHR, `fetch`) gets 401 with `{"error":"login_required"}`, and a form 401
   * with a page that says so. A form's content is never kept or sent again.
   *
   * @returns the session, or what to answer instead; 503 if relyd cannot be asked
   */
  async requireLogin(request: Request): Promise<Session | Response> {
    const setting = this.#setting
    const { cookie, places } = setting
    let session: Session | undefined
    try {
      session = await this.session(request)
    } catch (error) {
      return answerTrouble(setting, troubleOf(error, places.login_path), request)
    }
    if (session) return session
    const kind = kindOf(request)
    // Not from a script's request: it may be answered after a login in another tab, whose cookie
    // is not to be taken away.
    const leftover = cookie.in(request.headers.get('cookie')) ? [cookie.clear()] : []
    if (kind === 'page') {
      return startLogin(setting, request, { return_to: this.#here(request) }, leftover)
    }
    const login_path = kind === 'form' ? this.#loginFrom(request) : places.login_path
    const headers = { 'www-authenticate': `Cookie realm="${places.origin}"` }
    const what = trouble('login_required', { login_path, headers })
    return answerTrouble(setting, what, request, kind === 'form' ? leftover : [])
  }

  /**
   * Starts a login from a route of the site's own, such as one with a stronger `acr_values`.
   *
   * @param params for the OP, beyond the option `login`; `return_to` is this address unless it
   *   says another of this site's
   */
  startLogin(request: Request, params: LoginParams = {}): Promise<Response> {
    return startLogin(this.#setting, request, { return_to: this.#here(request), ...params })
  }

  async #login(request: Request, { searchParams }: URL): Promise<Response> {
    // OIDC Core 4: by GET or POST.
    const form = request.method === 'POST' ? await readForm(request).catch(() => undefined) : ''
    const asked = searchParams.has('iss') ? searchParams : new URLSearchParams(form)
    if (asked.has('iss')) return startLoginOf(this.#setting, request, asked)
    const return_to = searchParams.get('return_to') ?? undefined
    return startLogin(this.#setting, request, { return_to })
  }

  /**
   * The site's public keys, for a route of the site's own at the `jwks_uri` that it registered.
   *
   * @returns a JWK Set, which may be kept for an hour: new keys are in it a day before they are used
   * @throws {CommandError | TransportError} if they cannot be had now
   * @see [RFC 7517 8.5.2](https://www.rfc-editor.org/rfc/rfc7517.html#section-8.5.2)
   */
  async jwks(): Promise<Response> {
    const jwks = await this.#setting.client.getRpJwks()
    const headers = {
      'content-type': 'application/jwk-set+json',
      'cache-control': 'public, max-age=3600',
    }
    return new Response(JSON.stringify(jwks), { headers })
  }

  /** The request's address, for the browser to come back to. */
  #here({ method, url }: Request): string | undefined {
    const { pathname, search } = new URL(url)
    return method === 'GET' || method === 'HEAD' ? pathname + search : undefined
  }

  /** The login's path, to return to the page that a form was on. */
  #loginFrom({ headers }: Request): string {
    const { places } = this.#setting
    const from = returnAddress(headers.get('referer'), places)
    if (from === undefined) return places.login_path
    const return_to = from.slice(places.origin.length)
    return `${places.login_path}?${new URLSearchParams({ return_to })}`
  }

  async #only(
    request: Request,
    methods: string[],
    answer: () => Promise<Response>,
  ): Promise<Response> {
    // No login begins, and none is completed, for a visit that may never come.
    if (kindOf(request) === 'prefetch') {
      return new Response(null, { status: 503, headers: NOT_KEPT })
    }
    if (methods.includes(request.method)) return answer()
    const headers = { allow: methods.join(', ') }
    return answerTrouble(this.#setting, trouble('method_not_allowed', { headers }), request)
  }

  async #find(request: Request): Promise<Session | undefined> {
    const { client, cookie } = this.#setting
    const session_id = cookie.read(request.headers.get('cookie'))
    if (session_id === undefined) return undefined
    try {
      return { ...(await client.getSession({ session_id })), session_id }
    } catch (error) {
      if (error instanceof CommandError && error.code === 'invalid_session_id') return undefined
      throw error
    }
  }
}

/** Headers of a page that is one person's: with them, Back shows nothing after a logout. */
export const private_headers = { 'cache-control': 'no-store', vary: 'Cookie' } as const
