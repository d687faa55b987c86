/** Login helper and API guard for Express 5, and for what takes middlewares as it does. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Client } from '../client.js'
import type { ApiGuardOptions, Grant, LoginParams, Session, WebsiteOptions } from '../web/index.js'
import { nodeGuard, nodeWebsite } from './node.js'
import { Passed } from './passed.js'

/** Express's Request, as far as it matters here. */
export type ExpressRequest = IncomingMessage & { originalUrl?: string }

/** A middleware, as Express calls it. */
export type ExpressMiddleware = (
  request: ExpressRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/** A website's login for Express. */
export interface ExpressWebsite {
  /** Answers requests for login, callback and logout: `app.use(site.routes)`, before body parsers. */
  routes: ExpressMiddleware
  /** Lets nobody pass who is not logged in: `app.get('/profile', site.requireLogin, …)`. */
  requireLogin: ExpressMiddleware
  /** Who is logged in, if somebody is. Send `Cache-Control: no-store` with a page made with it. */
  session(request: ExpressRequest): Promise<Session | undefined>
  /** Who {@link requireLogin} let pass. @throws Error on a route without it */
  requiredSession(request: ExpressRequest): Session
  /** Sends the browser to log in, with parameters of the site's own. */
  startLogin(request: ExpressRequest, response: ServerResponse, params?: LoginParams): Promise<void>
}

/**
 * Login, callback and logout for an Express app. Errors of the site's own making, such as those of
 * `on_login`, go to the app's error handler.
 *
 * @throws TypeError if an option will not do
 *
 * @example
 * ```ts
 * const site = expressWebsite(new Client('/etc/mysite/site.cfg'))
 * const app = express()
 * app.use(site.routes)
 * app.get('/profile', site.requireLogin, (request, response) => {
 *   response.send(`Hello, ${site.requiredSession(request).sub}`)
 * })
 * ```
 */
export function expressWebsite(client: Client, options?: WebsiteOptions): ExpressWebsite {
  const site = nodeWebsite(client, options)
  const sessions = new Passed<Session>('requireLogin')
  return {
    routes: middleware(async (request, response) => !(await site.handle(request, response))),
    requireLogin: middleware(async (request, response) =>
      sessions.put(request, await site.requireLogin(request, response)),
    ),
    session: (request) => site.session(request),
    requiredSession: (request) => sessions.of(request),
    startLogin: (request, response, params) => site.startLogin(request, response, params),
  }
}

/** An API's guard for Express. */
export interface ExpressGuard {
  /**
   * Makes a middleware that lets requests pass whose token has all these scopes.
   *
   * @throws TypeError if a scope can be none
   */
  require(...scope: string[]): ExpressMiddleware
  /** What the token of a request stands for that passed. @throws Error on a route without {@link require} */
  grant(request: ExpressRequest): Grant
}

/**
 * A guard for an API of an Express app.
 *
 * @throws TypeError or RangeError if an option will not do
 *
 * @example
 * ```ts
 * const guard = expressGuard(new Client('/etc/mysite/site.cfg'))
 * app.get('/api/time', guard.require('time'), (request, response) => {
 *   response.json({ now: new Date(), for: guard.grant(request).sub })
 * })
 * ```
 */
export function expressGuard(client: Client, options?: ApiGuardOptions): ExpressGuard {
  const guard = nodeGuard(client, options)
  const grants = new Passed<Grant>('guard.require()')
  return {
    require(...scope) {
      const check = guard.require(...scope)
      return middleware(async (request, response) =>
        grants.put(request, await check(request, response)),
      )
    },
    grant: (request) => grants.of(request),
  }
}

/** @param pass answers whether the next handler is to be called */
function middleware(
  pass: (request: ExpressRequest, response: ServerResponse) => Promise<boolean>,
): ExpressMiddleware {
  return (request, response, next) => {
    pass(request, response).then((passed) => passed && next(), next)
  }
}
