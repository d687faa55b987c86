/** Each example of the SDK is a website that logs people in and out. */
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { cookiesOf } from '../support/cookies.js'
import { TestDaemon } from '../support/daemon.js'
import { ExampleWebsite } from '../support/website.js'

const examples = ['express', 'fastify', 'node_http', 'plain_calls']

let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start({ sections: '[realm default]\nwebfinger = yes\n' })
})

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await op?.close()
})

const cfg = (path = '', at = op) => `[oxd]
socket = ${daemon.socket}
[client]
op_host = ${at.issuer}
authorization_redirect_uri = http://localhost:3000${path}/callback
post_logout_redirect_uri = http://localhost:3000/
`

test('every website among the examples is run here', () => {
  const files = readdirSync(new URL('../../sdk/examples', import.meta.url))
  const websites = files.filter((name) => name.endsWith('.ts') && name !== 'pieces.ts')
  expect(websites.sort()).toEqual([...examples, 'several_ops'].map((name) => `${name}.ts`))
})

test.each(examples)('%s logs a user in and out', async (name) => {
  await using site = await ExampleWebsite.start(name, cfg())
  expect(await (await site.get('/')).text()).toContain('href="/login"')

  // The helper leads back to the page that wanted a login.
  const [from, to] = name === 'plain_calls' ? ['/login', '/'] : ['/profile', '/profile']
  const { callback, login_cookie, back, cookie } = await site.logIn(from)
  expect(back.status).toBe(303)
  const { pathname } = new URL(back.headers.get('location') ?? '', site.origin)
  expect(pathname).toBe(to)
  expect(back.headers.getSetCookie().every((line) => line.includes('HttpOnly'))).toBe(true)
  expect(await (await site.get('/', cookie)).text()).toContain('href="/profile"')
  const profile = await site.get('/profile', cookie)
  expect(profile.headers.get('cache-control')).toContain('no-store')
  expect(await profile.json()).toMatchObject({ sub: 'alice', name: 'Alice Ångström' })

  // Nobody else gets in: without a cookie, with another's callback, with one that was used.
  const stranger = await site.get('/profile')
  expect(stranger.status).toBeLessThan(400)
  expect(stranger.headers.get('location')).toBeTruthy()
  for (const lost of ['', login_cookie]) {
    const again = await site.get(callback, lost)
    expect(again.status).toBeGreaterThanOrEqual(400)
    expect(cookiesOf(again)).not.toMatch(/session=\w/)
  }

  const logout = await site.get('/logout', cookie, 'POST')
  expect(logout.headers.get('location')).toContain(`${op.issuer}/session/end?`)
  expect(cookiesOf(logout)).toMatch(/session[\w-]*=$/)
  const over = await site.get('/profile', cookie)
  expect(over.headers.get('location')).toBeTruthy()
  expect(await over.text()).not.toContain('Ångström')
})

test('several_ops logs users in at their OP, which their address finds', async () => {
  const second = await startOp()
  const domain = createServer((_, response) => {
    const links = [{ rel: 'http://openid.net/specs/connect/1.0/issuer', href: second.issuer }]
    response.setHeader('content-type', 'application/jrd+json').end(JSON.stringify({ links }))
  })
  try {
    await once(domain.listen(0, '127.0.0.1'), 'listening')
    const { port } = domain.address() as AddressInfo
    await using site = await ExampleWebsite.start('several_ops', {
      acme: cfg('/acme'),
      umbrella: cfg('/umbrella', second),
    })
    const find = async (who: string) => {
      const found = await site.get(`/find?who=${encodeURIComponent(who)}`)
      return found.headers.get('location')
    }
    expect(await find(`acct:alice@127.0.0.1:${port}`)).toBe('/umbrella/login')
    expect(await find('alice@localhost')).toBe('/?unknown')
    const there = await site.logIn('/umbrella/login')
    const profile = await (await site.get('/profile', there.cookie)).json()
    expect(profile).toMatchObject({ sub: 'alice', at: second.issuer })
    const here = await site.logIn('/acme/login')
    expect(await (await site.get('/profile', here.cookie)).json()).toMatchObject({ at: op.issuer })
    const out = await site.get('/acme/logout', here.cookie, 'POST')
    expect(out.headers.get('location')).toContain(`${op.issuer}/session/end?`)
    expect((await site.get('/profile', here.cookie)).headers.get('location')).toBe('/')
    expect((await site.get('/profile', there.cookie)).status).toBe(200)
  } finally {
    domain.close()
    await second.close()
  }
})
