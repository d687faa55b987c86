import type { RequestListener } from 'node:http'
import { Client } from '@relyd/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cookiesOf } from '../../test/support/cookies.js'
import { TestDaemon } from '../../test/support/daemon.js'
import { EndUser } from '../../test/support/end_user.js'
import { navigate } from '../../test/support/navigate.js'
import { writeSiteConfig } from './config_files.js'
import { type Localhost, listenOnLocalhost } from './localhost.js'
import { type Op, startOp } from './op.js'
import { website } from './website.js'

let op: Op
let daemon: TestDaemon
let server: Localhost
let client: Client
let origin: string

beforeAll(async () => {
  op = await startOp({
    configuration: { issueRefreshToken: async () => true },
  })
  daemon = await TestDaemon.start()
  // The website must know its own address, which is known once it listens.
  let listener: RequestListener = () => {}
  server = await listenOnLocalhost(0, (request, response) => listener(request, response))
  origin = `http://localhost:${server.port}`
  const options = { scope: ['openid', 'profile'], client_id: undefined, client_secret: undefined }
  const config = await writeSiteConfig(
    daemon.folder,
    { ...options, help: false, port: 0, op: undefined },
    { op: op.issuer, origin },
  )
  client = new Client(config)
  listener = website(client)
})

afterAll(async () => {
  await server?.close()
  await client?.close()
  await daemon?.[Symbol.asyncDispose]()
  await op?.close()
})

const get = (path: string, cookie = '', headers: Record<string, string> = {}) =>
  navigate(new URL(path, origin), { headers: { cookie, ...headers } })

const post = (path: string, cookie = '', from = origin) =>
  navigate(new URL(path, origin), { method: 'POST', headers: { cookie, origin: from } })

/** Logs Alice in. @returns the cookies that she has then */
async function logIn(): Promise<string> {
  const login = await post('/login')
  const callback = await new EndUser().logIn(login.headers.get('location') as string)
  const back = await get(callback, cookiesOf(login))
  expect(back.headers.get('location')).toBe(`${origin}/profile`)
  return cookiesOf(back)
}

test('the home page invites strangers, and knows who is logged in', async () => {
  expect(await (await get('/')).text()).toContain('A login, and not one secret in the website')
  const home = await (await get('/', await logIn())).text()
  expect(home).toContain('You are logged in')
  expect(home).toContain(op.issuer)
})

test('the profile shows the claims to their owner, and is stored nowhere', async () => {
  const profile = await get('/profile', await logIn())
  expect(profile.headers.get('cache-control')).toBe('no-store')
  expect(await profile.text()).toContain('Alice Ångström')
  const stranger = await get('/profile')
  expect(stranger.headers.get('location')).toContain(`${op.issuer}/auth?`)
})

test('the time page shows what was sent to the API and what came, and no token', async () => {
  const cookie = await logIn()
  const page = await (await get('/time', cookie)).text()
  expect(page).toContain('GET /api/time HTTP/1.1')
  expect(page).toContain('What the API answered: 200')
  expect(page).toContain('&quot;asked_by&quot;: &quot;alice&quot;')
  const [session_id = ''] = /(?<==)[\w-]{20,}$/.exec(cookie) ?? []
  const { access_token } = await client.getAccessToken({ session_id })
  expect(page).not.toContain(access_token.slice(0, 8))
})

test('an access token that was revoked meanwhile is replaced by another', async () => {
  const cookie = await logIn()
  const [session_id = ''] = /(?<==)[\w-]{20,}$/.exec(cookie) ?? []
  const { access_token } = await client.getAccessToken({ session_id })
  await (await op.provider.AccessToken.find(access_token))?.destroy()
  expect(await (await get('/time', cookie)).text()).toContain('What the API answered: 200')
  expect((await client.getAccessToken({ session_id })).access_token).not.toBe(access_token)
})

test('the API refuses who has no token, or a wrong one', async () => {
  const none = await get('/api/time')
  expect([none.status, none.headers.get('www-authenticate')]).toEqual([
    401,
    expect.stringMatching(/^Bearer /),
  ])
  const wrong = await get('/api/time', '', { authorization: 'Bearer wrong' })
  expect(wrong.headers.get('www-authenticate')).toContain('invalid_token')
})

test('Log out ends the session and leads to the OP', async () => {
  const cookie = await logIn()
  expect((await post('/logout', cookie, 'https://evil.example')).status).toBe(403)
  expect((await get('/profile', cookie)).status).toBe(200)
  const logout = await post('/logout', cookie)
  expect(logout.headers.get('location')).toContain(`${op.issuer}/session/end?`)
  expect((await get('/profile', cookie)).headers.get('location')).toContain('/auth?')
  expect(await (await get('/logged-out')).text()).toContain('You are logged out')
  const stayed = await (await get('/logged-out', await logIn())).text()
  expect(stayed).not.toContain('You are logged out')
})

test('who cancelled, and a login that began elsewhere, get a page of this website with a way on', async () => {
  const login = await post('/login')
  const state = new URL(login.headers.get('location') ?? '').searchParams.get('state') ?? ''
  const back = new URLSearchParams({ error: 'access_denied', state, iss: op.issuer })
  const elsewhere = await get(`/callback?${back}`)
  expect(elsewhere.status).toBe(400)
  expect(await elsewhere.text()).toMatch(
    /relyd demosite.*This login began elsewhere.*href="\/login/s,
  )
  const cancelled = await get(`/callback?${back}`, cookiesOf(login))
  const page = await cancelled.text()
  expect(page).toContain('You cancelled the login')
  expect(page).toContain('href="/login')
})

test('when relyd is away the page says so, and it works again when it is back', async () => {
  const cookie = await logIn()
  await daemon.stop()
  const away = await get('/profile', cookie)
  expect(away.status).toBe(503)
  expect(await away.text()).toContain('relyd demosite')
  await daemon.start()
  expect((await get('/profile', cookie)).status).toBe(200)
})

test('unknown pages and methods are refused politely', async () => {
  expect((await get('/nowhere')).status).toBe(404)
  expect((await get('/constructor')).status).toBe(404)
  const posted = await post('/profile')
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  const head = await navigate(origin, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
})

test('reached by another name, it leads to the one that its cookies belong to', async () => {
  const response = await navigate(`${origin.replace('localhost', '127.0.0.1')}/profile?a=b`)
  expect(response.headers.get('location')).toBe(`${origin}/profile?a=b`)
})
