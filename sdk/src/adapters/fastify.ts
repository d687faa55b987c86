/** Login helper and API guard for Fastify 5. */
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
import { LONGEST_FORM } from '../web/posted.js'
import { type Incoming, keepPrivate, Requests } from './bridge.js'
import { Passed } from './passed.js'

/** Fastify's Request, as far as it matters here. */
export interface FastifyRequest {
  raw: Incoming
  originalUrl: string
  body?: unknown
}

/** Fastify's Reply, as far as it matters here. */
export interface FastifyReply {
  code(status: number): unknown
  header(name: string, value: string | string[]): unknown
  getHeader(name: string): unknown
  send(body?: string): unknown
  callNotFound(): unknown
}

/** Fastify's instance, as far as it matters here. */
export interface FastifyInstance {
  prefix: string
  removeAllContentTypeParsers(): unknown
  addContentTypeParser(
    type: string,
    parser: (request: unknown, body: unknown, done: (error: null) => void) => void,
  ): unknown
  addContentTypeParser(
    type: string,
    options: { parseAs: 'string'; bodyLimit: number },
    parser: (request: unknown, body: string, done: (error: null, parsed: string) => void) => void,
  ): unknown
  route(options: { method: string[]; url: string; handler: FastifyHook }): unknown
}

/** A handler, or a hook such as `onRequest` and `preHandler`. */
export type FastifyHook = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

/** A website's login for Fastify. */
export interface FastifyWebsite {
  /** A plugin that answers requests for login, callback and logout: `app.register(site.routes)`. */
  routes: (app: FastifyInstance) => Promise<void>
  /**
   * Lets nobody pass who is not logged in: `{ onRequest: site.requireLogin }`, or as `preHandler`.
   * As `onRequest` it comes before a body is read.
   */
  requireLogin: FastifyHook
  /** Who is logged in, if somebody is. Send `Cache-Control: no-store` with a page made with it. */
  session(request: FastifyRequest): Promise<Session | undefined>
  /** Who {@link requireLogin} let pass. @throws Error on a route without it */
  requiredSession(request: FastifyRequest): Session
  /** Sends the browser to log in, with parameters of the site's own; return what it answers. */
  startLogin(request: FastifyRequest, reply: FastifyReply, params?: LoginParams): Promise<unknown>
}

/** Whatever a browser or a program may send; which of them an address takes, the helper says. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/**
 * Login, callback and logout for a Fastify app.
 *
 * @throws TypeError if an option will not do
 *
 * @example
 * ```ts
 * const site = fastifyWebsite(new Client('/etc/mysite/site.cfg'))
 * const app = fastify()
 * app.register(site.routes)
 * app.get('/profile', { onRequest: site.requireLogin }, async (request) => {
 *   return `Hello, ${site.requiredSession(request).sub}`
 * })
 * ```
 */
export function fastifyWebsite(client: Client, options?: WebsiteOptions): FastifyWebsite {
  const website = new Website(client, options)
  const requests = new Requests(website.origin)
  const sessions = new Passed<Session>('requireLogin')
  return {
    async routes(app) {
      app.removeAllContentTypeParsers()
      // Of what is posted, what an OP has a browser post alone is of use.
      app.addContentTypeParser(
        'application/x-www-form-urlencoded',
        { parseAs: 'string', bodyLimit: LONGEST_FORM },
        (_request, body, done) => done(null, body),
      )
      app.addContentTypeParser('*', (_request, _body, done) => done(null))
      for (const path of website.paths) {
        app.route({
          method: METHODS,
          url: withoutPrefix(path, app.prefix),
          async handler(request, reply) {
            const { body } = request
            const form = typeof body === 'string' ? body : undefined
            const answer = await website.handle(webRequest(requests, request, form))
            // Routers are less exact about paths than the helper.
            return answer ? send(answer, reply) : reply.callNotFound()
          },
        })
      }
    },
    async requireLogin(request, reply) {
      const found = await website.requireLogin(webRequest(requests, request))
      if (found instanceof Response) return send(found, reply)
      sessions.put(request, found)
      keepPrivate({
        get: (name) => reply.getHeader(name),
        set: (name, value) => reply.header(name, value),
      })
      return undefined
    },
    session: (request) => website.session(webRequest(requests, request)),
    requiredSession: (request) => sessions.of(request),
    async startLogin(request, reply, params) {
      return send(await website.startLogin(webRequest(requests, request), params), reply)
    },
  }
}

/** An API's guard for Fastify. */
export interface FastifyGuard {
  /**
   * Makes a hook that lets requests pass whose token has all these scopes: as `onRequest` or
   * `preHandler`.
   *
   * @throws TypeError if a scope can be none
   */
  require(...scope: string[]): FastifyHook
  /** What the token of a request stands for that passed. @throws Error on a route without {@link require} */
  grant(request: FastifyRequest): Grant
}

/**
 * A guard for an API of a Fastify app.
 *
 * @throws TypeError or RangeError if an option will not do
 *
 * @example
 * ```ts
 * const guard = fastifyGuard(new Client('/etc/mysite/site.cfg'))
 * app.get('/api/time', { onRequest: guard.require('time') }, async (request) => {
 *   return { now: new Date(), for: guard.grant(request).sub }
 * })
 * ```
 */
export function fastifyGuard(client: Client, options?: ApiGuardOptions): FastifyGuard {
  const guard = new ApiGuard(client, options)
  const requests = new Requests(guard.origin)
  const grants = new Passed<Grant>('guard.require()')
  return {
    require(...scope) {
      checkScope(scope)
      return async (request, reply) => {
        const found = await guard.check(webRequest(requests, request), { scope })
        if (found instanceof Response) return send(found, reply)
        grants.put(request, found)
        return undefined
      }
    },
    grant: (request) => grants.of(request),
  }
}

function webRequest(requests: Requests, request: FastifyRequest, form?: string): Request {
  const { raw, originalUrl } = request
  const { method, rawHeaders } = raw
  return requests.of(request, { method, rawHeaders, originalUrl }, form)
}

/** @returns the reply, which tells Fastify that the request is answered */
async function send(response: Response, reply: FastifyReply): Promise<FastifyReply> {
  const body = await response.text()
  reply.code(response.status)
  for (const [name, value] of response.headers) {
    if (name !== 'set-cookie') reply.header(name, value)
  }
  for (const line of response.headers.getSetCookie()) reply.header('set-cookie', line)
  reply.send(body === '' ? undefined : body)
  return reply
}

/** A path as a plugin with a prefix registers it. */
function withoutPrefix(path: string, given: string): string {
  const prefix = given.replace(/\/$/, '')
  if (!path.startsWith(`${prefix}/`)) {
    throw new Error(`${path} is not below the prefix ${prefix}: register site.routes outside of it`)
  }
  // To Fastify's router a colon begins a parameter.
  return decodeURI(path.slice(prefix.length)).replaceAll(':', '::')
}
