/** The login helper on Request and Response, with a real daemon and a real OP: a site on https. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import {
  private_headers,
  type Trouble,
  Website,
  type WebsiteOptions,
} from '../../sdk/src/web/index.js'
import { BentOp } from '../support/bent_op/index.js'
import { CountingClient } from '../support/counting_client.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { locationOf, script, Visitor, visit } from '../support/visitor.js'

const origin = 'https://site.example'
const session_cookie = '__Host-relyd-session'

let op: Op
let daemon: TestDaemon
const clients: CountingClient[] = []

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start()
})

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()))
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

/** A site of its own at the OP, or at another's; `lines` are for [client]. */
function makeSite(
  options: WebsiteOptions = {},
  at: { op?: Op; daemon?: TestDaemon; lines?: string } = {},
) {
  const { folder, socket } = at.daemon ?? daemon
  const cfg = join(folder, `site${clients.length}.cfg`)
  writeFileSync(
    cfg,
    `[oxd]\nsocket = ${socket}\n[client]\nop_host = ${(at.op ?? op).issuer}\nauthorization_redirect_uri = ${origin}/app/callback\npost_logout_redirect_uri = ${origin}/bye\n${at.lines ?? ''}`,
  )
  const client = new CountingClient(cfg)
  clients.push(client)
  const troubles: Trouble[] = []
  const website = new Website(client, {
    on_trouble: (trouble) => {
      troubles.push(trouble)
    },
    ...options,
  })
  /** The site: everything but the helper's own is for who is logged in. */
  const answer = async (request: Request) => {
    const own = await website.handle(request)
    if (own) return own
    const session = await website.requireLogin(request)
    if (session instanceof Response) return session
    return new Response(`Hello, ${session.sub}`, { headers: private_headers })
  }
  return { cfg, client, website, troubles, answer, visitor: () => new Visitor(origin, answer) }
}

/** Another process of the same site: a client and a helper of its own. */
function anotherProcess(site: ReturnType<typeof makeSite>) {
  const client = new CountingClient(site.cfg)
  clients.push(client)
  return new Website(client)
}

/** Visits a page and goes through the login. @returns the callback's response */
async function logIn(visitor: Visitor, page = '/profile', user = new EndUser()) {
  return visitor.visit(await user.logIn(locationOf(await visitor.visit(page))))
}

test('a site with a key of its own logs in, and publishes the public half', async () => {
  const site = makeSite({}, { lines: 'token_endpoint_auth_method = private_key_jwt\n' })
  const visitor = site.visitor()
  await logIn(visitor)
  expect(await (await visitor.visit('/profile')).text()).toBe('Hello, alice')
  const response = await site.website.jwks()
  expect(response.headers.get('content-type')).toBe('application/jwk-set+json')
  expect(response.headers.get('cache-control')).toBe('public, max-age=3600')
  const { keys } = (await response.json()) as { keys: object[] }
  expect(keys).toMatchObject([{ use: 'sig', kid: expect.any(String) }])
  expect(keys[0]).not.toHaveProperty('d')
})

test('S32 a visitor of a page logs in, and is back on that page', async () => {
  const site = makeSite()
  const visitor = site.visitor()
  const sent = await visitor.visit('/profile?tab=1&name=%C3%A4')
  expect(sent.status).toBe(303)
  expect(locationOf(sent)).toContain(`${op.issuer}/auth?`)
  expect(sent.headers.get('cache-control')).toBe('no-store')
  expect(sent.headers.getSetCookie()).toEqual([
    expect.stringMatching(/^__Host-relyd-login-.+HttpOnly; Secure; SameSite=Lax$/),
  ])

  const back = await visitor.visit(await new EndUser().logIn(locationOf(sent)))
  expect(back.status).toBe(303)
  expect(locationOf(back)).toBe(`${origin}/profile?tab=1&name=%C3%A4`)
  expect(back.headers.get('cache-control')).toBe('no-store')
  expect(back.headers.get('referrer-policy')).toBe('no-referrer')
  // The login's cookie is gone; the session's holds nothing but an id.
  expect([...visitor.cookies.keys()]).toEqual([session_cookie])
  expect(visitor.cookies.get(session_cookie)).toMatch(/^[\w-]{32}$/)

  const page = await visitor.visit('/profile?tab=1')
  expect(await page.text()).toBe('Hello, alice')
  const session = await site.website.session(
    new Request(origin, { headers: { cookie: visitor.cookie } }),
  )
  expect(session).toMatchObject({
    sub: 'alice',
    issuer: op.issuer,
    session_id: visitor.cookies.get(session_cookie),
    id_token_claims: { sub: 'alice' },
  })
  expect(site.troubles).toEqual([])
})

