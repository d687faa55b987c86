/** The little that the website needs of HTTP: routes, replies, and the checks that every request passes. */
import type { IncomingMessage, OutgoingHttpHeaders, RequestListener } from 'node:http'
import { explain, type Trouble } from './explain.js'
import { pageHeaders } from './page.js'
import { troublePage } from './pages.js'

/** What a route's handler gets to see of a request. */
export interface Visit {
  url: URL
  /** The request's Cookie header, whole. */
  cookie: string
}

export interface Reply {
  status: number
  headers: OutgoingHttpHeaders
  body: string
}

export type Handler = (visit: Visit) => Reply | Promise<Reply>

export type Routes = Record<string, { GET?: Handler; POST?: Handler }>

export function page(body: string, status = 200): Reply {
  return { status, headers: {}, body }
}

/** @param set_cookie Set-Cookie headers to go with it */
export function redirect(location: string, ...set_cookie: string[]): Reply {
  return { status: 303, headers: { location, 'set-cookie': set_cookie }, body: '' }
}

/** Where a website is reached, and where its forms may lead besides itself. */
export interface Place {
  /** Such as `http://localhost:8400`. */
  origin: string
  form_action: readonly string[]
}

/** Turns routes into what node:http calls for each request. */
export function serve(routes: Routes, { origin, form_action }: Place): RequestListener {
  const headers = pageHeaders(form_action)
  return async (request, response) => {
    const reply = await answer(routes, origin, request).catch(inTrouble)
    response.writeHead(reply.status, { ...headers, ...reply.headers }).end(reply.body)
  }
}

async function answer(routes: Routes, origin: string, request: IncomingMessage): Promise<Reply> {
  const { headers } = request
  // HEAD is GET whose body node:http leaves out.
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const url = new URL(request.url?.startsWith('/') ? origin + request.url : origin)
  // Cookies belong to one host name: reached by another, such as 127.0.0.1, a login could not finish.
  if (method === 'GET' && headers.host !== url.host) return redirect(url.href)
  const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined
  if (!route) return notFound()
  const handler = method === 'GET' ? route.GET : method === 'POST' ? route.POST : undefined
  if (!handler) return notAllowed(Object.keys(route))
  // Browsers tell with each POST whose page the form was on; SameSite would let other ports pass.
  if (method === 'POST' && headers.origin && headers.origin !== origin) return notOurs()
  return handler({ url, cookie: headers.cookie ?? '' })
}

function inTrouble(error: unknown): Reply {
  return trouble(explain(error))
}

function trouble(what: Trouble): Reply {
  return page(troublePage(what), what.status)
}

function notFound(): Reply {
  return trouble({
    status: 404,
    title: 'There is no such page',
    text: 'The address may be mistyped. Everything here starts from the home page.',
    ways: ['home'],
  })
}

function notAllowed(methods: string[]): Reply {
  const reply = trouble({
    status: 405,
    title: 'This address is for a button',
    text: `It takes ${methods.join(' and ')} only. The home page has the button that leads here.`,
    ways: ['home'],
  })
  return { ...reply, headers: { allow: methods.join(', ') } }
}

function notOurs(): Reply {
  return trouble({
    status: 403,
    title: 'This request came from another website',
    text: 'Nothing was done. If it was you, press the button on our own page.',
    ways: ['home'],
  })
}
