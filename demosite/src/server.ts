/** The little that the website needs of HTTP: routes to pages, and a page for each thing that fails. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { type Explained, explainError } from './explain.js'
import { troublePage } from './pages.js'

/** Makes a page for a GET; undefined when it has answered by itself. */
export type Route = (
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<string | undefined>

export interface Place {
  /** Where the website is reached, such as `http://localhost:8400`. */
  origin: string
  /** Of every page. */
  headers: Record<string, string>
  /** Has the first look at a request. @returns whether it answered */
  before: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>
}

/** Turns routes into what node:http calls for each request. */
export function serve(
  routes: Record<string, Route>,
  { origin, headers, before }: Place,
): RequestListener {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const show = (page: string, status = 200) => response.writeHead(status, headers).end(page)
    const refuse = (what: Explained & { status: number }) => show(troublePage(what), what.status)
    try {
      const url = new URL(request.url?.startsWith('/') ? origin + request.url : origin)
      const reading = request.method === 'GET' || request.method === 'HEAD'
      // Cookies belong to one host name: reached by another, such as 127.0.0.1, a login could not finish.
      if (reading && request.headers.host !== url.host) {
        response.writeHead(303, { location: url.href }).end()
        return
      }
      if (await before(request, response)) return
      const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined
      if (!route) return void refuse(not_found)
      if (!reading) {
        response.setHeader('allow', 'GET, HEAD')
        return void refuse(not_allowed)
      }
      const page = await route(request, response)
      if (page !== undefined) show(page)
    } catch (error) {
      refuse(explainError(error))
    }
  }
  return (request, response) => void answer(request, response)
}

const not_found = {
  status: 404,
  title: 'There is no such page',
  text: 'The address may be mistyped. Everything here starts from the home page.',
}

const not_allowed = {
  status: 405,
  title: 'That is not what this address is for',
  text: 'It is a page to look at. Everything here starts from the home page.',
}