test('relyd is asked once for a request, and not at all for what can be no session', async () => {
  const { website, visitor, client } = makeSite()
  const browser = visitor()
  await logIn(browser)
  const before = client.asked('get_session')
  const request = new Request(origin, { headers: { cookie: browser.cookie } })
  await Promise.all([website.session(request), website.session(request)])
  await website.requireLogin(request)
  const none = (cookie: string) => website.session(new Request(origin, { headers: { cookie } }))
  expect(await none(`${session_cookie}=`)).toBeUndefined()
  expect(await none(`${session_cookie}=${'x'.repeat(5000)}`)).toBeUndefined()
  expect(await none(`${session_cookie}=../../etc`)).toBeUndefined()
  expect(await none(`${browser.cookie}; ${browser.cookie}`)).toBeUndefined()
  expect(await none(`${session_cookie}=${'A'.repeat(32)}`)).toBeUndefined()
  expect(client.asked('get_session') - before).toBe(2)
})

test('another browser with the stolen callback is refused, and the right one goes on', async () => {
  const { visitor, troubles } = makeSite()
  const alice = visitor()
  const mallory = visitor()
  const callback = await new EndUser().logIn(locationOf(await alice.visit('/profile')))

  const refused = await mallory.visit(callback)
  expect(refused.status).toBe(400)
  expect(mallory.cookies.size).toBe(0)
  const page = await refused.text()
  expect(page).toContain('This login began elsewhere')
  expect(page).toContain('href="/app/login"')
  // A login of Mallory's own does not help either.
  await mallory.visit('/app/login')
  expect((await mallory.visit(callback)).status).toBe(400)
  expect(troubles.map(({ code }) => code)).toEqual(['other_browser', 'other_browser'])

  expect((await alice.visit(callback)).status).toBe(303)
  expect(await (await alice.visit('/profile')).text()).toBe('Hello, alice')
})

test('several tabs log in at once, each to its page', async () => {
  const browser = makeSite().visitor()
  const user = new EndUser()
  const sent = [await browser.visit('/a'), await browser.visit('/b'), await browser.visit('/c')]
  const pages: string[] = []
  for (const one of sent)
    pages.push(locationOf(await browser.visit(await user.logIn(locationOf(one)))))
  expect(pages).toEqual([`${origin}/a`, `${origin}/b`, `${origin}/c`])
  expect(await (await browser.visit('/a')).text()).toBe('Hello, alice')
  expect([...browser.cookies.keys()]).toEqual([session_cookie])
})

test('a callback that was used leads on, if somebody is logged in, and is explained if not', async () => {
  const { visitor } = makeSite({ after_login: '/home' })
  const browser = visitor()
  const callback = await new EndUser().logIn(locationOf(await browser.visit('/profile')))
  await browser.visit(callback)
  expect(locationOf(await browser.visit(callback))).toBe(`${origin}/home`)
  expect(locationOf(await browser.visit('/app/callback'))).toBe(`${origin}/home`)
  const other = await visitor().visit(callback)
  expect(other.status).toBe(400)
  expect(await other.text()).toContain('This login is over')
  expect((await visitor().visit('/app/callback?code=x&state=a&state=b')).status).toBe(400)
})

test('of many callbacks at once, one logs in', async () => {
  const browser = makeSite().visitor()
  const callback = await new EndUser().logIn(locationOf(await browser.visit('/profile')))
  const answers = await Promise.all(Array.from({ length: 20 }, () => browser.visit(callback)))
  const sessions = answers.filter(({ headers }) =>
    headers.getSetCookie().some((line) => line.startsWith(`${session_cookie}=`)),
  )
  expect(sessions).toHaveLength(1)
  expect(await (await browser.visit('/profile')).text()).toBe('Hello, alice')
})

