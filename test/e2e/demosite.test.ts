/** What a newcomer does first: the demo in a browser, from login to logout. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startOp } from '../../demosite/src/op.js'
import { hasChromium, openBrowser } from '../support/chromium.js'
import { cookiesOf } from '../support/cookies.js'
import { Demo } from '../support/demo.js'
import { EndUser } from '../support/end_user.js'
import { freePort } from '../support/free_port.js'

test('the demo answers within five seconds, and Ctrl-C leaves nothing behind', async () => {
  const started_at = performance.now()
  await using demo = await Demo.start()
  const response = await fetch(demo.address)
  expect(performance.now() - started_at).toBeLessThan(5000)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(await demo.interrupt()).toEqual({ code: 0, left: [] })
})

test('with --op it logs in at a real OP, as the client that was registered there by hand', async () => {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'relyd-demo-op-'))
  const secret = join(folder, 'secret')
  writeFileSync(secret, 'a secret; with # and = in it\n')
  const op = await startOp({
    configuration: {
      clients: [
        {
          client_id: 'by hand',
          client_secret: 'a secret; with # and = in it',
          redirect_uris: [`http://localhost:${port}/callback`],
          post_logout_redirect_uris: [`http://localhost:${port}/logged-out`],
        },
      ],
    },
  })
  try {
    const options = ['--client-id', 'by hand', '--client-secret-file', secret]
    await using demo = await Demo.start(['--port', String(port), '--op', op.issuer, ...options])
    const site = (path: string, init: RequestInit = {}) =>
      fetch(new URL(path, demo.address), { redirect: 'manual', ...init })
    const login = await site('/login', { method: 'POST', headers: { origin: demo.address } })
    const callback = await new EndUser().logIn(login.headers.get('location') as string)
    const back = await site(callback, { headers: { cookie: cookiesOf(login) } })
    const profile = await site('/profile', { headers: { cookie: cookiesOf(back) } })
    expect(await profile.text()).toContain('Alice Ångström')
  } finally {
    await op.close()
    rmSync(folder, { recursive: true })
  }
})

test.skipIf(!hasChromium())('a browser logs in, sees its profile and logs out', async () => {
  await using demo = await Demo.start()
  await using browser = await openBrowser()
  const { page } = browser
  await page.goto(demo.address)
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click()

  await page.getByLabel('Name').fill('alice')
  await page.getByLabel('Password').fill('wrong')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByLabel('Password').fill('wonderland')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('button', { name: 'Allow' }).click()

  await page.waitForURL('**/profile')
  expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Alice Ångström')
  const text = await page.getByRole('main').innerText()
  expect(text).toContain('alice@example.com')
  expect(text).toContain('"sub": "alice"')

  await page.getByRole('link', { name: 'Time' }).click()
  const time = await page.getByRole('main').innerText()
  expect(time).toContain('What the API answered: 200')
  expect(time).toContain('"asked_by": "alice"')
  expect(time).not.toMatch(/Bearer [\w-]/)

  const cookies = await page.context().cookies(demo.address)
  expect(cookies.every(({ httpOnly }) => httpOnly)).toBe(true)
  expect(cookies.some(({ name }) => name.includes('relyd-login'))).toBe(false)

  await page.getByRole('navigation').getByRole('button', { name: 'Log out' }).click()
  await page.getByRole('button', { name: 'Yes, log out' }).click()
  await page.waitForURL((url) => url.href.startsWith(demo.address))
  expect(await page.getByRole('status').innerText()).toContain('logged out')
  await page.goto(new URL('/profile', demo.address).href)
  expect(await page.getByRole('main').innerText()).not.toContain('alice@example.com')
  expect(browser.complaints).toEqual([])
})

test.skipIf(!hasChromium())(
  'a person who cancels at the OP is told so, and can try again',
  async () => {
    await using demo = await Demo.start()
    await using browser = await openBrowser()
    const { page } = browser
    await page.goto(demo.address)
    await page.getByRole('main').getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.waitForURL('**/callback?**')
    expect(await page.getByRole('main').innerText()).toMatch(/cancel/i)
    await page.getByRole('main').getByRole('link', { name: 'Log in' }).click()
    await page.getByLabel('Password').waitFor()
  },
)
