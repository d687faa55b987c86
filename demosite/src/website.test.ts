import type { RequestListener } from 'node:http'
import { type Client, CommandError, TransportError } from '@relyd/sdk'
import { afterEach, expect, test, vi } from 'vitest'
import { type Localhost, listenOnLocalhost } from './localhost.js'
import { serve } from './server.js'
import { website } from './website.js'

// A stand-in for the SDK's client: these tests are about the website. The real one is used in test/e2e.
const getAuthorizationUrl = vi.fn()
const getTokensByCallback = vi.fn()
const getUserInfo = vi.fn()
const getLogoutUri = vi.fn()
const client = {
  getAuthorizationUrl,
  getTokensByCallback,
  getUserInfo,
  getLogoutUri,
} as unknown as Client

let server: Localhost
afterEach(() => server.close())

/** Starts the website on a port chosen by the kernel; answers its address. */
async function start(): Promise<string> {
  vi.resetAllMocks()
  // The website must know its own address, which is known once it listens.
  let handle: RequestListener = () => {}
  server = await listenOnLocalhost(0, (request, response) => handle(request, response))
  const origin = `http://localhost:${server.port}`
  handle = serve(website(client), { origin, form_action: [] })
  return origin
}

function get(url: string, cookie = ''): Promise<Response> {
  return fetch(url, { redirect: 'manual', headers: { cookie } })
}

function post(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method: 'POST', redirect: 'manual', headers })
}

/** Completes a login; answers the Cookie header that goes with it. */
async function logIn(origin: string): Promise<string> {
  getTokensByCallback.mockResolvedValueOnce({
    session_id: 'session-1',
    id_token_claims: { iss: 'https://op.example', sub: '<alice>' },
    set_cookie: 'relyd-login=; Max-Age=0',
  })
  const response = await get(`${origin}/callback?code=c&state=s&iss=i`, 'relyd-login=b')
  expect(response.status).toBe(303)
  expect(response.headers.get('location')).toBe('/profile')
  const [cleared, session = ''] = response.headers.getSetCookie()
  expect(cleared).toBe('relyd-login=; Max-Age=0')
  expect(session).toMatch(/^demosite_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)
  return session.split(';')[0] ?? ''
}

function refusal(error: string, details?: Record<string, unknown>): CommandError {
  const error_description = `<${error}>`
  return new CommandError('get_tokens_by_callback', {
    error,
    error_description,
    details,
    retryable: false,
  })
}

test('Log in sends the browser to the OP with the cookie of the login', async () => {
  const origin = await start()
  const set_cookie = 'relyd-login=b; HttpOnly'
  getAuthorizationUrl.mockResolvedValue({
    authorization_url: 'https://op.example/auth',
    set_cookie,
  })
  const response = await post(`${origin}/login`, { origin })
  expect(response.status).toBe(303)
  expect(response.headers.get('location')).toBe('https://op.example/auth')
  expect(response.headers.getSetCookie()).toEqual([set_cookie])
})

test('the callback goes to relyd whole, with its cookies', async () => {
  const origin = await start()
  await logIn(origin)
  expect(getTokensByCallback).toHaveBeenCalledExactlyOnceWith({
    callback: `${origin}/callback?code=c&state=s&iss=i`,
    cookie: 'relyd-login=b',
  })
})

test('the profile shows the claims, escaped, and is stored nowhere', async () => {
  const origin = await start()
  const cookie = await logIn(origin)
  getUserInfo.mockResolvedValue({ claims: { sub: '<alice>', '<x>': ['<y>'] } })
  const response = await get(`${origin}/profile`, cookie)
  expect(response.headers.get('cache-control')).toBe('no-store')
  const page = await response.text()
  expect(page).toContain('&lt;alice&gt;')
  expect(page).toContain('&lt;x&gt;')
  expect(page).not.toMatch(/<(alice|x|y)>/)
})

