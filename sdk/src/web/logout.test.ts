/** Logout where relyd does not answer. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { listen, newFolder } from '../../../test/support/bent_daemon.js'
import { Client } from '../client.js'
import { Website } from './website.js'

test('a relyd that hangs keeps the browser waiting once, and the cookie goes all the same', async () => {
  const peer = await listen(() => {})
  const cfg = join(newFolder(), 'site.cfg')
  writeFileSync(
    cfg,
    `[oxd]\nsocket = ${peer.path}\nid = site-7\n[client]\nauthorization_redirect_uri = https://site.example/callback\n`,
  )
  const client = new Client(cfg, { timeout_ms: 100, env: {} })
  onTestFinished(() => client.close())
  const cookie = `__Host-relyd-session=${'a'.repeat(32)}`
  const request = new Request('https://site.example/logout', {
    method: 'POST',
    headers: { cookie },
  })
  const response = await new Website(client).handle(request)
  expect(response?.status).toBe(503)
  expect(response?.headers.getSetCookie()).toEqual([
    expect.stringMatching(/^__Host-relyd-session=; Max-Age=0;/),
  ])
  expect(peer.seen).toEqual(['get_logout_uri'])
})
