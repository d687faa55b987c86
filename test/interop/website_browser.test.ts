/** The login helper in a browser, with tabs, history and scripts: on Express, Fastify and node:http. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { type Browser, hasChromium, openBrowser } from '../support/chromium.js'
import { TestDaemon } from '../support/daemon.js'
import { type FrameworkSite, frameworks, startSite } from '../support/framework_sites.js'

const skipped = !hasChromium()

let op: Op
let daemon: TestDaemon
let alice: Browser
let mallory: Browser

beforeAll(async () => {
  if (skipped) return
  op = await startOp()
  daemon = await TestDaemon.start()
  alice = await openBrowser()
  mallory = await openBrowser()
})

afterAll(async () => {
  await alice?.[Symbol.asyncDispose]()
  await mallory?.[Symbol.asyncDispose]()
  await daemon?.[Symbol.asyncDispose]()
  await op?.close()
})

/** Logs in on the OP's page. */
async function logInAtOp(page: Page): Promise<void> {
  await page.getByLabel('Name').fill('alice')
  await page.getByLabel('Password').fill('wonderland')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('button', { name: 'Allow' }).click()
}

const heading = (page: Page) => page.getByRole('heading', { level: 1 }).innerText()

describe.skipIf(skipped).each(frameworks)('%s', (framework) => {
  let site: FrameworkSite
  let page: Page

  beforeAll(async () => {
    site = await startSite(framework, { op, daemon })
  })

  afterAll(() => site[Symbol.asyncDispose]())

  beforeEach(async () => {
    page = await alice.page.context().newPage()
  })

  afterEach(async () => {
    for (const { page, complaints } of [alice, mallory]) {
      for (const other of page.context().pages()) if (other !== page) await other.close()
      await page.context().clearCookies()
      // Statuses such as 401 are told there as well.
      expect(complaints.splice(0).filter((text) => !text.includes('status of'))).toEqual([])
    }
  })

  test('a visitor logs in and is back on the page', async () => {
    await page.goto(`${site.origin}/profile?tab=1`)
    await logInAtOp(page)
    await page.waitForURL(`${site.origin}/profile?tab=1`)
    expect(await heading(page)).toBe('Profile of alice')
    expect(await page.locator('#address').innerText()).toBe('/profile?tab=1')
    const cookies = await page.context().cookies(site.origin)
    expect(cookies).toMatchObject([
      { name: `relyd-session-${new URL(site.origin).port}`, httpOnly: true, sameSite: 'Lax' },
    ])
  })

  test('two tabs log in at once', async () => {
    const other = await page.context().newPage()
    await page.goto(`${site.origin}/profile?tab=1`)
    await other.goto(`${site.origin}/profile?tab=2`)
    await logInAtOp(page)
    await page.waitForURL('**/profile?tab=1')
    // The OP's question is still open in this tab.
    await other.getByLabel('Name').fill('alice')
    await other.getByLabel('Password').fill('wonderland')
    await other.getByRole('button', { name: 'Log in' }).click()
    await other.waitForURL('**/profile?tab=2')
    await page.reload()
    expect(await heading(page)).toBe('Profile of alice')
    expect(await heading(other)).toBe('Profile of alice')
  })

  test('a login whose cookie was lost is explained, and starts again', async () => {
    await page.goto(`${site.origin}/profile`)
    await page.context().clearCookies({ name: /relyd-login/ })
    await logInAtOp(page)
    await page.waitForURL('**/app/callback?**')
    expect(await heading(page)).toBe('This login began elsewhere')
    await page.getByRole('link', { name: 'Log in' }).click()
    await page.waitForURL(`${site.origin}/`)
    expect(await page.locator('#who').innerText()).toBe('alice')
  })

  test('going back to a callback that was used does no harm', async () => {
    let callback = ''
    page.on('request', (request) => {
      if (request.url().includes('/app/callback?')) callback = request.url()
    })
    await page.goto(`${site.origin}/profile`)
    await logInAtOp(page)
    await page.waitForURL('**/profile')
    await page.goBack()
    await page.goForward()
    expect(await heading(page)).toBe('Profile of alice')
    await page.goto(callback)
    expect(page.url()).toBe(`${site.origin}/`)
    expect(await page.locator('#who').innerText()).toBe('alice')
    // Nobody is logged in any more: a page says that this login is over.
    await page.context().clearCookies()
    await page.goto(callback)
    expect(await heading(page)).toBe('This login is over')
  })

  test('a script is told that the session is over, and the page stays', async () => {
    await page.goto(`${site.origin}/profile`)
    await logInAtOp(page)
    await page.waitForURL('**/profile')
    await page.getByRole('button', { name: 'Ask' }).click()
    const answer = page.locator('#answer')
    await answer.filter({ hasText: '200 {"sub":"alice"}' }).waitFor()
    await page.context().clearCookies({ name: /relyd-session/ })
    await page.getByRole('button', { name: 'Ask' }).click()
    await answer
      .filter({ hasText: '401 {"error":"login_required","login_path":"/app/login"}' })
      .waitFor()
    // What a form sends is lost, but its page is found again.
    await page.getByRole('button', { name: 'Order' }).click()
    await page.getByRole('link', { name: 'Log in' }).click()
    await page.waitForURL(`${site.origin}/profile`)
    expect(await heading(page)).toBe('Profile of alice')
    expect(site.orders).toEqual([])
  })

  test('after a logout, Back shows nothing', async () => {
    await page.goto(`${site.origin}/`)
    await page.getByRole('link', { name: 'Profile' }).click()
    await logInAtOp(page)
    await page.waitForURL('**/profile')
    await page.goto(`${site.origin}/profile?again`)
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByRole('button', { name: 'Yes, log out' }).click()
    await page.waitForURL(`${site.origin}/**`)
    expect(await page.locator('#who').innerText()).toBe('nobody')
    expect(await page.context().cookies(site.origin)).toEqual([])
    // By the OP's question to the page that was left.
    await page.goBack()
    await page.goBack()
    await page.waitForURL(`${op.issuer}/**`)
    expect(await page.content()).not.toContain('Profile of alice')
  })

  test('the page behind a link to the logout logs out as well', async () => {
    await page.goto(`${site.origin}/profile`)
    await logInAtOp(page)
    await page.waitForURL('**/profile')
    await page.goto(`${site.origin}/app/logout`)
    expect(await heading(page)).toBe('Log out?')
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByRole('button', { name: 'Yes, log out' }).click()
    await page.waitForURL(`${site.origin}/**`)
    expect(await page.locator('#who').innerText()).toBe('nobody')
  })

  test('another browser with the stolen callback is refused', async () => {
    await page.goto(`${site.origin}/profile`)
    const stolen = site.stealCallback()
    await logInAtOp(page)
    const callback = await stolen
    await mallory.page.goto(callback)
    expect(await heading(mallory.page)).toBe('This login began elsewhere')
    await mallory.page.goto(`${site.origin}/`)
    expect(await mallory.page.locator('#who').innerText()).toBe('nobody')
    // It is not spent by that: who began it may go on.
    await page.goto(callback)
    expect(await heading(page)).toBe('Profile of alice')
  })
})
