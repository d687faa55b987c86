/** An End-User of Keycloak with a browser that has cookies and no script. */

const STEPS = 12

/** Where the browser is. */
interface Page {
  url: string
  html: string
}

/** What the browser brings to the site: an address that it requests, or a form that it posts. */
export type Callback = { url: string; posted?: string }

export class KeycloakUser {
  readonly #cookies = new Map<string, string>()
  readonly #username: string
  readonly #password: string

  constructor({ username, password }: { username: string; password: string }) {
    this.#username = username
    this.#password = password
  }

  /** Follows an authorization URL through Keycloak's pages, signing in and consenting where asked. */
  async logIn(authorization_url: string): Promise<Callback> {
    return this.signIn(authorization_url, await this.open(authorization_url))
  }

  /** Follows an authorization URL to the first page. */
  open(authorization_url: string): Promise<Page> {
    return this.#follow(authorization_url, redirectUri(authorization_url))
  }

  /** Goes on from a page of that login. */
  async signIn(authorization_url: string, opened: Page): Promise<Callback> {
    const site = redirectUri(authorization_url)
    let page = opened
    for (let step = 0; step < STEPS; step += 1) {
      if (page.url.startsWith(site)) return { url: page.url }
      const { action, fields } = formOf(page)
      if (action === site) return { url: action, posted: fields.toString() }
      if (fields.has('username')) fields.set('username', this.#username)
      if (fields.has('password')) fields.set('password', this.#password)
      // The page that asks for consent has two buttons, one of which the browser sends.
      fields.delete('cancel')
      page = await this.#follow(action, site, fields)
    }
    throw new Error(`Keycloak asks without end: ${page.url} ${page.html}`)
  }

  /** Follows redirects to a page, or to the site, which is not asked. */
  async #follow(address: string, site: string, form?: URLSearchParams): Promise<Page> {
    let url = address
    let body = form
    for (let step = 0; step < STEPS; step += 1) {
      if (url.startsWith(site)) return { url, html: '' }
      const response = await this.#request(url, body)
      const html = await response.text()
      const location = response.headers.get('location')
      if (location === null) {
        if (response.ok) return { url, html }
        throw new Error(`Keycloak stopped at ${url}: ${response.status} ${textOf(html)}`)
      }
      body = undefined
      url = new URL(location, url).href
    }
    throw new Error(`Keycloak redirects without end: ${url}`)
  }

  async #request(url: string, form: URLSearchParams | undefined): Promise<Response> {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...this.#cookies].map((pair) => pair.join('=')).join('; ') },
      ...(form && { method: 'POST', body: form }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '' || /; Max-Age=0/i.test(line)) this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    return response
  }
}

function redirectUri(authorization_url: string): string {
  return new URL(authorization_url).searchParams.get('redirect_uri') as string
}

/** The one form of a page, with its fields as they are filled in. */
function formOf({ url, html }: Page): { action: string; fields: URLSearchParams } {
  const action = attribute(/<form\b[^>]*>/i.exec(html)?.[0] ?? '', 'action')
  if (action === undefined) throw new Error(`no form at ${url}: ${textOf(html)}`)
  const fields = new URLSearchParams()
  for (const [input] of html.matchAll(/<input\b[^>]*>/gi)) {
    const name = attribute(input, 'name')
    if (name !== undefined) fields.set(name, attribute(input, 'value') ?? '')
  }
  return { action: new URL(action, url).href, fields }
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\s${name}="([^"]*)"`, 'i').exec(tag)?.[1]
  return value?.replace(/&(lt|gt|quot|#39|amp);/g, (_, entity: string) => entities[entity] ?? '')
}

const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' }

/** A page without its markup. */
function textOf(html: string): string {
  return html
    .replace(/<(script|style)[\s\S]*?<\/\1>|<[^>]*>/gi, ' ')
    .replace(/\s+/g, ' ')
    .slice(0, 500)
}