test('who is logged in is told of somebody else’s callback all the same', async () => {
  const { visitor } = makeSite()
  const mallory = visitor()
  const callback = await new EndUser().logIn(locationOf(await mallory.visit('/profile')))
  const alice = visitor()
  await logIn(alice)
  const { cookie } = alice
  expect((await alice.visit(callback)).status).toBe(400)
  expect(alice.cookie).toBe(cookie)
})

test('S9 each login has a new session, and ends the one that the browser had', async () => {
  const { visitor, website } = makeSite()
  const browser = visitor()
  await logIn(browser)
  const [old] = [browser.cookie]
  await browser.visit(await new EndUser().logIn(locationOf(await browser.visit('/app/login'))))
  expect(browser.cookie).not.toBe(old)
  const session = (cookie: string) => website.session(new Request(origin, { headers: { cookie } }))
  expect(await session(browser.cookie)).toMatchObject({ sub: 'alice' })
  expect(await session(old)).toBeUndefined()
})

test('S9 a session that somebody planted does not become the End-User’s', async () => {
  const { visitor, website } = makeSite()
  const mallory = visitor()
  await logIn(mallory)
  const planted = mallory.cookie
  const victim = visitor()
  victim.cookies.set(session_cookie, mallory.cookies.get(session_cookie) as string)
  await victim.visit(await new EndUser().logIn(locationOf(await victim.visit('/app/login'))))
  expect(victim.cookie).not.toBe(planted)
  expect(
    await website.session(new Request(origin, { headers: { cookie: planted } })),
  ).toBeUndefined()
})

test('S11 nobody writes a link that leads elsewhere after the login', async () => {
  const { visitor } = makeSite({ after_login: '/home' })
  const ends = async (return_to: string) => {
    const browser = visitor()
    const query = new URLSearchParams({ return_to })
    const sent = await browser.visit(
      `/app/login?${query}&client_id=x&redirect_uri=https://evil.example/&state=mine`,
    )
    const { searchParams } = new URL(locationOf(sent))
    expect(searchParams.get('redirect_uri')).toBe(`${origin}/app/callback`)
    expect(searchParams.get('state')).not.toBe('mine')
    return locationOf(await browser.visit(await new EndUser().logIn(locationOf(sent))))
  }
  expect(await ends('/profile?a=b')).toBe(`${origin}/profile?a=b`)
  expect(await ends(`${origin}/profile`)).toBe(`${origin}/profile`)
  expect(await ends('//evil.example/')).toBe(`${origin}/home`)
  expect(await ends('https://evil.example/')).toBe(`${origin}/home`)
  expect(await ends('/app/logout')).toBe(`${origin}/home`)
  expect(await ends(`/${'a'.repeat(3000)}`)).toBe(`${origin}/home`)
})

test('what relyd kept for the login is judged again when it is used', async () => {
  const { client, visitor } = makeSite()
  const browser = visitor()
  const { authorization_url, set_cookie } = await client.getAuthorizationUrl({
    return_to: 'https://evil.example/',
  })
  const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set_cookie) ?? []
  browser.cookies.set(name, value)
  const back = await browser.visit(await new EndUser().logIn(authorization_url))
  expect(locationOf(back)).toBe(`${origin}/`)
})

test('a script is answered 401, and no login begins for it', async () => {
  const { visitor, client } = makeSite()
  const browser = visitor()
  browser.cookies.set(session_cookie, 'A'.repeat(32))
  for (const headers of [
    script,
    { 'x-requested-with': 'XMLHttpRequest', accept: 'text/html' },
    {},
  ]) {
    const response = await browser.visit('/data', { headers })
    expect(response.status).toBe(401)
    expect(await response.json()).toEqual({ error: 'login_required', login_path: '/app/login' })
    expect(response.headers.get('www-authenticate')).toBe(`Cookie realm="${origin}"`)
    expect(response.headers.get('cache-control')).toBe('no-store')
    // In another tab a login may just have been completed: its cookie stays.
    expect(response.headers.getSetCookie()).toEqual([])
  }
  const prefetched = await browser.visit('/page', {
    headers: { ...script, 'sec-purpose': 'prefetch' },
  })
  expect(prefetched.status).toBe(401)
  expect(
    (await browser.visit('/app/login', { headers: { 'sec-purpose': 'prefetch' } })).status,
  ).toBe(503)
  expect(client.asked('get_authorization_url')).toBe(0)
})

