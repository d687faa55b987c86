/** An End-User with a browser that has cookies and no script: logs in at the embedded OP. */
import { users } from '../../demosite/src/users.js'

const HOPS = 12

export class EndUser {
  readonly #jar = new Map<string, Map<string, string>>()
  readonly #user = users[0] as (typeof users)[number]

  /**
   * Follows an authorization URL through the OP's pages, signing in and consenting where asked.
   *
   * @returns the callback, as the browser would request it from the site, with its fragment; or the
   * form that the browser would post there
   */
  async logIn(authorization_url: string): Promise<string> {
    const redirect_uri = new URL(authorization_url).searchParams.get('redirect_uri') as string
    let url = authorization_url
    let form: URLSearchParams | undefined
    for (let hop = 0; hop < HOPS; hop += 1) {
      const response = await this.#request(url, form)
      form = undefined
      const location = response.headers.get('location')
      if (location !== null) {
        url = new URL(location, url).href
        if (url.startsWith(redirect_uri)) return url
        continue
      }
      if (!new URL(url).pathname.startsWith('/interaction/')) {
        const page = await response.text()
        const posted = formTo(redirect_uri, page)
        if (posted !== undefined) return posted
        throw new Error(`the OP stopped at ${url}: ${response.status} ${page}`)
      }
      form = new URLSearchParams({ name: this.#user.name, password: this.#user.password })
    }
    throw new Error('the OP redirects without end')
  }

  async #request(url: string, form: URLSearchParams | undefined): Promise<Response> {
    const { host } = new URL(url)
    const cookies = this.#jar.get(host) ?? new Map<string, string>()
    this.#jar.set(host, cookies)
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: form }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (name !== undefined && value !== undefined) cookies.set(name, value)
    }
    return response
  }
}

/** OAuth Form Post Response Mode 2: what a page posts to the site by itself. */
function formTo(redirect_uri: string, page: string): string | undefined {
  if (!page.includes(`<form method="post" action="${redirect_uri}">`)) return undefined
  const inputs = page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"\/>/g)
  return new URLSearchParams(
    [...inputs].map(([, name, value]) => [unescaped(name), unescaped(value)]),
  ).toString()
}

function unescaped(text = ''): string {
  const characters: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"' }
  return text.replace(/&(?:#(\d+)|(\w+));/g, (_, code?: string, name = '') =>
    code === undefined ? (characters[name] as string) : String.fromCodePoint(Number(code)),
  )
}
