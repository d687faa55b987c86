/** Logins while the OP is down, was never seen, and is up again. */
import { expect, test } from 'vitest'
import { startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { Wire } from '../support/wire.js'

const redirect_uri = 'http://site.example/callback'

test('a known OP that is down: addresses are made, after a restart too; up again, it logs in within five seconds', async () => {
  const configuration = {
    clients: [{ client_id: 'issued', client_secret: 's3cret', redirect_uris: [redirect_uri] }],
  }
  const op = await startOp({ configuration })
  await using daemon = await TestDaemon.start({ daemon: { op_timeout: 2 } })
  using wire = await Wire.connect(daemon.socket)
  const { oxd_id } = await wire.ok('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri: redirect_uri,
    client_id: 'issued',
    client_secret: 's3cret',
  })
  await op.close()

  expect((await wire.ok('get_authorization_url', { oxd_id })).authorization_url).toContain(
    op.issuer,
  )
  expect(await daemon.stop()).toBe(0)
  await daemon.start()
  using again = await Wire.connect(daemon.socket)
  const login = await again.ok('get_authorization_url', { oxd_id })
  const lost = await again.ok('get_authorization_url', { oxd_id })
  const callback = `${redirect_uri}?code=c&state=${lost.state}&iss=${encodeURIComponent(op.issuer)}`
  expect(
    await again.refused('get_tokens_by_callback', { oxd_id, callback, binding: lost.binding }),
  ).toMatchObject({ error: 'op_unreachable', retryable: false })

  // It comes back with other keys, as after a rotation.
  const back = await startOp({ port: Number(new URL(op.issuer).port), configuration })
  try {
    const up_at = performance.now()
    const { sub } = await again.ok('get_tokens_by_callback', {
      oxd_id,
      callback: await new EndUser().logIn(login.authorization_url),
      binding: login.binding,
    })
    expect(sub).toBe('alice')
    expect(performance.now() - up_at).toBeLessThan(5000)
  } finally {
    await back.close()
  }
})

test('an OP that was never seen: a retryable error that says so, and a login within five seconds of its start', async () => {
  const vanished = await startOp()
  const port = Number(new URL(vanished.issuer).port)
  await vanished.close()
  await using daemon = await TestDaemon.start()
  using wire = await Wire.connect(daemon.socket)
  const site = { op_host: vanished.issuer, authorization_redirect_uri: redirect_uri }
  const refused = await wire.refused('register_site', site)
  expect(refused).toMatchObject({ error: 'no_connect_discovery_response', retryable: true })
  expect(refused.error_description).toContain(vanished.issuer)
  expect(refused.error_description).toContain('connection refused')

  const op = await startOp({ port })
  try {
    const up_at = performance.now()
    const { oxd_id } = await wire.ok('register_site', site)
    const { authorization_url, binding } = await wire.ok('get_authorization_url', { oxd_id })
    const callback = await new EndUser().logIn(authorization_url)
    const { sub } = await wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
    expect(sub).toBe('alice')
    expect(performance.now() - up_at).toBeLessThan(5000)
  } finally {
    await op.close()
  }
})
