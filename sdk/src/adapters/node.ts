/** Login helper and API guard for `node:http`. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Client } from '../client.js'
import { checkScope } from '../web/bearer.js'
import {
  ApiGuard,
  type ApiGuardOptions,
  type Grant,
  type LoginParams,
  type Session,
  Website,
  type WebsiteOptions,
} from '../web/index.js'
import { formOf, keepPrivate, Requests, send, targetOf } from './bridge.js'

/** A website's login for `node:http`. */
export interface NodeWebsite {
  /** Answers requests for login, callback and logout. @returns false if the request is for another path */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>
  /** Who must be logged in; undefined if nobody is, and the answer was sent. */
  requireLogin(request: IncomingMessage, response: ServerResponse): Promise<Session | undefined>
  /** Who is logged in, if somebody is. Send `Cache-Control: no-store` with a page made with it. */
  session(request: IncomingMessage): Promise<Session | undefined>
  /** Sends the browser to log in, with parameters of the site's own. */
  startLogin(
    request: IncomingMessage,
    response: ServerResponse,
    params?: LoginParams,
  ): Promise<void>
}

/**
 * Login, callback and logout for a server of `node:http`.
 *
 * @throws TypeError if an option will not do
 *
 * @example
 * ```ts
 * const site = nodeWebsite(new Client('/etc/mysite/site.cfg'))
 *
 * createServer(async (request, response) => {
 *   try {
 *     if (await site.handle(request, response)) return
 *     const session = await site.requireLogin(request, response)
 *     if (session) response.end(`Hello, ${session.sub}`)
 *   } catch (error) {
 *     console.error(error)
 *     response.writeHead(500).end()
 *   }
 * })
 * ```
 */
export function nodeWebsite(client: Client, options?: WebsiteOptions): NodeWebsite {
  const website = new Website(client, options)
  const requests = new Requests(website.origin)
  const of = (request: IncomingMessage) => requests.of(request, request)
  return {
    async handle(request, response) {
      const [path = '/'] = targetOf(request).split('?', 1)
      if (!website.paths.includes(path)) return false
      // Of all that is posted here, what an OP has a browser post alone is of use.
      const form = website.form_paths.includes(path) ? await formOf(request) : undefined
      const answer = await website.handle(requests.of(request, request, form))
      if (answer) await send(answer, response)
      return answer !== undefined
    },
    async requireLogin(request, response) {
      const found = await website.requireLogin(of(request))
      if (found instanceof Response) {
        await send(found, response)
        return undefined
      }
      keepPrivate({
        get: (name) => response.getHeader(name),
        set: (name, value) => response.setHeader(name, value),
      })
      return found
    },
    session: (request) => website.session(of(request)),
    async startLogin(request, response, params) {
      await send(await website.startLogin(of(request), params), response)
    },
  }
}

/** An API's guard for `node:http`. */
export interface NodeGuard {
  /**
   * Makes the check of one resource.
   *
   * @returns what the token stands for; undefined if it will not do, and the answer was sent
   * @throws TypeError if a scope can be none
   */
  require(
    ...scope: string[]
  ): (request: IncomingMessage, response: ServerResponse) => Promise<Grant | undefined>
}

/**
 * A guard for an API that is served by `node:http`.
 *
 * @throws TypeError or RangeError if an option will not do
 *
 * @example
 * ```ts
 * const needTime = nodeGuard(new Client('/etc/mysite/site.cfg')).require('time')
 *
 * createServer(async (request, response) => {
 *   try {
 *     const grant = await needTime(request, response)
 *     if (grant) response.end(`It is ${new Date()}, ${grant.sub}`)
 *   } catch (error) {
 *     console.error(error)
 *     response.writeHead(500).end()
 *   }
 * })
 * ```
 */
export function nodeGuard(client: Client, options?: ApiGuardOptions): NodeGuard {
  const guard = new ApiGuard(client, options)
  const requests = new Requests(guard.origin)
  return {
    require(...scope) {
      checkScope(scope)
      return async (request, response) => {
        const found = await guard.check(requests.of(request, request), { scope })
        if (!(found instanceof Response)) return found
        await send(found, response)
        return undefined
      }
    },
  }
}
