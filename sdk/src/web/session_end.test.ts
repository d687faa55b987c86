/** How sessions end: by a logout, by the next login, and where relyd does not answer. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Request as Asked, listen, newFolder } from '../../../test/support/bent_daemon.js'
import { Client } from '../client.js'
import { Website } from './website.js'

const session_id = 'a'.repeat(32)
const headers = { cookie: `__Host-relyd-session=${session_id}` }

/** A website whose relyd answers so. */
async function makeSite(answer: (asked: Asked) => void, timeout_ms = 5000) {
  const peer = await listen(answer)
  const cfg = join(newFolder(), 'site.cfg')
  writeFileSync(
    cfg,
    `[oxd]\nsocket = ${peer.path}\nid = site-7\n[client]\nauthorization_redirect_uri = https://site.example/callback\n`,
  )
  const client = new Client(cfg, { timeout_ms, env: {} })
  onTestFinished(() => client.close())
  return { peer, website: new Website(client) }
}

const logOut = () => new Request('https://site.example/logout', { method: 'POST', headers })

test('a logout has the tokens of its session revoked', async () => {
  const asked: object[] = []
  const { website } = await makeSite(({ params, ok }) => {
    asked.push(params)
    ok({ uri: 'https://op.example/end' })
  })
  const response = await website.handle(logOut())
  expect(response?.headers.get('location')).toBe('https://op.example/end')
  expect(asked).toEqual([{ oxd_id: 'site-7', session_id, revoke_tokens: true }])
})

test('a new login ends the session before it, and leaves the tokens, which they may share', async () => {
  const asked = new Map<string, object>()
  const { website } = await makeSite(({ command, params, ok }) => {
    asked.set(command, params)
    ok({ session_id: 'b'.repeat(32), set_cookie: 'gone=; Max-Age=0' })
  })
  await website.handle(new Request('https://site.example/callback?code=a&state=b', { headers }))
  expect(asked.get('end_session')).toEqual({ oxd_id: 'site-7', session_id, revoke_tokens: false })
})

test('a relyd that hangs keeps the browser waiting once, and the cookie goes all the same', async () => {
  const { peer, website } = await makeSite(() => {}, 100)
  const response = await website.handle(logOut())
  expect(response?.status).toBe(503)
  expect(response?.headers.getSetCookie()).toEqual([
    expect.stringMatching(/^__Host-relyd-session=; Max-Age=0;/),
  ])
  expect(peer.seen).toEqual(['get_logout_uri'])
})
