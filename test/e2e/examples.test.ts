/** Each example of the SDK is a website that logs people in and out. */
import { readdirSync } from 'node:fs'
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
  daemon = await TestDaemon.start()
})

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await op?.close()
})

const cfg = () => `[oxd]
socket = ${daemon.socket}
[client]
op_host = ${op.issuer}
authorization_redirect_uri = http://localhost:3000/callback
post_logout_redirect_uri = http://localhost:3000/
`

test('every website among the examples is run here', () => {
  const files = readdirSync(new URL('../../sdk/examples', import.meta.url))
  const websites = files.filter((name) => name.endsWith('.ts') && name !== 'pieces.ts')
  expect(websites.sort()).toEqual(examples.map((name) => `${name}.ts`))
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
