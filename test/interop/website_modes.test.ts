/**
 * Responses that do not come in a query, in a browser with its own rules for cookies, forms and
 * policies: a website on https, an OP on another site.
 */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { nodeWebsite } from '../../sdk/src/adapters/node.js'
import { Client } from '../../sdk/src/index.js'
import { hasOpenssl, TestCa } from '../support/certificates.js'
import { type Browser, hasChromium, openBrowser } from '../support/chromium.js'
import { TestDaemon } from '../support/daemon.js'

const skipped = !hasChromium() || !hasOpenssl()

const HOST = 'site.example'
const origin = `https://${HOST}`

let ca: TestCa
let op: Op
let daemon: TestDaemon
let server: Server
let browser: Browser
/** What answers a request for the website, by the login's path in front. */
const sites = new Map<string, ReturnType<typeof nodeWebsite>>()
/** Every address that the server saw. */
const asked: string[] = []
const clients: Client[] = []

beforeAll(async () => {
  if (skipped) return
  ca = new TestCa()
  op = await startOp({
    configuration: {
      responseTypes: ['code', 'id_token', 'code id_token'],
      clients: [
        {
          client_id: 'modes',
          client_secret: 'issued-by-its-operator',
          redirect_uris: ['fragment', 'form_post', 'id_token'].map(
            (name) => `${origin}/${name}/callback`,
          ),
          response_types: ['code', 'id_token', 'code id_token'],
          grant_types: ['authorization_code', 'implicit'],
        },
      ],
    },
  })
  daemon = await TestDaemon.start()
  server = createServer(ca.server(HOST), async (request, response) => {
    asked.push(request.url ?? '')
    const name = request.url?.split('/')[1] ?? ''
    const site = sites.get(name)
    if (!site) {
      response.writeHead(404).end()
      return
    }
    if (await site.handle(request, response)) return
    const session = await site.requireLogin(request, response)
    if (session) response.end(`Hello, ${session.sub}`)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  for (const [name, login] of Object.entries({
    fragment: { response_type: 'code id_token' },
    form_post: { response_type: 'code id_token', response_mode: 'form_post' },
    id_token: { response_type: 'id_token' },
  } as const)) {
    const cfg = join(daemon.folder, `${name}.cfg`)
    writeFileSync(
      cfg,
      `[oxd]\nsocket = ${daemon.socket}\n[client]\nop_host = ${op.issuer}\nauthorization_redirect_uri = ${origin}/${name}/callback\nclient_id = modes\nclient_secret = issued-by-its-operator\n`,
      { mode: 0o600 },
    )
    const client = new Client(cfg)
    clients.push(client)
    sites.set(
      name,
      nodeWebsite(client, { login, after_login: `/${name}/`, cookie_name: `__Host-${name}` }),
    )
  }
  browser = await openBrowser([
    '--ignore-certificate-errors',
    `--host-resolver-rules=MAP ${HOST} 127.0.0.1:${port}`,
  ])
})

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]()
  await Promise.all(clients.map((client) => client.close()))
  server?.closeAllConnections()
  server?.close()
  await daemon?.[Symbol.asyncDispose]()
  await op?.close()
  ca?.[Symbol.dispose]()
})

async function logInAtOp(page: Page): Promise<void> {
  await page.getByLabel('Name').fill('alice')
  await page.getByLabel('Password').fill('wonderland')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('button', { name: 'Allow' }).click()
}

describe.skipIf(skipped)('in Chromium', () => {
  let page: Page

  beforeEach(async () => {
    page = await browser.page.context().newPage()
  })

  afterEach(async () => {
    await page.context().clearCookies()
    await page.close()
  })

  test.each(['fragment', 'id_token'])(
    'C6 P13 a response in the fragment logs in, and stays in no address: %s',
    async (name) => {
      const addresses: string[] = []
      page.on('framenavigated', (frame) => addresses.push(frame.url()))
      await page.goto(`${origin}/${name}/profile?tab=1`)
      await logInAtOp(page)
      await page.waitForURL(`${origin}/${name}/profile?tab=1`)
      expect(await page.locator('body').innerText()).toBe('Hello, alice')
      // The server never saw it, and Back does not bring it again.
      expect(asked.filter((url) => /id_token=|code=/.test(url))).toEqual([])
      await page.goBack()
      await page.waitForLoadState()
      expect(page.url()).not.toContain('id_token=')
      expect(browser.complaints.filter((one) => !one.includes('status of'))).toEqual([])
    },
  )

  test('P13 oidcc-client-test (form-post): the OP’s form brings the login’s cookie, which is SameSite=None', async () => {
    const posted: (string | undefined)[] = []
    page.on('request', async (request) => {
      if (request.method() !== 'POST' || !request.url().startsWith(origin)) return
      posted.push((await request.allHeaders())['cookie'])
    })
    await page.goto(`${origin}/form_post/profile?tab=1`)
    const cookie = (await page.context().cookies(origin)).find(({ name }) =>
      name.includes('relyd-login'),
    )
    expect(cookie).toMatchObject({ sameSite: 'None', secure: true, httpOnly: true })
    await logInAtOp(page)
    await page.waitForURL(`${origin}/form_post/profile?tab=1`)
    expect(await page.locator('body').innerText()).toBe('Hello, alice')
    expect(posted).toEqual([expect.stringContaining('relyd-login')])
  })

  test('a Lax cookie would not have come along', async () => {
    await page.goto(`${origin}/form_post/profile`)
    // The same login, with the cookie as it is for the other modes.
    const cookie = (await page.context().cookies(origin)).find(({ name }) =>
      name.includes('relyd-login'),
    )
    if (!cookie) throw new Error('no cookie')
    await page.context().addCookies([{ ...cookie, sameSite: 'Lax' }])
    await logInAtOp(page)
    await page.waitForURL(`${origin}/form_post/callback`)
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe(
      'This login began elsewhere',
    )
  })
})