test('S12 a form is answered by a page that leads back to it, and its content is not kept', async () => {
  const { visitor } = makeSite()
  const browser = visitor()
  const send = (referer?: string) =>
    browser.visit('/order', {
      method: 'POST',
      body: 'what=everything',
      headers: { accept: 'text/html', ...(referer !== undefined && { referer }) },
    })
  const response = await send(`${origin}/cart?page=2&x="<b>`)
  expect(response.status).toBe(401)
  expect(response.headers.getSetCookie()).toEqual([])
  const page = await response.text()
  expect(page).toContain('What you sent was not kept')
  expect(page).not.toContain('everything')
  expect(page).toContain('href="/app/login?return_to=%2Fcart%3Fpage%3D2%26x%3D%2522%253Cb%253E"')
  for (const referer of [undefined, 'https://evil.example/', `${origin}/app/login`]) {
    expect(await (await send(referer)).text()).toContain('href="/app/login"')
  }
})

test('a session that is over is asked for again, and its cookie taken away', async () => {
  const { visitor, client } = makeSite()
  const browser = visitor()
  await logIn(browser)
  await client.endSession({ session_id: browser.cookies.get(session_cookie) as string })
  expect((await browser.visit('/data', { headers: script })).status).toBe(401)
  expect(locationOf(await browser.visit('/profile'))).toContain(op.issuer)
  expect(browser.cookies.has(session_cookie)).toBe(false)
})

test('a logout ends the session in browser and relyd, and goes on to the OP', async () => {
  const { visitor, website } = makeSite()
  const browser = visitor()
  await logIn(browser)
  const { cookie } = browser
  const page = await browser.visit('/app/logout')
  expect(await page.text()).toContain('<form method="post" action="/app/logout">')
  // Browsers hold the OP's redirect against a policy for forms.
  expect(page.headers.get('content-security-policy')).not.toContain('form-action')

  const response = await browser.post('/app/logout')
  expect(response.status).toBe(303)
  const { origin: at, searchParams } = new URL(locationOf(response))
  expect(at).toBe(op.issuer)
  expect(searchParams.get('post_logout_redirect_uri')).toBe(`${origin}/bye`)
  expect(browser.cookies.size).toBe(0)
  expect(await website.session(new Request(origin, { headers: { cookie } }))).toBeUndefined()
  // Again: there is nothing to end any more.
  expect(locationOf(await browser.post('/app/logout'))).toBe(`${origin}/`)
  browser.cookies.set(session_cookie, cookie.slice(session_cookie.length + 1))
  expect(locationOf(await browser.post('/app/logout'))).toBe(`${origin}/`)
  expect(browser.cookies.size).toBe(0)
})

test('no other site logs anybody out', async () => {
  const { visitor } = makeSite()
  const browser = visitor()
  await logIn(browser)
  const elsewhere: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ]
  for (const headers of elsewhere) {
    const response = await browser.post('/app/logout', undefined, headers)
    expect([response.status, response.headers.getSetCookie()]).toEqual([403, []])
  }
  expect(await (await browser.visit('/profile')).text()).toBe('Hello, alice')
  expect(locationOf(await browser.post('/app/logout', undefined, { origin }))).toContain(op.issuer)
})

test('where the OP offers no logout, the session ends here', async () => {
  const modest = await startOp({
    configuration: { features: { rpInitiatedLogout: { enabled: false } } },
  })
  try {
    const { visitor, website } = makeSite(
      { after_logout: 'https://www.example/bye' },
      { op: modest },
    )
    const browser = visitor()
    await logIn(browser)
    const { cookie } = browser
    expect(locationOf(await browser.post('/app/logout'))).toBe('https://www.example/bye')
    expect(browser.cookies.size).toBe(0)
    expect(await website.session(new Request(origin, { headers: { cookie } }))).toBeUndefined()
  } finally {
    await modest.close()
  }
})

