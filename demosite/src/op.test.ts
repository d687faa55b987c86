import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Op, startOp } from './op.js'

const redirect_uri = 'http://localhost:8400/callback'
const client = {
  client_id: 'test',
  client_secret: 'a secret of the test',
  client_name: '<b>Test & site</b>',
  redirect_uris: [redirect_uri],
  post_logout_redirect_uris: ['http://localhost:8400/'],
}
let op: Op

beforeAll(async () => {
  op = await startOp({ configuration: { clients: [client] } })
})
afterAll(() => op.close())

/** Follows a login as a browser does, but stops where the OP sends it away. */
class Browser {
  readonly #cookies = new Map<string, string>()

  async get(url: string): Promise<Response> {
    return this.#go(url, {})
  }

  async post(url: string, form: Record<string, string>): Promise<Response> {
    return this.#go(url, { method: 'POST', body: new URLSearchParams(form) })
  }

  async #go(url: string, init: RequestInit): Promise<Response> {
    const cookie = [...this.#cookies].map((pair) => pair.join('=')).join('; ')
    const headers = { cookie, accept: 'text/html' }
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value) this.#cookies.set(name, value)
      else this.#cookies.delete(name)
    }
    const location = response.headers.get('location')
    if (!location) return response
    const next = new URL(location, url)
    return next.origin === op.issuer ? this.#go(next.href, {}) : response
  }
}

const verifier = randomBytes(32).toString('base64url')
const pkce = {
  code_challenge: createHash('sha256').update(verifier).digest('base64url'),
  code_challenge_method: 'S256',
}

function authorization(changes: Record<string, string> = {}): string {
  const { client_id } = client
  const scope = 'openid profile email'
  const parameters = { client_id, redirect_uri, response_type: 'code', scope, state: 's', ...pkce }
  return `${op.issuer}/auth?${new URLSearchParams({ ...parameters, ...changes })}`
}

function sentTo(response: Response): URL {
  return new URL(response.headers.get('location') ?? 'about:blank')
}

async function logIn(browser: Browser, name = 'alice', password = 'wonderland'): Promise<Response> {
  const { url } = await browser.get(authorization())
  return browser.post(url, { action: 'login', name, password })
}

test('a login ends with a code, whose token opens the claims of the granted scopes', async () => {
  const browser = new Browser()
  const consent = await logIn(browser)
  expect(await consent.text()).toContain('Alice Ångström')
  const callback = sentTo(await browser.post(consent.url, { action: 'allow' }))
  expect(callback.origin + callback.pathname).toBe(redirect_uri)
  expect(callback.searchParams.get('iss')).toBe(op.issuer)

  const code = callback.searchParams.get('code') ?? ''
  const token = await fetch(`${op.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`test:${encodeURIComponent(client.client_secret)}`)}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri,
      code_verifier: verifier,
    }),
  })
  const { access_token, id_token } = (await token.json()) as Record<string, string>
  expect(id_token).toBeDefined()
  const headers = { authorization: `Bearer ${access_token}` }
  const claims = await (await fetch(`${op.issuer}/me`, { headers })).json()
  expect(claims).toMatchObject({ sub: 'alice', name: 'Alice Ångström', email: 'alice@example.com' })
  expect(claims).not.toHaveProperty('phone_number')
})

test('a wrong password shows the login page again, and does not tell what was wrong', async () => {
  const wrong_password = await (await logIn(new Browser(), 'alice', 'builder')).text()
  const wrong_name = await (await logIn(new Browser(), 'nobody', 'builder')).text()
  expect(wrong_password).toContain('No such name and password')
  expect(wrong_name).toContain('No such name and password')
})

test('what was typed, and the name of the client, come back escaped', async () => {
  const page = await (await logIn(new Browser(), '"><script>', 'x')).text()
  expect(page).toContain('value="&quot;&gt;&lt;script&gt;"')
  expect(page).toContain('&lt;b&gt;Test &amp; site&lt;/b&gt;')
  expect(page).not.toContain('<script')
})

test('passwords are told only when asked for', async () => {
  expect(await (await new Browser().get(authorization())).text()).not.toContain('wonderland')
})

test('the login page may lead to the client and nowhere else', async () => {
  const { headers } = await new Browser().get(authorization())
  expect(headers.get('content-security-policy')).toContain(
    "form-action 'self' http://localhost:8400;",
  )
})

test.each(['login', 'consent'])('cancelling at the %s page is told to the client', async (at) => {
  const browser = new Browser()
  const page = at === 'login' ? await browser.get(authorization()) : await logIn(browser)
  const { searchParams } = sentTo(await browser.post(page.url, { action: 'cancel' }))
  expect(searchParams.get('error')).toBe('access_denied')
})

test('a page without its cookie explains itself', async () => {
  const { url } = await new Browser().get(authorization())
  const response = await new Browser().get(url)
  expect(response.status).toBe(400)
  expect(await response.text()).toContain('session_not_found')
})

test('a request without PKCE is refused', async () => {
  const response = await new Browser().get(authorization({ code_challenge: '' }))
  expect(sentTo(response).searchParams.get('error')).toBe('invalid_request')
})

test('an unknown client gets an error page, not a redirect', async () => {
  const response = await new Browser().get(authorization({ client_id: '<i>' }))
  expect(response.status).toBe(400)
  expect(await response.text()).toContain('invalid_client')
})

test('after the logout the next login asks for the password again', async () => {
  const browser = new Browser()
  const consent = await logIn(browser)
  await browser.post(consent.url, { action: 'allow' })
  expect(sentTo(await browser.get(authorization())).searchParams.has('code')).toBe(true)

  const back = new URLSearchParams({
    client_id: 'test',
    post_logout_redirect_uri: 'http://localhost:8400/',
    state: 'bye',
  })
  const page = await (await browser.get(`${op.issuer}/session/end?${back}`)).text()
  const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(page) ?? []
  const left = await browser.post(`${op.issuer}/session/end/confirm`, { xsrf, logout: 'yes' })
  expect(sentTo(left).href).toBe('http://localhost:8400/?state=bye')
  expect(await (await browser.get(authorization())).text()).toContain('<h1>Log in</h1>')
})

test('clients register, and manage their registration (RFC 7591, RFC 7592)', async () => {
  const registered = await fetch(`${op.issuer}/reg`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [redirect_uri], client_name: 'Søren' }),
  })
  expect(registered.status).toBe(201)
  const { registration_client_uri, registration_access_token } = (await registered.json()) as {
    [name: string]: string
  }
  const headers = { authorization: `Bearer ${registration_access_token}` }
  const url = registration_client_uri ?? ''
  expect(await (await fetch(url, { headers })).json()).toMatchObject({ client_name: 'Søren' })
  expect((await fetch(url, { method: 'DELETE', headers })).status).toBe(204)
  expect((await fetch(url, { headers })).status).toBe(401)
})

test('overrides are laid over the defaults, feature by feature', async () => {
  const configuration = { features: { introspection: { enabled: false } } }
  const other = await startOp({ configuration })
  const metadata = await fetch(`${other.issuer}/.well-known/openid-configuration`)
  await other.close()
  const members = await metadata.json()
  expect(members).not.toHaveProperty('introspection_endpoint')
  expect(members).toHaveProperty('revocation_endpoint')
})

test('nothing is printed that could worry a newcomer', async () => {
  const print = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const info = vi.spyOn(console, 'info').mockImplementation(() => {})
  const other = await startOp()
  await other.close()
  expect(print).not.toHaveBeenCalled()
  expect(info).not.toHaveBeenCalled()
  vi.restoreAllMocks()
})