test('a profile is for its owner only', async () => {
  const origin = await start()
  await logIn(origin)
  expect((await get(`${origin}/profile`)).headers.get('location')).toBe('/')
  const guess = `demosite_session=${'A'.repeat(43)}`
  expect((await get(`${origin}/profile`, guess)).headers.get('location')).toBe('/')
  expect(getUserInfo).not.toHaveBeenCalled()
})

test('every login has a new cookie, and the one before opens nothing', async () => {
  const origin = await start()
  const first = await logIn(origin)
  getTokensByCallback.mockResolvedValueOnce({
    session_id: '2',
    id_token_claims: {},
    set_cookie: 'x=',
  })
  await get(`${origin}/callback?code=d`, first)
  expect((await get(`${origin}/profile`, first)).headers.get('location')).toBe('/')
})

test('Log out ends the session here and leads to the OP', async () => {
  const origin = await start()
  const cookie = await logIn(origin)
  getLogoutUri.mockResolvedValue({ uri: 'https://op.example/end' })
  const response = await post(`${origin}/logout`, { origin, cookie })
  expect(response.headers.get('location')).toBe('https://op.example/end')
  expect(getLogoutUri).toHaveBeenCalledWith({ session_id: 'session-1', state: 'logged_out' })
  expect((await get(`${origin}/profile`, cookie)).headers.get('location')).toBe('/')
  expect(await (await get(`${origin}/?state=logged_out`)).text()).toContain('You are logged out')
})

test('a form on another website, or on another port, can neither log in nor out', async () => {
  const origin = await start()
  const cookie = await logIn(origin)
  for (const other of ['https://evil.example', 'http://localhost:1', 'null']) {
    expect((await post(`${origin}/logout`, { origin: other, cookie })).status).toBe(403)
    expect((await post(`${origin}/login`, { origin: other })).status).toBe(403)
  }
  expect(getLogoutUri).not.toHaveBeenCalled()
  expect(getAuthorizationUrl).not.toHaveBeenCalled()
})

test.each([
  ['the person cancelled', refusal('op_error', { error: 'access_denied' }), 200, 'You cancelled'],
  ['the login expired', refusal('invalid_state'), 400, 'This login is over'],
  ['the cookie is missing', refusal('invalid_binding'), 400, 'in another browser'],
  ['the OP is down', refusal('op_unreachable'), 502, 'does not answer'],
  ['anything else', refusal('invalid_id_token_bad_nonce'), 502, '&lt;invalid_id_token_bad_nonce'],
  [
    'relyd is down',
    new TransportError('ERR_UNREACHABLE', 'start "relyd"', 'not_executed'),
    503,
    'start &quot;relyd&quot;',
  ],
])('when %s, the page says so and offers a way on', async (_what, error, status, words) => {
  const origin = await start()
  getTokensByCallback.mockRejectedValue(error)
  const response = await get(`${origin}/callback?state=s`)
  expect(response.status).toBe(status)
  const page = await response.text()
  expect(page).toContain(words)
  expect(page).toMatch(/<a class="button quiet" href="\/">|action="\/login"/)
})

test("the website's own mistakes are not told to strangers", async () => {
  const origin = await start()
  const print = vi.spyOn(console, 'error').mockImplementation(() => {})
  getTokensByCallback.mockRejectedValue(new Error('secret thing'))
  const response = await get(`${origin}/callback`)
  expect(response.status).toBe(500)
  expect(await response.text()).not.toContain('secret thing')
  expect(print).toHaveBeenCalledOnce()
})

test('unknown pages and methods are refused politely', async () => {
  const origin = await start()
  expect((await get(`${origin}/nowhere`)).status).toBe(404)
  expect((await get(`${origin}/constructor`)).status).toBe(404)
  const response = await get(`${origin}/login`)
  expect(response.status).toBe(405)
  expect(response.headers.get('allow')).toBe('POST')
  expect((await fetch(origin, { method: 'HEAD' })).status).toBe(200)
})

test('reached by another name, it leads to the one that its cookies belong to', async () => {
  const origin = await start()
  const response = await get(`${origin.replace('localhost', '127.0.0.1')}/profile?a=b`)
  expect(response.headers.get('location')).toBe(`${origin}/profile?a=b`)
})