test('without relyd nobody passes, and everybody is told to come again', async () => {
  await using own = await TestDaemon.start()
  const { visitor, troubles, client } = makeSite({}, { daemon: own })
  const browser = visitor()
  await logIn(browser)
  await own.signal('SIGKILL')

  const page = await browser.visit('/profile')
  expect([page.status, page.headers.get('retry-after')]).toEqual([503, '5'])
  expect(page.headers.get('content-type')).toContain('text/html')
  const data = await browser.visit('/data', { headers: script })
  expect([data.status, await data.json()]).toEqual([
    503,
    expect.objectContaining({ error: 'relyd_unavailable' }),
  ])
  expect((await visitor().visit('/profile')).status).toBe(503)
  expect((await visitor().visit('/app/callback?code=a&state=b')).status).toBe(503)
  expect(troubles[0]).toMatchObject({
    code: 'relyd_unavailable',
    error: { code: 'ERR_UNREACHABLE' },
  })

  // The browser forgets its session all the same.
  const left = await browser.post('/app/logout')
  expect([left.status, browser.cookies.size]).toEqual([503, 0])
  expect(await left.text()).toContain('You are logged out in this browser')
  await client.close()
})

test('an OP that is away is a matter of patience', async () => {
  const away = await startOp()
  const site = makeSite({}, { op: away })
  const browser = site.visitor()
  const callback = await new EndUser().logIn(locationOf(await browser.visit('/profile')))
  await away.close()
  const response = await browser.visit(callback)
  expect([response.status, response.headers.get('retry-after')]).toEqual([502, '5'])
  const shown = await response.text()
  expect(shown).toContain('The login service does not answer')
  // What an End-User reads out finds the cause in relyd's log.
  const [, request_id] = /with this number: <strong>([\w-]+)</.exec(shown) ?? []
  expect(site.troubles[0]?.request_id).toBe(request_id)
  const lines = () => daemon.log.filter((line) => line['request_id'] === request_id)
  await expect.poll(() => lines().at(-1)).toMatchObject({ outcome: 'op_unreachable' })
  expect(lines()[0]).toMatchObject({ msg: 'OP call', why: expect.stringContaining('refused') })
  // A site that never saw it cannot even begin.
  const late = await makeSite({}, { op: away }).visitor().visit('/app/login')
  expect([late.status, late.headers.get('retry-after')]).toEqual([502, '5'])
})

test('S18 what the OP says is no part of a page', async () => {
  const { visitor, troubles } = makeSite()
  const say = async (error: string, error_description = '</p><script>alert(1)</script>') => {
    const browser = visitor()
    const url = new URL(locationOf(await browser.visit('/profile')))
    const state = url.searchParams.get('state') as string
    const query = new URLSearchParams({ error, error_description, state, iss: op.issuer })
    return browser.visit(`/app/callback?${query}`)
  }
  const cancelled = await say('access_denied')
  const cancelled_page = await cancelled.text()
  expect(cancelled.status).toBe(403)
  expect(cancelled_page).toContain('You cancelled the login')
  // Nobody has to be told of that.
  expect(cancelled_page).not.toContain('this number')
  const failed = await say('server_error')
  const page = await failed.text()
  expect(failed.status).toBe(502)
  expect(page).not.toContain('script')
  expect(page).not.toContain('server_error')
  expect(failed.headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'sha256-.+'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'$/,
  )
  expect(failed.headers.get('x-content-type-options')).toBe('nosniff')
  // It is for the log.
  expect(troubles.map(({ code }) => code)).toEqual(['login_cancelled', 'login_failed'])
  expect(troubles[1]?.error).toMatchObject({ details: { error: 'server_error' } })
})

test('the site may refuse who logged in', async () => {
  const { visitor, troubles, client } = makeSite({ on_login: ({ sub }) => sub !== 'alice' })
  const browser = visitor()
  const response = await logIn(browser)
  expect([response.status, await response.text()]).toEqual([
    403,
    expect.stringContaining('You cannot log in here'),
  ])
  expect(browser.cookies.size).toBe(0)
  expect(troubles.map(({ code }) => code)).toEqual(['login_refused'])
  expect(client.asked('end_session')).toBe(1)
})

test('an error of the site’s own reaches the framework, and nobody is logged in', async () => {
  let seen = ''
  const { visitor, client } = makeSite({
    on_login({ session_id }) {
      seen = session_id
      throw new RangeError('the accounts are full')
    },
  })
  const browser = visitor()
  await expect(logIn(browser)).rejects.toThrow('the accounts are full')
  expect(browser.cookies.has(session_cookie)).toBe(false)
  await expect(client.getSession({ session_id: seen })).rejects.toMatchObject({
    code: 'invalid_session_id',
  })
})

