/** A visitor of websites: a browser's cookies and headers, and no script. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'

/** What browsers send with a visit to a page. */
export const visit = {
  accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'sec-fetch-site': 'none',
}

/** What they send with `fetch` of the site's own page. */
export const script = {
  accept: '*/*',
  'sec-fetch-mode': 'cors',
  'sec-fetch-dest': 'empty',
  'sec-fetch-site': 'same-origin',
}

/** What they send with a form of the site's own page. */
export const form = { ...visit, 'sec-fetch-site': 'same-origin' }

/** Sends requests to one site, and keeps its cookies as a browser does. */
export class Visitor {
  readonly cookies = new Map<string, string>()
  readonly #origin: string
  readonly #send: (request: Request) => Promise<Response>

  /** @param send answers instead of the network, for a site that is called as a function */
  constructor(origin: string, send: (request: Request) => Promise<Response> = overHttp) {
    this.#origin = origin
    this.#send = send
  }

  /** The Cookie header. */
  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** Visits a page, without following redirects. @param init of `fetch`; its headers replace a visit's */
  async visit(address: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers ?? visit)
    if (this.cookies.size > 0) headers.set('cookie', this.cookie)
    const url = new URL(address, this.#origin)
    const request = new Request(url, { redirect: 'manual', ...init, headers })
    const response = await this.#send(request)
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/; Max-Age=0/i.test(line)) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return response
  }

  post(address: string, body?: BodyInit, headers: Record<string, string> = form) {
    return this.visit(address, { method: 'POST', headers, ...(body !== undefined && { body }) })
  }
}

/** Sends a request as it is: `fetch` would say of itself what it is to servers (`Sec-Fetch-Mode`). */
async function overHttp(request: Request): Promise<Response> {
  const body = Buffer.from(await request.arrayBuffer())
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const { method, url, headers } = request
    httpRequest(url, { method, headers: Object.fromEntries(headers) }, resolve)
      .on('error', reject)
      .end(body)
  })
  const headers = new Headers()
  for (const [name, values = []] of Object.entries(answer.headersDistinct)) {
    for (const value of values) headers.append(name, value)
  }
  const { statusCode: status = 0 } = answer
  return new Response(await buffer(answer), { status, headers })
}

/** Where a response leads. */
export function locationOf(response: Response): string {
  const location = response.headers.get('location')
  if (location === null) throw new Error(`no redirect but ${response.status}`)
  return location
}
