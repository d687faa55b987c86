/** The login helper in Express, Fastify and node:http: the same website, the same answers. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { type FrameworkSite, frameworks, startSite } from '../support/framework_sites.js'
import { form, locationOf, script, Visitor } from '../support/visitor.js'

let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start()
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

/** @returns the page that the login led back to */
async function logIn(visitor: Visitor, page = '/profile'): Promise<string> {
  const sent = locationOf(await visitor.visit(page))
  return locationOf(await visitor.visit(await new EndUser().logIn(sent)))
}

describe.each(frameworks)('%s', (framework) => {
  let site: FrameworkSite

  beforeAll(async () => {
    site = await startSite(framework, { op, daemon })
  })

  afterAll(() => site[Symbol.asyncDispose]())

  test('a visitor logs in, is back on the page, and logs out by its form', async () => {
    const visitor = new Visitor(site.origin)
    expect(await (await visitor.visit('/')).text()).toContain('nobody')
    expect(await logIn(visitor, '/profile?tab=1')).toBe(`${site.origin}/profile?tab=1`)
    expect([...visitor.cookies.keys()]).toEqual([`relyd-session-${new URL(site.origin).port}`])

    const page = await visitor.visit('/profile?tab=1')
    expect(await page.text()).toContain('Profile of alice')
    expect(page.headers.get('cache-control')).toBe('no-store')
    expect(page.headers.get('vary')).toContain('Cookie')
    expect(await (await visitor.visit('/')).text()).toContain('alice')

    const out = await visitor.post('/app/logout', new URLSearchParams({ some: 'field' }))
    expect(locationOf(out)).toContain(`${op.issuer}/session/end?`)
    expect(visitor.cookies.size).toBe(0)
    expect((await visitor.visit('/profile')).status).toBe(303)
  })

  test('a callback that is posted logs in as one in an address does', async () => {
    const visitor = new Visitor(site.origin)
    const sent = locationOf(await visitor.visit('/profile'))
    const { search } = new URL(await new EndUser().logIn(sent))
    const from_op = { ...form, 'sec-fetch-site': 'cross-site' }
    const urlencoded = { ...from_op, 'content-type': 'application/x-www-form-urlencoded' }
    const long = await visitor.post('/app/callback', `a=${'x'.repeat(70_000)}`, urlencoded)
    expect(long.status).toBeGreaterThanOrEqual(400)
    expect((await visitor.post('/app/callback', '{}', from_op)).status).toBe(400)
    const back = await visitor.post('/app/callback', search.slice(1), urlencoded)
    expect(locationOf(back)).toBe(`${site.origin}/profile`)
    expect(await (await visitor.visit('/profile')).text()).toContain('Profile of alice')
  })

  test('oidcc-client-test-3rd-party-init-login by a form, as OPs may send it', async () => {
    const visitor = new Visitor(site.origin)
    const from_op = {
      ...form,
      'sec-fetch-site': 'cross-site',
      'content-type': 'application/x-www-form-urlencoded',
    }
    const asked = (iss: string) => `${new URLSearchParams({ iss, login_hint: 'alice' })}`
    const sent = await visitor.post('/app/login', asked(op.issuer), from_op)
    expect(new URL(locationOf(sent)).searchParams.get('login_hint')).toBe('alice')
    const other = await visitor.post('/app/login', asked('https://evil.example'), from_op)
    expect([other.status, other.headers.getSetCookie()]).toEqual([403, []])
  })

  test('a script is told 401, a form has its content thrown away', async () => {
    const visitor = new Visitor(site.origin)
    const data = await visitor.visit('/data', { headers: script })
    expect([data.status, await data.json()]).toEqual([
      401,
      { error: 'login_required', login_path: '/app/login' },
    ])
    const order = await visitor.post('/order', new URLSearchParams({ what: 'everything' }))
    expect([order.status, await order.text()]).toEqual([
      401,
      expect.stringContaining('Please log in first'),
    ])
    await logIn(visitor)
    expect(site.orders).toEqual([])
    await visitor.post('/order', new URLSearchParams({ what: 'one thing' }))
    expect(site.orders).toEqual(['what=one+thing'])
  })

  test('a body that never ends is not waited for', async () => {
    const status = await new Promise((resolve, reject) => {
      const endless = httpRequest(`${site.origin}/order`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': 1_000_000,
        },
      })
      endless.on('response', (response) => {
        resolve(response.statusCode)
        endless.destroy()
      })
      endless.on('error', reject)
      endless.write('what=')
    })
    expect(status).toBe(401)
  })

  test('S13 pages of its own have their paths exactly, and their methods', async () => {
    const visitor = new Visitor(site.origin)
    for (const path of ['/login', '/app/login/', '/app/LOGIN', '/app/%6cogin', '/app/login/x']) {
      const response = await visitor.visit(path)
      expect([path, response.status, await response.text()]).toEqual([path, 404, 'no such page'])
    }
    expect((await visitor.visit('/app/callback', { method: 'HEAD' })).status).toBe(405)
    expect((await visitor.visit('/app/login', { method: 'DELETE' })).status).toBe(405)
    const json = { 'content-type': 'application/json' }
    expect((await visitor.post('/app/logout', 'no JSON', json)).status).toBe(303)
    const head = await visitor.visit('/app/logout', { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    expect(locationOf(await visitor.visit('/profile', { method: 'HEAD' }))).toContain(op.issuer)
  })

  test('the helper’s own pages carry their policy', async () => {
    const page = await new Visitor(site.origin).visit('/app/callback?code=a&state=b')
    expect(page.status).toBe(400)
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(page.headers.get('cache-control')).toBe('no-store')
  })

  test('a login of the site’s own making comes back to where it began', async () => {
    const visitor = new Visitor(site.origin)
    const sent = locationOf(await visitor.visit('/stronger?for=money'))
    const { searchParams } = new URL(sent)
    expect([searchParams.get('prompt'), searchParams.get('max_age')]).toEqual(['login', '60'])
    const back = await visitor.visit(await new EndUser().logIn(sent))
    expect(locationOf(back)).toBe(`${site.origin}/stronger?for=money`)
  })

  test('S14 Host and forwarded headers decide nothing', async () => {
    const location = await new Promise<string>((resolve, reject) => {
      const headers = {
        host: 'evil.example',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'https',
      }
      httpRequest(`${site.origin}/app/login`, { headers }, (response) => {
        resolve(response.headers.location ?? '')
        response.resume()
      })
        .on('error', reject)
        .end()
    })
    expect(new URL(location).searchParams.get('redirect_uri')).toBe(`${site.origin}/app/callback`)
  })

  test('a bearer token opens the API to whom it was given, and no more', async () => {
    const { client } = site
    const { authorization_url, set_cookie } = await client.getAuthorizationUrl()
    const { access_token = '' } = await client.getTokensByCallback({
      callback: await new EndUser().logIn(authorization_url),
      cookie: set_cookie.split(';', 1)[0],
    })
    const call = async (path: string, ...tokens: string[]) => {
      const lines = tokens.flatMap((token) => ['Authorization', `Bearer ${token}`])
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        httpRequest(site.origin + path, { headers: ['Host', 'localhost', ...lines] }, resolve)
          .on('error', reject)
          .end()
      })
      const { statusCode: status, headers } = answer
      return { status, challenge: headers['www-authenticate'], body: await text(answer) }
    }
    const good = await call('/api/time', access_token)
    expect([good.status, JSON.parse(good.body)]).toEqual([
      200,
      expect.objectContaining({ sub: 'alice', scope: expect.arrayContaining(['openid']) }),
    ])
    expect(await call('/api/admin', access_token)).toMatchObject({
      status: 403,
      challenge: expect.stringContaining('scope="openid admin"'),
    })
    expect(await call('/api/time', 'made_up')).toMatchObject({
      status: 401,
      challenge: expect.stringContaining('error="invalid_token"'),
    })
    expect(await call(`/api/time?access_token=${access_token}`)).toMatchObject({
      status: 401,
      challenge: `Bearer realm="${site.origin}", scope="openid"`,
    })
    expect(await call('/api/time', access_token, 'b')).toMatchObject({
      status: 400,
      challenge: expect.stringContaining('error="invalid_request"'),
    })
  })

  test('an error of the site’s own reaches the framework', async () => {
    await using strict = await startSite(framework, {
      op,
      daemon,
      website: {
        on_login() {
          throw new Error('the accounts are full')
        },
      },
    })
    const visitor = new Visitor(strict.origin)
    const sent = locationOf(await visitor.visit('/profile'))
    const response = await visitor.visit(await new EndUser().logIn(sent))
    expect([response.status, await response.text()]).toEqual([
      500,
      'framework: the accounts are full',
    ])
  })
})

test.each(['Express', 'Fastify'] as const)(
  '%s: a handler that asks who passed, on a route that lets everybody pass, is told so',
  async (framework) => {
    await using site = await startSite(framework, { op, daemon })
    const response = await new Visitor(site.origin).visit('/forgotten')
    expect([response.status, await response.text()]).toEqual([
      500,
      'framework: nobody passed requireLogin on this route: put it before this handler',
    ])
  },
)