test('P42 any number of a site’s processes agree who is logged in', async () => {
  const site = makeSite()
  const visitor = site.visitor()
  await logIn(visitor)
  const other = anotherProcess(site)
  const asked = () => new Request(`${origin}/app/logout`, { method: 'POST', headers: { cookie } })
  const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  expect(await other.session(asked())).toMatchObject({ sub: 'alice' })
  expect((await other.handle(asked()))?.status).toBe(303)
  expect(await site.website.session(asked())).toBeUndefined()
})

test('the site may show pages of its own', async () => {
  const { visitor } = makeSite({
    on_trouble: ({ code, status }, _request, told) =>
      code === 'login_over' && told === 'person'
        ? new Response(`our page: ${code}`, { status, headers: { 'cache-control': 'private' } })
        : undefined,
  })
  const own = await visitor().visit('/app/callback?code=a&state=b')
  expect([own.status, await own.text(), own.headers.get('cache-control')]).toEqual([
    400,
    'our page: login_over',
    'private',
  ])
  expect(own.headers.get('referrer-policy')).toBe('no-referrer')
  const plain = await visitor().visit('/app/logout', { method: 'PUT' })
  expect([plain.status, plain.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST'])
  const script = await visitor().visit('/app/callback?code=a&state=b', {
    headers: { 'sec-fetch-mode': 'cors' },
  })
  expect([script.status, await script.json()]).toEqual([
    400,
    {
      error: 'login_over',
      login_path: '/app/login',
      request_id: expect.stringMatching(/^[0-9a-z]{8}-\d+$/),
    },
  ])
})

test('S13 S14 neither Host nor a look-alike of a path changes anything', async () => {
  const { website, visitor } = makeSite()
  const response = await website.handle(
    new Request('http://evil.example:81/app/login', {
      headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' },
    }),
  )
  const { searchParams } = new URL(locationOf(response as Response))
  expect(searchParams.get('redirect_uri')).toBe(`${origin}/app/callback`)
  expect(response?.headers.getSetCookie()[0]).toMatch(/^__Host-/)

  for (const path of [
    '/app/login/',
    '/app/LOGIN',
    '//app/login',
    '/app/%6cogin',
    '/app/login;a',
    '/?/app/login',
  ]) {
    expect(await website.handle(new Request(origin + path)), path).toBeUndefined()
  }
  // A protected page is one whatever its query looks like.
  expect((await visitor().visit('/data?x=/app/login', { headers: script })).status).toBe(401)
  expect((await visitor().visit('/app/login', { method: 'HEAD' })).status).toBe(405)
})

test('logins that were never finished do not fill the browser’s header', async () => {
  const browser = makeSite().visitor()
  for (let at = 0; at < 25; at += 1) await browser.visit('/profile')
  expect(browser.cookies.size).toBe(10)
  // The latest can still be finished.
  const callback = await new EndUser().logIn(locationOf(await browser.visit('/profile')))
  expect(locationOf(await browser.visit(callback))).toBe(`${origin}/profile`)
})

test('a login of the site’s own, with parameters for the OP', async () => {
  const { website } = makeSite({ login: { scope: ['openid'], prompt: 'login' } })
  const sent = await website.startLogin(new Request(`${origin}/pay?sum=3`), {
    acr_values: ['strong'],
    prompt: 'consent',
  })
  const { searchParams } = new URL(locationOf(sent))
  expect(Object.fromEntries(searchParams)).toMatchObject({
    scope: 'openid',
    acr_values: 'strong',
    prompt: 'consent',
  })
})

test('an OP that posts the callback: the browser brings the login’s cookie all the same', async () => {
  await using bent = await BentOp.start({ alg: 'ES256' })
  await using other = await TestDaemon.start({
    sections: `[op bent]\nop_host = ${bent.issuer}\nresponse_mode = form_post\n`,
  })
  const site = makeSite({}, { op: bent as unknown as Op, daemon: other })
  const visitor = site.visitor()
  const sent = await visitor.visit('/profile?tab=1')
  const [line = ''] = sent.headers.getSetCookie()
  // Browsers send no other cookie along with a POST from elsewhere.
  expect(line).toMatch(/^__Host-relyd-login-.+HttpOnly; Secure; SameSite=None$/)
  const form = bent.authorizeByPost(locationOf(sent), (response) => {
    response.set('user', '{"name":{"firstName":"Älice"}}')
  })
  const post = (from: Visitor, body: string, type = 'application/x-www-form-urlencoded') =>
    from.visit('/app/callback', {
      method: 'POST',
      body,
      headers: {
        ...visit,
        'sec-fetch-site': 'cross-site',
        origin: bent.origin,
        'content-type': type,
      },
    })

  const elsewhere = await post(site.visitor(), form)
  expect([elsewhere.status, site.troubles.at(-1)?.code]).toEqual([400, 'other_browser'])
  for (const [body, type] of [
    [form, 'text/plain'],
    [form, 'application/json'],
    ['', undefined],
    [`${form}&more=${'x'.repeat(65_536)}`, undefined],
  ] as const) {
    const calls = site.client.asked('get_tokens_by_callback')
    const refused = await post(visitor, body, type)
    expect([refused.status, site.troubles.at(-1)?.code]).toEqual([400, 'login_over'])
    if (type !== undefined) expect(site.client.asked('get_tokens_by_callback')).toBe(calls)
  }

  const back = await post(visitor, form)
  expect([back.status, locationOf(back)]).toEqual([303, `${origin}/profile?tab=1`])
  expect(await (await visitor.visit('/profile')).text()).toBe('Hello, alice')
  const [session] = back.headers.getSetCookie().filter((one) => one.startsWith(session_cookie))
  expect(session).toContain('SameSite=Lax')

  const again = await post(visitor, form)
  expect(again.status).toBe(303)
})

test('C6 a response in the fragment: a page brings it to the server, and nobody else sees it', async () => {
  await using bent = await BentOp.start()
  const at = { op: bent as unknown as Op }
  const site = makeSite(
    { login: { response_mode: 'fragment' }, after_login: 'https://app.example/' },
    at,
  )
  const visitor = site.visitor()
  const sent = await visitor.visit('/profile?tab=1')
  const [address = '', response = ''] = bent.authorize(locationOf(sent)).split('#')
  expect(new URL(address).search).toBe('')

  // Of the fragment, browsers send nothing.
  const page = await visitor.visit(address)
  expect(page.status).toBe(200)
  const text = await page.text()
  const policy = page.headers.get('content-security-policy') ?? ''
  const [, body = ''] = /<script>(.*)<\/script>/s.exec(text) ?? []
  const hash = createHash('sha256').update(body).digest('base64')
  expect(policy).toContain(`script-src 'sha256-${hash}'`)
  expect(policy).toContain("default-src 'none'")
  // The form's way ends where logins lead.
  expect(policy).toContain("form-action 'self' https://app.example;")
  expect(page.headers.get('cache-control')).toBe('no-store')
  expect(page.headers.get('referrer-policy')).toBe('no-referrer')
  expect(text).toContain('<form method="post" action="/app/callback">')
  expect(text).toMatch(/<noscript>.*Allow it for this website.*<\/noscript>/)
  expect(site.client.asked('get_tokens_by_callback')).toBe(0)

  const post = (from: Visitor) =>
    from.visit('/app/callback', {
      method: 'POST',
      body: response,
      headers: { ...visit, 'content-type': 'application/x-www-form-urlencoded' },
    })
  const elsewhere = await post(site.visitor())
  expect([elsewhere.status, site.troubles.at(-1)?.code]).toEqual([400, 'other_browser'])
  const back = await post(visitor)
  expect([back.status, locationOf(back)]).toEqual([303, `${origin}/profile?tab=1`])
  expect(await (await visitor.visit('/profile')).text()).toBe('Hello, alice')

  // Without a login under way there is nothing that a fragment could finish; a program gets no page.
  expect((await site.visitor().visit('/app/callback')).status).toBe(400)
  const other = site.visitor()
  await other.visit('/app/login')
  expect((await other.visit('/app/callback', { headers: script })).status).toBe(400)
})

test('P44 a silent login that needs the End-User is told so, and another one is offered', async () => {
  await using bent = await BentOp.start()
  const site = makeSite({ login: { prompt: 'none' } }, { op: bent as unknown as Op })
  const visitor = site.visitor()
  const sent = await visitor.visit('/profile')
  const callback = bent.authorize(locationOf(sent), (response) => {
    response.delete('code')
    response.set('error', 'login_required')
  })
  const back = await visitor.visit(callback)
  expect([back.status, site.troubles.at(-1)?.code]).toEqual([403, 'login_interactive'])
  expect(await back.text()).toContain('href="/app/login"')
  // The site goes on without prompt=none, where it wants to.
  const request = new Request(`${origin}/profile`, { headers: { cookie: visitor.cookie } })
  const again = await site.website.startLogin(request, { prompt: undefined })
  expect(new URL(locationOf(again)).searchParams.has('prompt')).toBe(false)
})

test('P44 who it is, is iss and sub together: the same sub at another OP is somebody else', async () => {
  await using one = await BentOp.start()
  await using other = await BentOp.start()
  const people: string[] = []
  for (const op of [one, other]) {
    const on_login: WebsiteOptions['on_login'] = ({ issuer, sub }) => {
      people.push(`${issuer} ${sub}`)
      return true
    }
    const site = makeSite({ on_login }, { op: op as unknown as Op })
    const visitor = site.visitor()
    const sent = await visitor.visit('/profile')
    expect((await visitor.visit(op.authorize(locationOf(sent)))).status).toBe(303)
  }
  expect(people).toEqual([`${one.issuer} alice`, `${other.issuer} alice`])
})

test('a login that is weaker than was required is told so, and makes no session', async () => {
  await using bent = await BentOp.start({ metadata: { claims_parameter_supported: true } })
  bent.acr = 'silver'
  const login = { acr_values: ['gold'], require_acr: true }
  const site = makeSite({ login }, { op: bent as unknown as Op })
  const visitor = site.visitor()
  const back = await visitor.visit(bent.authorize(locationOf(await visitor.visit('/profile'))))
  expect([back.status, site.troubles.at(-1)?.code]).toEqual([403, 'login_too_weak'])
  const page = await back.text()
  expect(page).toContain('stronger login')
  expect(page).toContain('href="/app/login"')
  expect((await visitor.visit('/profile')).status).toBe(303)

  bent.acr = 'gold'
  const sent = await visitor.visit('/profile')
  expect((await visitor.visit(bent.authorize(locationOf(sent)))).status).toBe(303)
  expect(await (await visitor.visit('/profile')).text()).toBe('Hello, alice')
})

test('oidcc-client-test-3rd-party-init-login: the OP’s word starts a login, and nothing else', async () => {
  await using bent = await BentOp.start()
  const site = makeSite({}, { op: bent as unknown as Op })
  const visitor = site.visitor()
  const ask = (asked: Record<string, string>) =>
    visitor.visit(`/app/login?${new URLSearchParams(asked)}`)
  const good = { iss: bent.issuer, login_hint: 'alice@op.example' }

  const sent = await ask({ ...good, target_link_uri: `${origin}/profile?tab=1` })
  expect(new URL(locationOf(sent)).searchParams.get('login_hint')).toBe('alice@op.example')
  const back = await visitor.visit(bent.authorize(locationOf(sent)))
  expect(locationOf(back)).toBe(`${origin}/profile?tab=1`)

  const posted = await visitor.visit('/app/login', {
    method: 'POST',
    body: new URLSearchParams(good).toString(),
    headers: { ...visit, 'content-type': 'application/x-www-form-urlencoded' },
  })
  expect(new URL(locationOf(posted)).searchParams.get('login_hint')).toBe('alice@op.example')

  // S11: no open redirect.
  for (const target_link_uri of ['https://evil.example/', '//evil.example', '/\\evil.example']) {
    const led = await ask({ ...good, target_link_uri })
    expect(locationOf(await visitor.visit(bent.authorize(locationOf(led))))).toBe(`${origin}/`)
  }
  for (const iss of ['https://evil.example', `${bent.issuer}/`, '']) {
    const logins = site.client.asked('get_authorization_url')
    const refused = await ask({ ...good, iss })
    expect([refused.status, site.troubles.at(-1)?.code]).toEqual([403, 'from_elsewhere'])
    expect(refused.headers.getSetCookie()).toEqual([])
    expect(site.client.asked('get_authorization_url')).toBe(logins)
  }
  // What is no address of mail is left out, however long.
  const long = await ask({ ...good, login_hint: 'x'.repeat(5000) })
  expect(new URL(locationOf(long)).searchParams.has('login_hint')).toBe(false)
})
